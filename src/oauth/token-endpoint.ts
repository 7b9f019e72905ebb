// The token endpoint: what is sent, and what an answer means (RFC 6749 §4.1.3, §5, §6, in Feishu's dialect).

import { AuthError } from '../errors.ts'
import { Secret } from '../secret.ts'
import {
  consoleUrl,
  type Endpoints,
  type FeishuError,
  feishuError,
  untrusted,
  type Verdict,
} from './feishu.ts'
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

type RequestOptions = Pick<HttpRequest, 'deadlineMs' | 'onSend' | 'account'>

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

type Json = Record<string, unknown>

function parseObject(body: Buffer): Json | null {
  try {
    const json: unknown = JSON.parse(body.toString('utf8').replace(/^\uFEFF/, ''))
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Json) : null
  } catch {
    return null
  }
}

function lifetimeMs(value: unknown, maxMs: number): number | null {
  const seconds = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof seconds !== 'number' || !(seconds > 0)) return null
  return Math.min(Math.round(seconds * 1000), maxMs)
}

/** A number, or digits in a string: Lark's documents show `"code": "0"`. */
function feishuCodeOf(json: Json | null): number | null {
  const value = json?.code
  if (typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value)
  return typeof value === 'number' ? value : null
}

function serverDate(headers: Record<string, string>): number | null {
  const date = Date.parse(headers.date ?? '')
  return Number.isNaN(date) ? null : date
}

/** Feishu's log id, if it looks like one. */
export function logIdOf(headers: Record<string, string>): string | null {
  const id = headers['x-tt-logid']
  return id && /^[\w-]{1,64}$/.test(id) ? id : null
}

/** How long to wait: `x-ogw-ratelimit-reset`, then `Retry-After` in seconds or as a date; null = not said. */
export function retryAfterMs(headers: Record<string, string>, now: number): number | null {
  for (const name of ['x-ogw-ratelimit-reset', 'retry-after']) {
    const value = headers[name]?.trim() ?? ''
    if (/^\d{1,9}(\.\d+)?$/.test(value)) return Number(value) * 1000
    const date = name === 'retry-after' ? Date.parse(value) : Number.NaN
    if (!Number.isNaN(date)) return Math.max(0, date - now)
  }
  return null
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

function processError(
  answer: Extract<HttpAnswer, { kind: 'answer' }>,
  json: Json | null,
  context: AnswerContext,
): TokenAnswer {
  const { status, headers } = answer
  const waitMs = retryAfterMs(headers, context.now)
  const facts = { status, json, headers, context }
  if (status >= 300 && status < 400) {
    return { kind: 'error', verdict: 'keep', error: redirected(status), retryAfterMs: null }
  }
  const code = feishuCodeOf(json)
  const known = code === null ? null : feishuError(code)
  if (known)
    return { kind: 'error', verdict: known.verdict, error: knownError(known, facts), retryAfterMs: waitMs }
  const error = answerError(facts)
  if (status === 429 || status === 503)
    return { kind: 'error', verdict: 'retry', error, retryAfterMs: waitMs }
  if (json && (status >= 400 || json.error !== undefined || (code !== null && code !== 0))) {
    const transient = json.error === 'server_error' || json.error === 'temporarily_unavailable'
    if (status < 500 || code !== null || transient) {
      return { kind: 'error', verdict: transient ? 'retry' : 'keep', error, retryAfterMs: waitMs }
    }
  }
  // A 4xx that is not JSON comes from a wrong address or a proxy: the token endpoint has not seen the token.
  if (!json && status >= 400 && status < 500)
    return { kind: 'error', verdict: 'keep', error, retryAfterMs: null }
  return { kind: 'ambiguous', error }
}

type AnswerFacts = {
  status: number
  json: Json | null
  headers: Record<string, string>
  context: AnswerContext
}

function redirected(status: number): AuthError {
  return new AuthError(
    'unexpected_response',
    `The token endpoint answered with a redirect (HTTP ${status}), which is never followed.`,
    {
      nextStep:
        'Check FEISHU_OPEN_URL, and whether a proxy or captive portal stands between; nothing was lost.',
    },
  )
}

function knownError(known: FeishuError, facts: AnswerFacts): AuthError {
  const { context, json, headers } = facts
  const code = feishuCodeOf(json)
  const said = untrusted(
    json?.error_description ?? json?.msg,
    context.secrets.map((secret) => secret.reveal()),
  )
  const console = consoleUrl(known, {
    open: context.endpoints.open,
    appId: context.appId,
    scopes: context.scopes,
  })
  const challenge = known.code === 'challenge_required' ? challengeUrl(json, context) : null
  const where = challenge ?? console
  return new AuthError(
    known.code,
    `Feishu answered ${code}: ${known.cause.en}${said ? ` ("${said}")` : ''}.`,
    {
      nextStep: `${known.remedy.en}${where ? `: ${where}` : ''}.`,
      feishuCode: code,
      logId: logIdOf(headers),
    },
  )
}

/** Shown only if it is https on one of the brand's hosts: an answer may not send a person anywhere else. */
function challengeUrl(json: Json | null, context: AnswerContext): string | null {
  const value = json?.challenge_url
  if (typeof value !== 'string' || value.length > 2048 || !URL.canParse(value)) return null
  const url = new URL(value)
  if (url.protocol !== 'https:' || url.username || url.password) return null
  const sites = [context.endpoints.open, context.endpoints.accounts].map((origin) => new URL(origin).hostname)
  const ours = sites.some((host) => {
    const site = host.split('.').slice(-2).join('.')
    return url.hostname === host || url.hostname === site || url.hostname.endsWith(`.${site}`)
  })
  return ours ? url.href : null
}

const RFC_CODES = [
  'invalid_client',
  'unauthorized_client',
  'invalid_scope',
  'server_error',
  'temporarily_unavailable',
] as const

function answerError({ status, json, headers, context }: AnswerFacts): AuthError {
  const secrets = context.secrets.map((secret) => secret.reveal())
  const name = RFC_CODES.find((candidate) => candidate === json?.error)
  const code =
    status === 429
      ? 'rate_limited'
      : (name ?? (status === 503 ? 'temporarily_unavailable' : 'unexpected_response'))
  const said = untrusted(json?.error_description ?? json?.msg ?? json?.error, secrets)
  const shape = json
    ? 'JSON without a token'
    : 'no JSON (a proxy, a captive portal or a wrong address may stand between)'
  return new AuthError(
    code,
    `The token endpoint answered HTTP ${status} with ${shape}${said ? `: "${said}"` : ''}.`,
    {
      nextStep: 'Try again in a minute; if it stays so, check FEISHU_OPEN_URL and the network between.',
      feishuCode: feishuCodeOf(json),
      logId: logIdOf(headers),
    },
  )
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
