// The token endpoint: what is sent, and what kind of answer came (RFC 6749 §4.1.3, §5, §6, in Feishu's dialect).

import type { AuthError } from '../errors.ts'
import type { Secret } from '../secret.ts'
import { logIdOf, parseObject } from './answer.ts'
import { processErrorResponse } from './error-response.ts'
import type { Endpoints } from './feishu.ts'
import type { Verdict } from './feishu-errors.ts'
import { readTokenResponse, type TokenResponse } from './token-response.ts'

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

/** What came back: a whole answer, or why there is none, and whether the bytes of a request with a body had gone out. */
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

/**
 * Reads an answer of the token endpoint. A new refresh token counts whatever else is wrong with the answer: it is the
 * only copy in the world. `sentToken` is the one that was presented: an answer that echoes it brings nothing.
 */
export function processTokenAnswer(
  answer: HttpAnswer,
  context: AnswerContext,
  sentToken: Secret | null,
): TokenAnswer {
  if (answer.kind === 'failure') return processFailure(answer, sentToken)
  const json = parseObject(answer.body)
  const response = readTokenResponse(answer, json, sentToken)
  if (response) return { kind: 'tokens', response, logId: logIdOf(answer.headers) }
  return processErrorResponse(answer, json, context)
}

function processFailure(
  failure: Extract<HttpAnswer, { kind: 'failure' }>,
  sentToken: Secret | null,
): TokenAnswer {
  if (!failure.sent) return { kind: 'unsent', error: failure.error }
  const cut = { status: 200, headers: {}, body: failure.partialBody }
  const response = readTokenResponse(cut, null, sentToken)
  return response ? { kind: 'tokens', response, logId: null } : { kind: 'ambiguous', error: failure.error }
}
