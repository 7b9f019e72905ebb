// The one place that spends a refresh token.
//
// A refresh token works once. So: one process at a time (the profile's lock), which first reads again what is stored;
// the intent on disk before the request; the answer on disk before it is judged; and when an answer is lost, at most
// two presentations of one token, counted over all processes and crashes (presentation.ts). If in doubt, nothing is deleted.

import { type App, likelyMeant, otherwiseKnown, resolveApp } from '../app/app.ts'
import { fetchUser } from '../app/user.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Deps, RefreshResult } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { canRefresh, nextStep, type TokenRecord, type TokenSet } from '../oauth/token-set.ts'
import { DEFAULT_PROFILE } from '../profile.ts'
import { call, type Sentence, say, toolsOnly } from '../sentence.ts'
import { LOCK_MS, type LockedProfile } from '../store/token-store.ts'
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

/** More forced refreshes of one profile in a minute are a loop, not a wish. */
const MAX_FORCED_PER_MINUTE = 60

/** Refreshes the stored token set of a profile if it is due, or `force`d. Calls that meet share one request. */
export async function refreshToken(
  deps: Deps,
  options: { profile: string; force: boolean },
): Promise<RefreshResult> {
  const startedAt = deps.clock.elapsed()
  const app = await resolveApp(deps, options.profile)
  const seen = await deps.store.read(app.id)
  if (!options.force && stepOf(deps, app, seen) === 'use') return answer(deps, app, 'still_valid', seen)
  const { refreshes } = deps.underWay
  const running = refreshes.get(app.key)
  if (running) return running
  const refresh = lockAndRefresh(deps, app, { seen, force: options.force, startedAt })
  const shared = refresh.finally(() => refreshes.delete(app.key))
  refreshes.set(app.key, shared)
  return shared
}

/** One call, under way. */
type RefreshCall = { seen: TokenRecord; force: boolean; startedAt: number }

function stepOf(deps: Deps, app: App, record: TokenRecord): ReturnType<typeof nextStep> {
  return nextStep(record.tokenSet, deps.clock.remainingMs(record, app.key), deps.config.refreshMarginMs)
}

function answer(
  deps: Deps,
  app: App,
  status: RefreshResult['status'],
  record: TokenRecord,
  deliveries: Delivery[] = [],
): RefreshResult {
  const remainingMs = deps.clock.remainingMs(record, app.key)
  return { status, record, remainingMs, persisted: !deps.store.isUnsaved(app.id), deliveries }
}

async function lockAndRefresh(deps: Deps, app: App, call: RefreshCall): Promise<RefreshResult> {
  try {
    return await deps.store.withLock(app.id, LOCK_MS, (locked) => refreshLocked(deps, app, locked, call))
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'store_locked') throw error
    // Whoever holds the lock may have stored the new token already.
    const record = await deps.store.read(app.id)
    const moved = record.generation > call.seen.generation
    const usable = deps.clock.remainingMs(record, app.key) > 0
    if (!usable || (call.force && !moved)) throw error
    return answer(deps, app, moved ? 'refreshed_elsewhere' : 'still_valid', record)
  }
}

async function refreshLocked(
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
    return answer(deps, app, 'refreshed_elsewhere', record)
  }
  const unneeded = stepOf(deps, app, record) === 'use'
  if (unneeded && !call.force) return answer(deps, app, 'still_valid', record)
  const { refreshToken } = tokenSet
  if (!refreshToken || !canRefresh(tokenSet)) throw cannotRefresh(tokenSet)
  deps.closing.throwIfAborted()
  const { startedAt } = call
  const attempt = { app, locked, record, tokenSet, refreshToken, unneeded, startedAt }
  await checkPace(deps, attempt)
  return judgeOutcome(deps, app, locked, call, await presentRefreshToken(deps, attempt))
}

/** Feishu's pauses bind every process; our own limit stops a looping assistant, never a refresh that is due. */
async function checkPace(
  deps: Deps,
  { app, locked, tokenSet, unneeded }: Pick<Attempt, 'app' | 'locked' | 'tokenSet' | 'unneeded'>,
): Promise<void> {
  const now = deps.clock.now()
  const until = (await locked.readJournal())?.cooldownUntil ?? 0
  // A pause that ends later than any may was noted by a clock that has been set back since.
  if (until > now && until - now <= MAX_COOLDOWN_MS)
    throw rateLimited(say`Feishu asked for a pause`, until - now)
  if (!unneeded) return
  const calls = deps.activity.callsSince(app.key, now - FORCED_MS).filter((call) => call.forced)
  // The record knows those that were kept, the activity log also those that failed; it may not be writable.
  const counts = [tokenSet.forcedAt ?? [], calls.map((call) => Date.parse(call.at))]
  const oldest = counts.map((at) => forcedLately(at, now).at(-MAX_FORCED_PER_MINUTE) ?? null)
  const at = Math.max(...oldest.map((instant) => instant ?? 0))
  if (at === 0) return
  const waitMs = at + FORCED_MS - now
  throw rateLimited(say`this profile was refreshed ${MAX_FORCED_PER_MINUTE} times within a minute`, waitMs)
}

async function judgeOutcome(
  deps: Deps,
  app: App,
  locked: LockedProfile,
  call: RefreshCall,
  outcome: Presented,
): Promise<RefreshResult> {
  if (outcome.kind === 'failed') throw outcome.error
  if (outcome.kind === 'refused') throw cannotRefresh(outcome.tokenSet)
  if (outcome.kind === 'overtaken') return answer(deps, app, 'refreshed_elsewhere', outcome.record)
  const record = await fillInUser(deps, app, locked, call, outcome.record)
  const deliveries = record.tokenSet ? await deps.deliver(app.id, record.tokenSet) : []
  return answer(deps, app, 'refreshed', record, deliveries)
}

/** The person may have stayed unknown at the authorization; a refresh is the time to ask again. */
async function fillInUser(
  deps: Deps,
  app: App,
  locked: LockedProfile,
  call: RefreshCall,
  record: TokenRecord,
): Promise<TokenRecord> {
  const { tokenSet } = record
  if (!tokenSet?.accessToken || tokenSet.user || deps.store.isUnsaved(app.id)) return record
  if (timeLeftMs(deps, call.startedAt) < SHORTEST_ATTEMPT_MS) return record
  const user = await fetchUser(deps, app, tokenSet.accessToken).catch(() => null)
  if (!user) return record
  const named = { ...record, tokenSet: { ...tokenSet, user } }
  // Not worth more than the token: a lease may have run out meanwhile.
  return locked.commit(named, record.generation).then(
    () => named,
    () => record,
  )
}

const AUTHORIZE = say`${call('start_authorization')} so that the person approves again.`

/** There is no token set: what to do, and whether there is one of another app. */
export async function notAuthorized(deps: Deps, app: App): Promise<CodedError> {
  const { profile, appId } = app.id
  const others = await deps.store.otherApps(app.id)
  const meant = await likelyMeant(deps, profile)
  const none = say`Profile "${profile}" of app ${appId} has no token yet.`
  // A terminal does not know which profile the client's config names.
  const option = profile === DEFAULT_PROFILE ? '' : ` --profile ${profile}`
  const orRun = toolsOnly(say` (or run \`${deps.command} login${option}\`)`)
  const start = say`${call('start_authorization')}${orRun}`
  if (meant.length > 0) {
    return new CodedError('not_authorized', none, { nextStep: otherwiseKnown(meant, start) })
  }
  return new CodedError(
    'not_authorized',
    others.length > 0 ? say`${none} There is one of another app (${others.join(', ')}).` : none,
    {
      nextStep:
        others.length > 0
          ? say`Check FEISHU_APP_ID and FEISHU_BRAND, or ${call('start_authorization')}${orRun}.`
          : say`${start}.`,
    },
  )
}

/** Why a token set cannot be refreshed any more, from what was stored when that became known. */
export function cannotRefresh(tokenSet: TokenSet): CodedError {
  const { refusal } = tokenSet
  if (!refusal) {
    return new CodedError('no_refresh_token', say`Feishu gave no refresh token at the last authorization.`, {
      nextStep: say`Enable offline_access for the app, switch on Refresh user_access_token (刷新 user_access_token) in its Security
          Settings (安全设置), publish a version (版本管理与发布), then ${call('start_authorization')}.`,
    })
  }
  const details = { nextStep: AUTHORIZE, feishuCode: refusal.feishuCode, logId: refusal.logId }
  const at = (instant: number | null) => new Date(instant ?? refusal.at).toISOString()
  if (refusal.reason === 'outdated') {
    return new CodedError(
      'refresh_uncertain',
      say`The stored token set is an older copy that was put back: its refresh token has been used since.`,
      details,
    )
  }
  if (refusal.reason === 'logout') {
    const nextStep = say`Log out again, or ${call('start_authorization')} so that the person approves again.`
    return new CodedError('not_authorized', say`The logout of ${at(null)} was interrupted.`, { nextStep })
  }
  if (refusal.reason === 'leaving') return leavingError(refusal.renamedTo)
  if (refusal.reason === 'lost') {
    return new CodedError(
      'refresh_uncertain',
      refusal.answered === undefined
        ? say`The refresh of ${at(refusal.lostAt)} was interrupted and its answer lost; the token could not be recovered.`
        : say`The answer to the refresh of ${at(refusal.lostAt)} was lost; in its place came HTTP ${refusal.answered} without a token, as a captive portal or a proxy sends it.`,
      details,
    )
  }
  return new CodedError(
    refusal.code,
    refusal.feishuCode === null
      ? say`Feishu refused the refresh token at ${at(refusal.at)}.`
      : say`Feishu refused the refresh token with ${refusal.feishuCode} at ${at(refusal.at)}.`,
    details,
  )
}

function leavingError(renamedTo: string | undefined): CodedError {
  if (renamedTo !== undefined) {
    return new CodedError(
      'config_invalid',
      say`The profile was being renamed to "${renamedTo}" when that was interrupted.`,
      { nextStep: say`Run the same \`profile rename\` again.` },
    )
  }
  return new CodedError(
    'config_invalid',
    say`The token was being moved to another store when that was interrupted.`,
    { nextStep: say`Run the same \`store copy\` again.` },
  )
}

function rateLimited(why: Sentence, waitMs: number): CodedError {
  return new CodedError('rate_limited', say`Not refreshed: ${why}.`, { nextStep: waitStep(waitMs) })
}
