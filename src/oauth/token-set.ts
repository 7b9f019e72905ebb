// The token set, and the one decision of its life: use, refresh or authorize.

import type { ErrorCode } from '../errors.ts'
import { Secret } from '../secret.ts'
import type { Json } from './answer.ts'

/** Why the refresh token of a token set is of no use any more, and since when. */
export type Refusal = {
  /**
   * Feishu said so; an answer was lost; the store holds an older copy whose refresh token was spent since; a logout began
   * to revoke it; or it is on its way to another name or store, and what comes of it is there.
   */
  reason: 'refused' | 'lost' | 'outdated' | 'logout' | 'leaving'
  at: number
  code: ErrorCode
  feishuCode: number | null
  logId: string | null
  /** When an answer was lost that may have held the successor; null if none was. */
  lostAt: number | null
  /** The HTTP status of what came in place of the lost answer; absent: nothing came. */
  answered?: number
  /** Where it is on its way to; absent: nowhere. */
  way?: Way
}

/** Where a token set goes: to another name, or to another store. */
export type Way = {
  renamedTo?: string
  /** What `StoreDescription.identity` says of that store. */
  copiedTo?: string
  /** The generation that it gets there: below it, that place has not had it yet. */
  arrivesAs: number
}

export type User = { openId: string; name: string | null }

/** What is kept of one authorization. Instants are epoch milliseconds. */
export type TokenSet = {
  /** Null only after an answer that held a refresh token and no usable access token. */
  accessToken: Secret | null
  /** 0: not known, so that it is due. */
  accessTokenExpiresAt: number
  /** How long the access token was to live when it was issued. */
  accessTokenLifetimeMs: number
  refreshToken: Secret | null
  /** Null: Feishu did not say. */
  refreshTokenExpiresAt: number | null
  /** The last refresh brought no successor: this refresh token may be spent. */
  refreshTokenDoubtful: boolean
  refusal: Refusal | null
  scopes: string[]
  requestedScopes: string[]
  /** Null: not known yet. */
  user: User | null
  /** 0: not known, as of tokens that were taken over from a script. */
  authorizedAt: number
  issuedAt: number
  /** Null: never refreshed. */
  refreshedAt: number | null
  endpoint: 'v2' | 'v3'
  /** When it was refreshed in the last minute although that was not due; absent: not at all. */
  forcedAt?: number[]
  /** Names the authorization it came from, so that an interrupted end is recognized. */
  authorizationId: string | null
  /** Feishu named no usable life time: two hours were assumed. */
  lifetimeAssumed: boolean
  /** Server clock minus ours when it was issued; null: the answer had no date. */
  clockSkewMs: number | null
}

/** A profile's record in the store: the generation counter outlives the tokens. */
export type TokenRecord = { generation: number; tokenSet: TokenSet | null }

/** The one lifecycle decision. */
export type NextStep = 'use' | 'refresh' | 'authorize'

/** How far our clock may stand behind the one that stored the token set before its expiry is disbelieved. */
const CLOCK_TOLERANCE_MS = 60_000

/** The remaining life of the access token by the wall clock; 0 when it cannot be true (the clock was set back). */
export function accessTokenRemainingMs(tokenSet: TokenSet, now: number): number {
  if (!tokenSet.accessToken) return 0
  const remaining = tokenSet.accessTokenExpiresAt - now
  return remaining > tokenSet.accessTokenLifetimeMs + CLOCK_TOLERANCE_MS ? 0 : Math.max(0, remaining)
}

/** When the access token ends; null: there is none, or whoever gave it did not surely say. */
export function accessTokenEndsAt({ accessToken, accessTokenExpiresAt }: TokenSet): number | null {
  return accessToken && accessTokenExpiresAt > 0 ? accessTokenExpiresAt : null
}

/** Whether there is a refresh token that Feishu has not refused. Our own clock never declares one dead. */
export function canRefresh(tokenSet: TokenSet): boolean {
  return tokenSet.refreshToken !== null && tokenSet.refusal === null
}

/** The token set, which no one may present any more, for a reason of our own. */
export function withheld(
  tokenSet: TokenSet,
  {
    reason,
    at,
    ...leaving
  }: { reason: 'outdated' | 'logout'; at: number } | { reason: 'leaving'; at: number; way: Way },
): TokenSet {
  const code = reason === 'outdated' ? 'refresh_uncertain' : 'not_authorized'
  const refusal: Refusal = { reason, at, code, feishuCode: null, logId: null, lostAt: null, ...leaving }
  return { ...tokenSet, refusal }
}

/** Decides what to do with a token set whose access token has `remainingMs` left. */
export function nextStep(tokenSet: TokenSet | null, remainingMs: number, marginMs: number): NextStep {
  if (!tokenSet) return 'authorize'
  if (remainingMs > marginMs) return 'use'
  if (canRefresh(tokenSet)) return 'refresh'
  // Without a refresh token the access token is used to its end; a refused one ends with the margin.
  return tokenSet.refreshToken === null && remainingMs > 0 ? 'use' : 'authorize'
}

/** 365 days: Feishu refuses to refresh longer after the authorization (page "refresh user_access_token"). */
const GRANT_LIFETIME_MS = 365 * 86_400_000

/** When the authorization ends, however often it is refreshed; null: no one knows when it began. */
export function grantEndsAt(tokenSet: TokenSet): number | null {
  return tokenSet.authorizedAt > 0 ? tokenSet.authorizedAt + GRANT_LIFETIME_MS : null
}

/** When a person must have authorized again at the latest; null: no one knows. */
export function reauthorizeBy(tokenSet: TokenSet): number | null {
  const own = canRefresh(tokenSet) ? tokenSet.refreshTokenExpiresAt : accessTokenEndsAt(tokenSet)
  const ends = [grantEndsAt(tokenSet), own].filter((end) => end !== null)
  return ends.length > 0 ? Math.min(...ends) : null
}

/** The scopes that were asked for at the last authorization and not granted. */
export function missingScopes(tokenSet: TokenSet): string[] {
  return tokenSet.requestedScopes.filter((scope) => !tokenSet.scopes.includes(scope))
}

const number = (value: unknown): number | null => (Number.isFinite(value) ? (value as number) : null)
const string = (value: unknown): string | null => (typeof value === 'string' ? value : null)
const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
const secret = (value: unknown): Secret | null =>
  typeof value === 'string' && value ? new Secret(value) : null

/** Writes a record as plain JSON, secrets included: for sealing alone. */
export function encodeRecord(record: TokenRecord): Json {
  const { tokenSet } = record
  if (!tokenSet) return { generation: record.generation, token_set: null }
  return {
    generation: record.generation,
    token_set: {
      ...tokenSet,
      accessToken: tokenSet.accessToken?.reveal() ?? null,
      refreshToken: tokenSet.refreshToken?.reveal() ?? null,
    },
  }
}

/** Reads what {@link encodeRecord} wrote. Unknown fields are kept; null when it is not such a record. */
export function decodeRecord(json: Json): TokenRecord | null {
  const generation = number(json.generation)
  if (generation === null) return null
  if (json.token_set === null) return { generation, tokenSet: null }
  const raw = json.token_set as Json
  if (typeof raw !== 'object' || Array.isArray(raw)) return null
  return { generation, tokenSet: decodeTokenSet(raw) }
}

function decodeTokenSet(raw: Json): TokenSet {
  const user = raw.user as Json | null
  const openId = string(user?.openId)
  return {
    // What a newer version of this program added stays in the record.
    ...raw,
    accessToken: secret(raw.accessToken),
    accessTokenExpiresAt: number(raw.accessTokenExpiresAt) ?? 0,
    accessTokenLifetimeMs: number(raw.accessTokenLifetimeMs) ?? 0,
    refreshToken: secret(raw.refreshToken),
    refreshTokenExpiresAt: number(raw.refreshTokenExpiresAt),
    refreshTokenDoubtful: raw.refreshTokenDoubtful === true,
    refusal: (raw.refusal as Refusal | null) ?? null,
    scopes: strings(raw.scopes),
    requestedScopes: strings(raw.requestedScopes),
    user: openId === null ? null : { openId, name: string(user?.name) },
    authorizedAt: number(raw.authorizedAt) ?? 0,
    issuedAt: number(raw.issuedAt) ?? 0,
    refreshedAt: number(raw.refreshedAt),
    endpoint: raw.endpoint === 'v3' ? 'v3' : 'v2',
    ...(Array.isArray(raw.forcedAt) && { forcedAt: raw.forcedAt.filter(Number.isFinite) }),
    authorizationId: string(raw.authorizationId),
    lifetimeAssumed: raw.lifetimeAssumed === true,
    clockSkewMs: number(raw.clockSkewMs),
  }
}
