// The token endpoint: what is sent, and what an answer means (RFC 6749 §4.1.3, §5, §6, in Feishu's dialect).

import { AuthError } from '../errors.ts'
import { Secret } from '../secret.ts'
import { type Endpoints, trustedUrl, untrusted } from './feishu.ts'
import { consoleUrl, type FeishuError, feishuError, type Verdict } from './feishu-errors.ts'
import type { TokenSet } from './token-set.ts'

/** A request as the transport takes it. */
export type HttpRequest = {
  method: 'GET' | 'POST'
  url: string
  headers: Record<string, string>
  body: string | null
  /** Overall time limit, from the call to the last byte. */
  deadlineMs: number
  /** Called just before the first byte goes out; if it throws, nothing is sent. */
  onSend?: () => void
  /** Whose request it is, for the record of calls. */
  account: { key: string; forced: boolean }
}

/** What came back: a whole answer, or why there is none and whether our bytes had gone out. */
export type HttpAnswer =
  | { kind: 'answer'; status: number; headers: Record<string, string>; body: Buffer }
  | { kind: 'failure'; sent: boolean; partialBody: Buffer; error: AuthError }

/** The request function. It never throws, follows no redirect and repeats nothing. */
export type Request = (request: HttpRequest) => Promise<HttpAnswer>

export type ClientCredentials = { appId: string; appSecret: Secret }

export type RequestOptions = Pick<HttpRequest, 'deadlineMs' | 'onSend' | 'account'>

function tokenRequest(
  url: string,
  client: ClientCredentials,
  parameters: Record<string, string>,
  options: RequestOptions,
): HttpRequest {
  const body = new URLSearchParams({
    ...parameters,
    client_id: client.appId,
    client_secret: client.appSecret.reveal(),
  })
  return {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: body.toString(),
    ...options,
  }
}

/** The authorization code grant request (RFC 6749 §4.1.3, RFC 7636 §4.5). */
export function authorizationCodeGrantRequest(
  url: string,
  client: ClientCredentials,
  grant: { code: Secret; redirectUri: string; codeVerifier: Secret },
  options: RequestOptions,
): HttpRequest {
  const parameters = {
    grant_type: 'authorization_code',
    code: grant.code.reveal(),
    redirect_uri: grant.redirectUri,
    code_verifier: grant.codeVerifier.reveal(),
  }
  return tokenRequest(url, client, parameters, options)
}

/** The refresh token grant request (RFC 6749 §6). No `scope`: that would only narrow the token. */
export function refreshTokenGrantRequest(
  url: string,
  client: ClientCredentials,
  refreshToken: Secret,
  options: RequestOptions,
): HttpRequest {
  const parameters = { grant_type: 'refresh_token', refresh_token: refreshToken.reveal() }
  return tokenRequest(url, client, parameters, options)
}

/** The usable parts of a token response (RFC 6749 §5.1). Life times in milliseconds; null = not said. */
export type TokenResponse = {
  accessToken: Secret | null
  accessTokenLifetimeMs: number | null
  refreshToken: Secret | null
  refreshTokenLifetimeMs: number | null
  scopes: string[] | null
  /** What is wrong with the answer although it holds a token; null = nothing. */
  problem: string | null
  /** The server's clock; null = it did not say. */
  serverDate: number | null
}

export type TokenAnswer =
  | { kind: 'tokens'; response: TokenResponse; logId: string | null }
  | { kind: 'error'; verdict: Verdict; error: AuthError; retryAfterMs: number | null }
  /** Sent, and no whole and valid answer: the refresh token may or may not be spent. */
  | { kind: 'ambiguous'; error: AuthError }
  /** Nothing was sent. */
  | { kind: 'unsent'; error: AuthError }

/** What the texts of an error need to know of the app. */
export type AnswerContext = {
  endpoints: Endpoints
  appId: string
  scopes: readonly string[]
  now: number
  /** Must not appear in a text of Feishu's that is shown. */
  secrets: readonly Secret[]
}

/** A day: no Feishu token lives longer without a refresh; more is taken as this. */
const MAX_LIFETIME_MS = 86_400_000
/** A token with anything but visible ASCII could not be sent in a header. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/
/** The refresh token in an answer that broke off behind it. */
const REFRESH_TOKEN_MEMBER = /"refresh_token"\s*:\s*"([^"\\\x00-\x1f]+)"/

function lifetimeMs(value: unknown, maxMs: number): number | null {
  const seconds = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof seconds !== 'number' || !(seconds > 0)) return null
  return Math.min(Math.round(seconds * 1000), maxMs)
}

/**
 * Reads an answer of the token endpoint. A refresh token in a successful answer counts whatever else is wrong with it:
 * it is the only copy in the world. `sentToken` is the one that was presented: an answer that echoes it brings nothing.
 */
export function processTokenAnswer(
  answer: HttpAnswer,
  context: AnswerContext,
  sentToken: Secret | null,
): TokenAnswer {
  if (answer.kind === 'failure') return processFailure(answer, sentToken)
  const json = parseObject(answer.body)
  const success = answer.status >= 200 && answer.status < 300
  const response = success ? readTokens(json, answer.body, sentToken) : null
  if (response) {
    response.serverDate = serverDate(answer.headers)
    return { kind: 'tokens', response, logId: logIdOf(answer.headers) }
  }
  return processError(answer, json, context)
}

function processFailure(
  failure: Extract<HttpAnswer, { kind: 'failure' }>,
  sentToken: Secret | null,
): TokenAnswer {
  if (!failure.sent) return { kind: 'unsent', error: failure.error }
  const response = readTokens(null, failure.partialBody, sentToken)
  if (response) return { kind: 'tokens', response, logId: null }
  return { kind: 'ambiguous', error: failure.error }
}

function readTokens(json: Json | null, body: Buffer, sentToken: Secret | null): TokenResponse | null {
  const found = json?.refresh_token ?? (json ? null : REFRESH_TOKEN_MEMBER.exec(body.toString('utf8'))?.[1])
  const fresh = typeof found === 'string' && found !== '' && found !== sentToken?.reveal() ? found : null
  const access = json?.access_token
  const usable = typeof access === 'string' && TOKEN.test(access)
  const code = feishuCodeOf(json)
  const problem = tokenProblem(json, usable, code)
  // Without a refresh token only a flawless answer counts; with one, everything does.
  if (fresh === null && problem !== null) return null
  return {
    accessToken: usable ? new Secret(access) : null,
    accessTokenLifetimeMs: lifetimeMs(json?.expires_in, MAX_LIFETIME_MS),
    refreshToken: fresh === null ? null : new Secret(fresh),
    refreshTokenLifetimeMs: lifetimeMs(json?.refresh_token_expires_in, Number.MAX_SAFE_INTEGER),
    scopes: scopesOf(json?.scope),
    problem,
    serverDate: null,
  }
}

function tokenProblem(json: Json | null, usableAccessToken: boolean, code: number | null): string | null {
  if (!json) return 'the answer broke off or is not JSON'
  if (!usableAccessToken) return 'it has no usable access_token'
  if (json.error !== undefined && json.error !== null && json.error !== '')
    return 'it has an "error" beside the tokens'
  if (code !== null && code !== 0) return `its "code" is ${code}`
  const type = json.token_type
  const bearer =
    type === undefined || type === null || (typeof type === 'string' && type.toLowerCase() === 'bearer')
  return bearer ? null : 'its token_type is not Bearer'
}

function scopesOf(value: unknown): string[] | null {
  if (typeof value !== 'string') return null
  // More than 64 KiB of scopes is nonsense; each is shown, so each must look like one.
  const names = value.slice(0, 65_536).split(/[\s,]+/)
  return [...new Set(names.filter((name) => /^[\w.:-]{1,128}$/.test(name)))]
}

/** Two hours: what Feishu's documents name, for an answer that does not say. */
const ASSUMED_LIFETIME_MS = 7_200_000

/** The token set that follows from a token response and what was known before. */
export function nextTokenSet(response: TokenResponse, before: TokenSet, now: number): TokenSet {
  const lifetime = response.accessTokenLifetimeMs ?? ASSUMED_LIFETIME_MS
  const access = response.accessToken
    ? {
        accessToken: response.accessToken,
        accessTokenExpiresAt: now + lifetime,
        accessTokenLifetimeMs: lifetime,
        lifetimeAssumed: response.accessTokenLifetimeMs === null,
      }
    : {}
  const refresh = response.refreshToken
    ? {
        refreshToken: response.refreshToken,
        refreshTokenExpiresAt:
          response.refreshTokenLifetimeMs === null ? null : now + response.refreshTokenLifetimeMs,
        refreshTokenDoubtful: false,
        refusal: null,
      }
    : { refreshTokenDoubtful: before.refreshToken !== null }
  return {
    ...before,
    ...access,
    ...refresh,
    scopes: response.scopes ?? before.scopes,
    issuedAt: now,
    clockSkewMs: response.serverDate === null ? null : response.serverDate - now,
  }
}
