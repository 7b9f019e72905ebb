// The token endpoint: what is sent, and what kind of answer came (RFC 6749 §4.1.3, §5, §6, in Feishu's dialect).

import type { Secret } from '../secret.ts'
import { logIdOf, parseObject } from './answer.ts'
import { processErrorResponse } from './error-response.ts'
import type { ClientCredentials, HttpAnswer, HttpRequest, RequestOptions } from './http.ts'
import type { AnswerContext, TokenAnswer } from './token-answer.ts'
import { readTokenResponse } from './token-response.ts'

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
  return response
    ? { kind: 'tokens', response, logId: null }
    : { kind: 'ambiguous', error: failure.error, status: null }
}
