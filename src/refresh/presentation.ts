// The presentation of one refresh token: the intent on disk before the request, the answer on disk before it is judged.

import type { App } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError, THEN_TRY_AGAIN } from '../errors.ts'
import { REFRESH_TOKEN_USED } from '../oauth/feishu-numbers.ts'
import type { TokenAnswer } from '../oauth/token-answer.ts'
import { processTokenAnswer, refreshTokenGrantRequest } from '../oauth/token-endpoint.ts'
import { nextTokenSet } from '../oauth/token-response.ts'
import type { Refusal, TokenRecord, TokenSet } from '../oauth/token-set.ts'
import type { Secret } from '../secret.ts'
import { call, type Sentence, say } from '../sentence.ts'
import type { LockedProfile } from '../store/token-store.ts'

/**
 * How often one refresh token may be presented with an unknown outcome, all processes and crashes together.
 * Two: if Feishu had not rotated, the second wins the grant back; if it had, the grant is lost already. A third would
 * win nothing that the second did not, and looks to Feishu like a thief.
 */
const MAX_AMBIGUOUS = 2
/** Requests within one call, whatever the answers. */
const MAX_REQUESTS = 2
/** Any call ends within 30 seconds: this is when the network must be done, so that storing and delivering fit in. */
const CALL_MS = 26_000
/** One attempt: Feishu answers in well under a second; what takes longer than this does not come. */
const ATTEMPT_MS = 15_000
/** Less is not worth an attempt; kept back from the first one, so that a second is possible. */
export const SHORTEST_ATTEMPT_MS = 6_000
/** A refresh token is sent only with this much of its attempt left: an answer that no one waits for would be lost. */
const ANSWER_MS = 3_000
/** After 20050 and 20072, and between attempts to connect, where the answer names no pause. */
const PAUSE_MS = 400
/** A pause longer than this is not waited for within a call: the call says how long it is. */
const MAX_PAUSE_MS = 5_000
/** Attempts to connect when nothing was sent. */
const MAX_CONNECTS = 3
/** A pause that Feishu asks for without saying how long. */
const COOLDOWN_MS = 5_000
/** No pause binds longer than this: a mistaken header must not stop us for a day. */
export const MAX_COOLDOWN_MS = 3_600_000

/** Forced refreshes are counted over this. */
export const FORCED_MS = 60_000

/** Those of the last minute, oldest first: a clock that was set back makes others of no account. */
export function forcedLately(forcedAt: readonly number[], now: number): number[] {
  return forcedAt.filter((at) => at > now - FORCED_MS && at <= now)
}

/** What is presented, under which lock, since when. */
export type Attempt = {
  app: App
  locked: LockedProfile
  record: TokenRecord
  tokenSet: TokenSet
  refreshToken: Secret
  /** It was asked for although it was not due: it counts towards the limit of the minute. */
  unneeded: boolean
  /** When the call began, by the monotonic clock. */
  startedAt: number
}

export type Presented =
  /** The answer is stored, or kept in memory while the store cannot be written. */
  | { kind: 'kept'; record: TokenRecord }
  /** The token set is marked: a person must authorize again. */
  | { kind: 'refused'; tokenSet: TokenSet }
  /** Feishu refused the token, but someone has put a newer token set into the store meanwhile. */
  | { kind: 'overtaken'; record: TokenRecord }
  | { kind: 'failed'; error: CodedError }

/** How much of the call is left for the network. */
export function timeLeftMs(deps: Deps, startedAt: number): number {
  return CALL_MS - (deps.clock.elapsed() - startedAt)
}

/** Presents a refresh token (RFC 6749 §6), at most twice, and keeps whatever comes of it. */
export async function presentRefreshToken(deps: Deps, attempt: Attempt): Promise<Presented> {
  const { locked, refreshToken } = attempt
  for (let request = 1; ; request += 1) {
    const before = await locked.presentations(refreshToken)
    if (before.ambiguous >= MAX_AMBIGUOUS) return markRefused(deps, attempt, { lostAt: before.sentAt })
    const answer = await send(deps, attempt, request)
    if (answer.kind === 'tokens') return keep(deps, attempt, answer)
    if (answer.kind === 'unsent') {
      await locked.settle({})
      return { kind: 'failed', error: answer.error }
    }
    if (answer.kind === 'foreign' && !before.refusedByOthers) {
      await locked.settle({ refusedByOthers: true })
      return { kind: 'failed', error: answer.error }
    }
    if (answer.kind === 'ambiguous' || answer.kind === 'foreign') {
      const { ambiguous, sentAt } = await locked.presentations(refreshToken)
      if (ambiguous >= MAX_AMBIGUOUS)
        return markRefused(deps, attempt, { lostAt: sentAt, answered: answer.status ?? undefined })
      // Whoever refuses in Feishu's place refuses the replay, too.
      const again = answer.kind === 'ambiguous' && request < MAX_REQUESTS
      if (again && timeLeftMs(deps, attempt.startedAt) >= SHORTEST_ATTEMPT_MS) continue
      return { kind: 'failed', error: answer.error }
    }
    if (answer.verdict === 'reauthorize')
      return markRefused(deps, attempt, { lostAt: before.sentAt, error: answer.error })
    const failed = await pauseOrFail(deps, attempt, answer, request)
    if (failed) return failed
  }
}

/** Nothing was consumed. Resolves to null when the pause is over and the request is to be repeated. */
async function pauseOrFail(
  deps: Deps,
  { locked, startedAt }: Attempt,
  { verdict, error, retryAfterMs }: Extract<TokenAnswer, { kind: 'error' }>,
  request: number,
): Promise<Presented | null> {
  const pauseMs = retryAfterMs ?? PAUSE_MS
  const inTime = pauseMs <= MAX_PAUSE_MS && timeLeftMs(deps, startedAt) > pauseMs + SHORTEST_ATTEMPT_MS
  if (verdict === 'retry' && request < MAX_REQUESTS && inTime && !deps.closing.aborted) {
    await locked.settle({})
    await deps.clock.sleep(pauseMs, deps.closing)
    return deps.closing.aborted ? { kind: 'failed', error } : null
  }
  const limited = verdict === 'retry' && (error.code === 'rate_limited' || retryAfterMs !== null)
  if (!limited) {
    await locked.settle({})
    return { kind: 'failed', error }
  }
  const cooldownMs = Math.min(retryAfterMs ?? COOLDOWN_MS, MAX_COOLDOWN_MS)
  await locked.settle({ cooldownUntil: deps.clock.now() + cooldownMs })
  const { code, said, feishuCode, logId } = error
  const nextStep = waitStep(cooldownMs)
  return { kind: 'failed', error: new CodedError(code, said, { nextStep, feishuCode, logId }) }
}

/** The next step where only time helps. */
export function waitStep(waitMs: number): Sentence {
  return say`Wait ${Math.max(1, Math.ceil(waitMs / 1000))} s, then ${call('refresh_token')} again.`
}

function tooLate(): CodedError {
  return new CodedError('network_error', say`Too little time was left to wait for Feishu's answer.`, {
    nextStep: say`Check the network${THEN_TRY_AGAIN}.`,
  })
}

/** One request, after as many attempts to connect as there is time for. */
async function send(deps: Deps, attempt: Attempt, request: number): Promise<TokenAnswer> {
  const { app, locked, tokenSet, refreshToken, startedAt } = attempt
  await locked.prepare(refreshToken)
  for (let connect = 1; ; connect += 1) {
    const left = timeLeftMs(deps, startedAt)
    const share = left > 2 * SHORTEST_ATTEMPT_MS ? left - SHORTEST_ATTEMPT_MS : left
    const deadlineMs = Math.min(ATTEMPT_MS, share)
    if (deadlineMs < ANSWER_MS) return { kind: 'unsent', error: tooLate() }
    const begunAt = deps.clock.elapsed()
    const answer = await deps.request(
      refreshTokenGrantRequest(app.endpoints.token[tokenSet.endpoint], app.client, refreshToken, {
        deadlineMs,
        onSend: () => {
          // A replay belongs to what was sent; before the first byte of all nothing has begun.
          if (request === 1) deps.closing.throwIfAborted()
          // A slow connection, or a process that stood still, has used up the time.
          if (deps.clock.elapsed() - begunAt > deadlineMs - ANSWER_MS) throw tooLate()
          locked.markSent()
        },
        account: { key: app.key, forced: attempt.unneeded && request === 1 && connect === 1 },
      }),
    )
    const context = {
      endpoints: app.endpoints,
      appId: app.id.appId,
      scopes: tokenSet.requestedScopes,
      now: deps.clock.now(),
      secrets: [refreshToken, app.client.appSecret],
    }
    const result = processTokenAnswer(answer, context, refreshToken)
    const again = result.kind === 'unsent' && result.error.code === 'network_error' && connect < MAX_CONNECTS
    if (!again || deps.closing.aborted || timeLeftMs(deps, startedAt) < 2 * SHORTEST_ATTEMPT_MS) return result
    await deps.clock.sleep(PAUSE_MS * connect, deps.closing)
  }
}

/** Stores the answer first, and judges it then. */
async function keep(
  deps: Deps,
  { locked, record, tokenSet, unneeded }: Attempt,
  { response, logId }: Extract<TokenAnswer, { kind: 'tokens' }>,
): Promise<Presented> {
  const now = deps.clock.now()
  const forcedAt = [...forcedLately(tokenSet.forcedAt ?? [], now), ...(unneeded ? [now] : [])]
  const next = { ...nextTokenSet(response, tokenSet, now), refreshedAt: now, forcedAt }
  const kept = { generation: record.generation + 1, tokenSet: next }
  await locked.commit(kept, record.generation)
  if (response.problem === null) return { kind: 'kept', record: kept }
  const message = say`Feishu's answer was stored, but ${response.problem}.`
  const nextStep = say`${call('refresh_token')} again: the new refresh token is safe.`
  return { kind: 'failed', error: new CodedError('unexpected_response', message, { nextStep, logId }) }
}

/**
 * Marks this generation, and no other, as needing a person. Its access token stays in use while it lives.
 *
 * @param end.lostAt when an answer was lost that may have held the successor; null: none was
 * @param end.error what Feishu said; absent: nothing, the token was presented too often
 * @param end.answered the HTTP status of what came in place of Feishu's last answer; absent: nothing came
 */
async function markRefused(
  deps: Deps,
  { locked, record, tokenSet }: Attempt,
  { lostAt, error, answered }: { lostAt: number | null; error?: CodedError; answered?: number | undefined },
): Promise<Presented> {
  const feishuCode = error?.feishuCode ?? null
  const used = REFRESH_TOKEN_USED.includes(feishuCode ?? 0)
  const lost = error === undefined || (lostAt !== null && used)
  const refusal: Refusal = {
    reason: lost ? 'lost' : 'refused',
    at: deps.clock.now(),
    code: lost ? 'refresh_uncertain' : error.code,
    feishuCode,
    logId: error?.logId ?? null,
    lostAt,
    ...(answered === undefined ? {} : { answered }),
  }
  // What cannot be read now is replaced only if it is still of this generation: the store compares once more.
  const stored = await locked.read().catch(() => null)
  if (stored && stored.generation > record.generation) return { kind: 'overtaken', record: stored }
  const refused = { ...tokenSet, refusal }
  await locked.commit({ generation: record.generation, tokenSet: refused }, record.generation)
  return { kind: 'refused', tokenSet: refused }
}
