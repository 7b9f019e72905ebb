import type { Brand } from './state.ts'

/** Everything about the emulated Feishu that a test may change while it runs; a plain mutable object. */
export type Knobs = {
  accessTokenLifetimeMs: number
  refreshTokenLifetimeMs: number
  codeLifetimeMs: number
  /** From the person's approval on: afterwards every refresh answers 20037. */
  authorizationLifetimeMs: number
  deviceCodeLifetimeMs: number
  deviceIntervalMs: number
  /** `false`: polling too fast is never answered with `slow_down`. */
  enforcePollInterval: boolean
  /** A new device authorization request of an app voids its pending ones. */
  newDeviceRequestVoidsOld: boolean
  /** Security settings → refresh user_access_token. Off: no refresh token is issued, a refresh answers 20074. */
  refreshSwitch: boolean
  /** No refresh token although all conditions hold (seen in the field). */
  omitRefreshToken: boolean
  /** What a rotated refresh token answers. */
  rotatedCode: 20064 | 20073
  /** Presenting a rotated refresh token revokes every token of that authorization (RFC 9700 §4.14.2). */
  reuseRevokesAuthorization: boolean
  /** A rotated refresh token presented again inside this window gets the same new token set; 0 is Feishu. */
  graceWindowMs: number
  /** How long the old access token lives on after a refresh; `null`: until its own expiry. */
  oldAccessTokenGraceMs: number | null
  /** A code that was found but not exchanged (wrong secret, redirect URI, verifier, scope) is spent. */
  failedExchangeBurnsCode: boolean
  /** `code` of a success is the string "0". */
  stringCode: boolean
  /** Scopes per authorization request. */
  maxScopes: number
  /** v3 answers 20049 to every code that was issued with a challenge. */
  v3PkceBroken: boolean
  /** Lark's v3 answers 20003 to every authorization code. */
  larkV3RefusesCodes: boolean
  /** A successful revocation answers `{"code":0}` instead of nothing. */
  revokeAnswersJson: boolean
  /** The authorization endpoint approves as the default user without showing the consent page. */
  autoApprove: boolean
  /** Without `prompt=consent`, redirect at once when everything requested is granted already. */
  skipConsentWhenGranted: boolean
  /** The tenant of the person who creates an app by scanning. */
  registrationBrand: Brand
  /** How the hosted MCP server refuses a token that is invalid or has expired; `code` null: without a body. */
  mcpRefusal: { status: number; code: number | null; message?: string }
  /** A token that lacks a tool's scopes: Feishu's own failure in a result, or a refusal that names them. */
  mcpMissingScopes: 'result' | 'refused'
  /** The tools that the hosted server knows; null: all. */
  mcpTools: string[] | null
  /** The hosted server has sessions: the id of one that it does not know answers 404. */
  mcpSessions: boolean
  /** The hosted server answers with event streams. */
  mcpEventStreams: boolean
  /** Real milliseconds before any request is looked at. */
  latencyMs: number
  /** Added to the `Date` header alone: a server whose clock is off. */
  dateOffsetMs: number
}

const SECOND = 1_000
const DAY = 86_400 * SECOND

/** The knobs of a brand. Lifetimes are odd near-misses of Feishu's, so that nothing can be hard-coded. */
export function defaultKnobs(brand: Brand): Knobs {
  return {
    accessTokenLifetimeMs: 6_871 * SECOND, // Feishu's example: 7,200
    refreshTokenLifetimeMs: 600_011 * SECOND, // Feishu's example: 604,800
    codeLifetimeMs: 293 * SECOND, // Feishu: 300
    authorizationLifetimeMs: 365 * DAY, // fixed by Feishu and announced nowhere in an answer, hence not odd
    deviceCodeLifetimeMs: 587 * SECOND, // observed: 600
    deviceIntervalMs: 5 * SECOND,
    enforcePollInterval: true,
    newDeviceRequestVoidsOld: true,
    refreshSwitch: true,
    omitRefreshToken: false,
    rotatedCode: 20064,
    reuseRevokesAuthorization: false,
    graceWindowMs: 0,
    oldAccessTokenGraceMs: brand === 'lark' ? 60 * SECOND : null, // Lark's documented minute
    failedExchangeBurnsCode: true,
    stringCode: brand === 'lark',
    maxScopes: 50, // Lark and older Feishu pages; 200 on the newest Feishu page
    v3PkceBroken: true,
    larkV3RefusesCodes: true,
    revokeAnswersJson: false,
    autoApprove: false,
    skipConsentWhenGranted: false,
    registrationBrand: brand,
    mcpRefusal: { status: 401, code: -32003, message: 'token invalid or expired' },
    mcpMissingScopes: 'result',
    mcpTools: null,
    mcpSessions: false,
    mcpEventStreams: false,
    latencyMs: 0,
    dateOffsetMs: 0,
  }
}
