// What an answer of the token endpoint brings that holds tokens (RFC 6749 §5.1), and the token set that follows from it.

import { Secret } from '../secret.ts'
import { type Sentence, say } from '../sentence.ts'
import { feishuCodeOf, httpDate, type Json } from './answer.ts'
import type { TokenSet } from './token-set.ts'

/** The usable parts of a token response (RFC 6749 §5.1). Life times in milliseconds; null = not said. */
export type TokenResponse = {
  accessToken: Secret | null
  accessTokenLifetimeMs: number | null
  refreshToken: Secret | null
  refreshTokenLifetimeMs: number | null
  scopes: string[] | null
  /** What is wrong with the answer although it holds a token; null = nothing. */
  problem: Sentence | null
  /** The server's clock; null = it did not say. */
  serverDate: number | null
}

/** A day: no Feishu token lives longer without a refresh; more is taken as this. */
export const MAX_LIFETIME_MS = 86_400_000
/** Feishu ends each authorization after 365 days, and no refresh token outlives it. */
const MAX_REFRESH_LIFETIME_MS = 365 * 86_400_000
/** Four times what Feishu says to reserve; anything but visible ASCII could not be sent in a header. */
export const TOKEN: RegExp = /^[\x21-\x7e]{1,16384}$/
const MAX_REFRESH_TOKEN_CHARACTERS = 16_384
const BYTE_ORDER_MARK = Buffer.from('\uFEFF')
/** The refresh token in an answer that broke off behind it, or that wraps it in something. */
const REFRESH_TOKEN_MEMBER = /"refresh_token"\s*:\s*"([^"\\\x00-\x1f]+)"/

function lifetimeMs(value: unknown, maxMs: number): number | null {
  const seconds = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof seconds !== 'number' || !(seconds > 0)) return null
  return Math.min(Math.round(seconds * 1000), maxMs)
}

type Read = { status: number; headers: Record<string, string>; body: Buffer }

/** The tokens in an answer, whatever else is wrong with it; null: none that count. */
export function readTokenResponse(
  { status, headers, body }: Read,
  json: Json | null,
  sentToken: Secret | null,
): TokenResponse | null {
  const success = status >= 200 && status < 300
  const refreshToken = newRefreshToken(json, body, sentToken)
  const fault = accessTokenFault(json)
  const problem = fault ?? oddity(status, body)
  // An error may hold anything; without a refresh token only a flawless answer counts.
  const counts = success ? refreshToken !== null || problem === null : refreshToken !== null && fault === null
  if (!counts || (status >= 300 && status < 400)) return null
  return {
    accessToken: fault === null ? new Secret(String(json?.access_token)) : null,
    accessTokenLifetimeMs: lifetimeMs(json?.expires_in, MAX_LIFETIME_MS),
    refreshToken,
    refreshTokenLifetimeMs: lifetimeMs(json?.refresh_token_expires_in, MAX_REFRESH_LIFETIME_MS),
    scopes: scopesOf(json?.scope),
    problem,
    serverDate: httpDate(headers.date),
  }
}

function newRefreshToken(json: Json | null, body: Buffer, sentToken: Secret | null): Secret | null {
  const found = json?.refresh_token ?? REFRESH_TOKEN_MEMBER.exec(body.toString('utf8'))?.[1]
  if (typeof found !== 'string' || found === '' || found === sentToken?.reveal()) return null
  return found.length > MAX_REFRESH_TOKEN_CHARACTERS ? null : new Secret(found)
}

/** Why the answer's access token cannot be used; null = it can. */
function accessTokenFault(json: Json | null): Sentence | null {
  if (!json) return say`the answer broke off or is not JSON`
  if (typeof json.access_token !== 'string' || !TOKEN.test(json.access_token)) {
    return say`it has no usable access_token`
  }
  if ((json.error ?? '') !== '') return say`it has an "error" beside the tokens`
  const code = feishuCodeOf(json)
  if (code !== null && code !== 0) return say`its "code" is ${code}`
  const type = json.token_type ?? 'Bearer'
  return typeof type === 'string' && type.toLowerCase() === 'bearer'
    ? null
    : say`its token_type is not Bearer`
}

/** What is odd about an answer whose tokens can be used; null = nothing. */
function oddity(status: number, body: Buffer): Sentence | null {
  if (status < 200 || status >= 300) return say`it came with HTTP ${status}`
  return body.subarray(0, 3).equals(BYTE_ORDER_MARK) ? say`it begins with a byte order mark` : null
}

/** The names in a list of scopes; null: it is none. */
export function scopesOf(value: unknown): string[] | null {
  if (typeof value !== 'string') return null
  // More than 64 KiB of scopes is nonsense; each is shown, so each must look like one.
  const names = value.slice(0, 65_536).split(/[\s,]+/)
  return [...new Set(names.filter((name) => /^[\w.:-]{1,128}$/.test(name)))]
}

/** Two hours: what Feishu's documents name, for an answer that does not say. */
export const ASSUMED_LIFETIME_MS = 7_200_000

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
