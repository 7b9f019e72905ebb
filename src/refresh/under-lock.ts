// A refresh under the profile's lock: whether it is still needed, whether it may be made now, and what came of it.

import type { App } from '../app/app.ts'
import { fetchUser } from '../app/user.ts'
import type { Deps, RefreshResult } from '../deps.ts'
import { CodedError, describeError, toCodedError } from '../errors.ts'
import { canRefresh, type TokenRecord } from '../oauth/token-set.ts'
import { type Sentence, say } from '../sentence.ts'
import type { LockedProfile } from '../store/token-store.ts'
import { type RefreshCall, resultOf, stepOf } from './due.ts'
import {
  type Attempt,
  FORCED_MS,
  forcedLately,
  MAX_COOLDOWN_MS,
  type Presented,
  presentRefreshToken,
  SHORTEST_ATTEMPT_MS,
  timeLeftMs,
  waitStep,
} from './presentation.ts'
import { cannotRefresh, notAuthorized } from './reasons.ts'

/** More forced refreshes of one profile in a minute are a loop, not a wish. */
const MAX_FORCED_PER_MINUTE = 60

/** What a call does once it has the lock. */
export async function refreshLocked(
  deps: Deps,
  app: App,
  locked: LockedProfile,
  call: RefreshCall,
): Promise<RefreshResult> {
  const record = await locked.read()
  const { tokenSet } = record
  if (!tokenSet) throw await notAuthorized(deps, app)
  const moved = record.generation > call.seen.generation
  if (moved && deps.clock.remainingMs(record, app.key) > 0) {
    return resultOf(deps, app, 'refreshed_elsewhere', record)
  }
  const unneeded = stepOf(deps, app, record) === 'use'
  if (unneeded && !call.force) return resultOf(deps, app, 'still_valid', record)
  const { refreshToken } = tokenSet
  if (!refreshToken || !canRefresh(tokenSet)) throw cannotRefresh(tokenSet)
  deps.closing.throwIfAborted()
  const { startedAt } = call
  const attempt = { app, locked, record, tokenSet, refreshToken, unneeded, startedAt }
  await checkPace(deps, attempt)
  return judgeOutcome(deps, attempt, await presentRefreshToken(deps, attempt))
}

/** Feishu's pauses bind every process; our own limit stops a looping assistant, never a refresh that is due. */
async function checkPace(deps: Deps, { app, locked, tokenSet, unneeded }: Attempt): Promise<void> {
  const now = deps.clock.now()
  const until = (await locked.readJournal())?.cooldownUntil ?? 0
  // A pause that ends later than any may was noted by a clock that has been set back since.
  if (until > now && until - now <= MAX_COOLDOWN_MS)
    throw rateLimited(say`Feishu asked for a pause`, until - now)
  if (!unneeded) return
  const calls = deps.activity.callsSince(app.key, now - FORCED_MS).filter((call) => call.forced)
  // The record knows those that were kept, the activity log also those that failed; it may not be writable.
  const counts = [tokenSet.forcedAt ?? [], calls.map((call) => Date.parse(call.at))]
  const at = Math.max(...counts.map((at) => forcedLately(at, now).at(-MAX_FORCED_PER_MINUTE) ?? 0))
  if (at === 0) return
  const waitMs = at + FORCED_MS - now
  throw rateLimited(say`this profile was refreshed ${MAX_FORCED_PER_MINUTE} times within a minute`, waitMs)
}

async function judgeOutcome(deps: Deps, attempt: Attempt, outcome: Presented): Promise<RefreshResult> {
  const { app } = attempt
  if (outcome.kind === 'failed') throw outcome.error
  if (outcome.kind === 'refused') throw cannotRefresh(outcome.tokenSet)
  if (outcome.kind === 'overtaken') return resultOf(deps, app, 'refreshed_elsewhere', outcome.record)
  const record = await fillInUser(deps, attempt, outcome.record)
  // The token is stored: it is told, also where what delivers copies cannot be loaded any more.
  const undelivered = (error: unknown) => {
    deps.log('warn', describeError(toCodedError(error)))
    return []
  }
  const deliveries = record.tokenSet ? await deps.deliver(app.id, record.tokenSet).catch(undelivered) : []
  return resultOf(deps, app, 'refreshed', record, deliveries)
}

/** The person may have stayed unknown at the authorization; a refresh is the time to ask again. */
async function fillInUser(deps: Deps, attempt: Attempt, record: TokenRecord): Promise<TokenRecord> {
  const { app, locked, startedAt } = attempt
  const { tokenSet } = record
  if (!tokenSet?.accessToken || tokenSet.user || deps.store.isUnsaved(app.id)) return record
  if (timeLeftMs(deps, startedAt) < SHORTEST_ATTEMPT_MS) return record
  const user = await fetchUser(deps, app, tokenSet.accessToken).catch(() => null)
  if (!user) return record
  const named = { ...record, tokenSet: { ...tokenSet, user } }
  // Not worth more than the token: a lease may have run out meanwhile.
  return locked.commit(named, record.generation).then(
    () => named,
    () => record,
  )
}

function rateLimited(why: Sentence, waitMs: number): CodedError {
  return new CodedError('rate_limited', say`Not refreshed: ${why}.`, { nextStep: waitStep(waitMs) })
}
