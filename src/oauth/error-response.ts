// What an answer of the token endpoint means that brings no tokens.

import { CodedError } from '../errors.ts'
import { say } from '../sentence.ts'
import { feishuCodeOf, type Json, logIdOf, retryAfterMs } from './answer.ts'
import { trustedUrl, untrusted, withoutSecrets } from './feishu.ts'
import { consoleUrl, type FeishuError, feishuError } from './feishu-errors.ts'
import type { AnswerContext, TokenAnswer } from './token-answer.ts'

/** Judges an answer without tokens (RFC 6749 §5.2): by Feishu's number, then by `error`, then by the HTTP status. */
export function processErrorResponse(
  answer: { status: number; headers: Record<string, string> },
  json: Json | null,
  context: AnswerContext,
): Extract<TokenAnswer, { kind: 'error' | 'foreign' | 'ambiguous' }> {
  const { status, headers } = answer
  const waitMs = retryAfterMs(headers, context.now)
  const facts = { status, json, headers, context }
  if (status >= 300 && status < 400) {
    return { kind: 'error', verdict: 'keep', error: redirected(status), retryAfterMs: null }
  }
  const code = feishuCodeOf(json)
  const known = feishuError(code ?? 0)
  if (known)
    return { kind: 'error', verdict: known.verdict, error: knownError(known, facts), retryAfterMs: waitMs }
  const error = answerError(facts)
  if (status === 429 || status === 503)
    return { kind: 'error', verdict: 'retry', error, retryAfterMs: waitMs }
  const refused = status >= 400 && status < 500
  if (refused && code === null && !ERRORS.includes(String(json?.error)))
    return { kind: 'foreign', error, status }
  const says = (json?.error ?? '') !== '' || (code ?? 0) !== 0
  if (json && (status >= 400 || says)) {
    const transient = json.error === 'server_error' || json.error === 'temporarily_unavailable'
    if (status < 500 || code !== null || transient) {
      return { kind: 'error', verdict: transient ? 'retry' : 'keep', error, retryAfterMs: waitMs }
    }
  }
  return { kind: 'ambiguous', error, status }
}

type AnswerFacts = {
  status: number
  json: Json | null
  headers: Record<string, string>
  context: AnswerContext
}

function redirected(status: number): CodedError {
  return new CodedError(
    'unexpected_response',
    say`The token endpoint answered with a redirect (HTTP ${status}), which is never followed.`,
    {
      nextStep: say`Check FEISHU_OPEN_URL, and whether a proxy or captive portal answers instead; nothing was lost.`,
    },
  )
}

function knownError(known: FeishuError, { context, json, headers }: AnswerFacts): CodedError {
  const { endpoints, appId, scopes } = context
  const code = feishuCodeOf(json)
  const secrets = context.secrets.map((secret) => secret.reveal())
  const said = untrusted(json?.error_description ?? json?.msg, secrets)
  const challenge = known.code === 'challenge_required' ? trustedUrl(json?.challenge_url, endpoints) : null
  const safe = challenge !== null && withoutSecrets(challenge, secrets) === challenge
  const where = safe ? challenge : consoleUrl(known, { open: endpoints.open, appId, scopes })
  return new CodedError(
    known.code,
    say`Feishu answered ${code ?? ''}: ${known.cause}${said ? say` ("${said}")` : ''}.`,
    {
      nextStep: say`${known.remedy}${where ? say`: ${where}` : ''}.`,
      feishuCode: code,
      logId: logIdOf(headers),
    },
  )
}

const RFC_CODES = [
  'invalid_client',
  'unauthorized_client',
  'invalid_scope',
  'server_error',
  'temporarily_unavailable',
] as const

/** What the token endpoint itself may say (RFC 6749 §5.2, RFC 8628 §3.5), were Feishu's number missing. */
const ERRORS: readonly string[] = [
  ...RFC_CODES,
  'invalid_request',
  'invalid_grant',
  'unsupported_grant_type',
  'authorization_pending',
  'slow_down',
  'access_denied',
  'expired_token',
]

function answerError({ status, json, headers, context }: AnswerFacts): CodedError {
  const secrets = context.secrets.map((secret) => secret.reveal())
  const name = RFC_CODES.find((candidate) => candidate === json?.error)
  const code =
    status === 429
      ? 'rate_limited'
      : (name ?? (status === 503 ? 'temporarily_unavailable' : 'unexpected_response'))
  const said = untrusted(json?.error_description ?? json?.msg ?? json?.error, secrets)
  const shape = json
    ? say`JSON without a token`
    : say`no JSON (perhaps from a proxy or a captive portal, or the address is wrong)`
  const number = feishuCodeOf(json)
  const message = number
    ? say`Feishu answered ${number}: a number that is not known here${said ? say` ("${said}")` : ''}.`
    : say`The token endpoint answered HTTP ${status} with ${shape}${said ? say`: "${said}"` : ''}.`
  return new CodedError(code, message, {
    nextStep: say`Try again in a minute; if that does not help, check FEISHU_OPEN_URL and the network between.`,
    feishuCode: number,
    logId: logIdOf(headers),
  })
}
