// Answers of the token endpoint, and what is read from them.

import { endpointsOf } from '../../src/oauth/feishu.ts'
import type { HttpAnswer } from '../../src/oauth/http.ts'
import type { AnswerContext, TokenAnswer } from '../../src/oauth/token-answer.ts'
import { processTokenAnswer } from '../../src/oauth/token-endpoint.ts'
import type { TokenResponse } from '../../src/oauth/token-response.ts'
import { Secret } from '../../src/secret.ts'
import { ISSUED_AT } from '../support/token-set.ts'

/** The refresh token that was presented. */
export const SENT: Secret = new Secret('refresh-token-that-was-sent')
export const CONTEXT: AnswerContext = {
  endpoints: endpointsOf('feishu', { accountsUrl: null, openUrl: null }),
  appId: 'cli_a1',
  scopes: ['docx:document'],
  now: ISSUED_AT,
  secrets: [SENT, new Secret('app-secret-4711')],
}
/** A flawless answer. */
export const GOOD = {
  code: 0,
  access_token: 'eyJ.access.token',
  expires_in: 6871,
  refresh_token: 'eyJ.fresh.token',
  refresh_token_expires_in: 600_011,
  scope: 'docx:document offline_access',
  token_type: 'Bearer',
}

/** Any answer, as the transport hands it over. */
export function answerOf(body: unknown, status = 200, headers: Record<string, string> = {}): HttpAnswer {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return { kind: 'answer', status, headers, body: bytes }
}

/** What the program makes of an answer. */
export function read(body: unknown, status = 200, headers: Record<string, string> = {}): TokenAnswer {
  return processTokenAnswer(answerOf(body, status, headers), CONTEXT, SENT)
}

/** The tokens that were found; fails where there are none. */
export function tokensOf(result: TokenAnswer): TokenResponse {
  if (result.kind === 'tokens') return result.response
  throw new Error(`no tokens: ${result.kind} ${result.error.message}`)
}
