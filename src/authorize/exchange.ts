// From an authorization code to tokens. A code works once and lives five minutes.

import type { App } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import type { PendingAuthorization } from '../oauth/pending-authorization.ts'
import type { TokenAnswer } from '../oauth/token-answer.ts'
import { authorizationCodeGrantRequest, processTokenAnswer } from '../oauth/token-endpoint.ts'
import { nextTokenSet, type TokenResponse } from '../oauth/token-response.ts'
import type { TokenRecord, TokenSet } from '../oauth/token-set.ts'
import type { Secret } from '../secret.ts'
import { call, type Sentence, say } from '../sentence.ts'

/** All attempts together: Feishu answers in well under a second. With the lock and `user_info` under 25 s. */
const EXCHANGE_MS = 8_000
/** An answer that consumed nothing (20050, 20072, 429), or no connection: once more, after this. */
const PAUSE_MS = 500
const MAX_EXCHANGES = 2
/** Less is no time for another attempt. */
const ATTEMPT_MS = 1_000

/** What is left to do when a code was of no use. */
export const AGAIN: Sentence = say`${call('start_authorization')} again.`

/** The authorization code grant: presents the code, once more where that is known to do no harm. */
export async function exchangeCode(
  deps: Deps,
  app: App,
  pending: PendingAuthorization,
  code: Secret,
): Promise<TokenResponse> {
  const url = app.endpoints.token[deps.config.tokenEndpoint]
  const grant = { code, redirectUri: pending.redirectUri, codeVerifier: pending.codeVerifier }
  const account = { key: app.key, forced: false }
  const endsAt = deps.clock.elapsed() + EXCHANGE_MS
  for (let attempt = 1; ; attempt += 1) {
    const deadlineMs = endsAt - deps.clock.elapsed()
    const answer = await deps.request(
      authorizationCodeGrantRequest(url, app.client, grant, { deadlineMs, account }),
    )
    const context = {
      endpoints: app.endpoints,
      appId: app.id.appId,
      scopes: pending.scopes,
      now: deps.clock.now(),
      secrets: [code, pending.codeVerifier, pending.state, app.client.appSecret],
    }
    const result = processTokenAnswer(answer, context, null)
    if (result.kind === 'tokens') return usableTokens(result)
    const pauseMs = pauseBeforeRepeat(result)
    const leftMs = endsAt - deps.clock.elapsed()
    if (pauseMs === null || attempt >= MAX_EXCHANGES || leftMs < pauseMs + ATTEMPT_MS) throw failureOf(result)
    await deps.clock.sleep(pauseMs)
  }
}

function failureOf(result: Exclude<TokenAnswer, { kind: 'tokens' }>): CodedError {
  const { error } = result
  if (result.kind !== 'ambiguous') return error
  return new CodedError(error.code, say`The code was sent, but no usable answer came: ${error.said}`, {
    ...error,
    nextStep: error.step,
  })
}

/** How long to wait before the code may be presented again; null: it may be spent, or nothing would change. */
function pauseBeforeRepeat(result: TokenAnswer): number | null {
  if (result.kind === 'unsent') return PAUSE_MS
  return result.kind === 'error' && result.verdict === 'retry' ? (result.retryAfterMs ?? PAUSE_MS) : null
}

/** The tokens, if the answer is whole and right. */
export function usableTokens(result: Extract<TokenAnswer, { kind: 'tokens' }>): TokenResponse {
  if (result.response.problem === null) return result.response
  throw new CodedError(
    'unexpected_response',
    say`Feishu's answer is not usable: ${result.response.problem}.`,
    {
      nextStep: AGAIN,
      logId: result.logId,
    },
  )
}

/** The token set that an authorization has brought, as it waits to be put into force. */
export function toRecord(deps: Deps, pending: PendingAuthorization, response: TokenResponse): TokenRecord {
  const now = deps.clock.now()
  const blank: TokenSet = {
    accessToken: null,
    accessTokenExpiresAt: 0,
    accessTokenLifetimeMs: 0,
    refreshToken: null,
    refreshTokenExpiresAt: null,
    refreshTokenDoubtful: false,
    refusal: null,
    scopes: pending.scopes,
    requestedScopes: pending.scopes,
    user: null,
    authorizedAt: now,
    issuedAt: now,
    refreshedAt: null,
    endpoint: deps.config.tokenEndpoint,
    authorizationId: pending.id,
    lifetimeAssumed: false,
    clockSkewMs: null,
  }
  return { generation: 0, tokenSet: nextTokenSet(response, blank, now) }
}
