// Refreshes every profile that is due, for cron: in no order, each in a slot of its app's pace.

import { toAuthError } from './answers.ts'
import { type App, type KeptApps, profileNames, readKeptApps, resolveApp } from './app.ts'
import type { Deps } from './deps.ts'
import type { AuthError, ErrorCode } from './errors.ts'
import { nextStep } from './oauth/token-set.ts'
import { takeSlot } from './pace.ts'
import { type RefreshResult, refreshToken } from './refresh.ts'

export type ProfileOutcome =
  | { profile: string; result: RefreshResult; error: null }
  | { profile: string; result: null; error: AuthError }

export type RefreshAllResult = {
  /** Those that were due, in the order of their names. */
  outcomes: ProfileOutcome[]
  /** How many were not looked at, because Feishu could not be had. */
  left: number
}

/** A day before its end a refresh token is used, even if the access token is not: a rest of a week must not kill it. */
const KEEP_ALIVE_MS = 86_400_000 * 6
/** At once: enough to use every slot while Feishu takes a second to answer, and no more connections than a browser. */
const WORKERS = 4
/** So many failures in a row that are not the profile's own mean that the rest would fail too. */
const MAX_FAILURES = 10
const FEISHU_AWAY: readonly ErrorCode[] = [
  'network_error',
  'tls_error',
  'server_error',
  'temporarily_unavailable',
  'rate_limited',
]

/** Refreshes all profiles that are due, or `force`d. `waitUntil` sleeps until an instant of the wall clock. */
export async function refreshAll(
  deps: Deps,
  options: { force: boolean; waitUntil: (at: number) => Promise<void> },
): Promise<RefreshAllResult> {
  const apps = await readKeptApps(deps).catch(() => undefined)
  const names = await profileNames(deps, deps.config.profile, apps ?? {})
  const waiting = shuffled(names)
  const outcomes = new Map<string, ProfileOutcome>()
  let failures = 0

  async function work(): Promise<void> {
    for (let profile = waiting.pop(); profile !== undefined; profile = waiting.pop()) {
      const outcome = await refreshOne(deps, profile, apps, options)
      if (outcome) outcomes.set(profile, outcome)
      if (outcome?.error && FEISHU_AWAY.includes(outcome.error.code)) failures += 1
      else if (outcome) failures = 0
      if (failures >= MAX_FAILURES) return
    }
  }

  await Promise.all(Array.from({ length: WORKERS }, work))
  return { outcomes: names.flatMap((name) => outcomes.get(name) ?? []), left: waiting.length }
}

/** Two jobs that begin together shall not go for the same profiles. */
function shuffled(names: readonly string[]): string[] {
  const keyed = names.map((name) => ({ name, key: Math.random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ name }) => name)
}

/** Null: nothing was to be done. */
async function refreshOne(
  deps: Deps,
  profile: string,
  apps: KeptApps | undefined,
  { force, waitUntil }: { force: boolean; waitUntil: (at: number) => Promise<void> },
): Promise<ProfileOutcome | null> {
  try {
    const app = await resolveApp(deps, profile, apps)
    const wanted = async () => (force ? isAuthorized(deps, app) : isDue(deps, app))
    if (!(await wanted())) return null
    await waitUntil(await takeSlot(deps, app.id))
    // Another job may have come first meanwhile.
    if (!(await wanted())) return null
    return { profile, result: await refreshToken(deps, { profile, force: true }), error: null }
  } catch (error) {
    const known = toAuthError(error)
    return known.code === 'not_authorized' ? null : { profile, result: null, error: known }
  }
}

async function isAuthorized(deps: Deps, app: App): Promise<boolean> {
  return (await deps.store.read(app.id)).tokenSet !== null
}

/** Due: the access token needs it, or the refresh token was not used for a day. */
async function isDue(deps: Deps, app: App): Promise<boolean> {
  const record = await deps.store.read(app.id)
  const { tokenSet } = record
  if (!tokenSet) return false
  const step = nextStep(tokenSet, deps.clock.remainingMs(record, app.key), deps.config.refreshMarginMs)
  if (step !== 'use') return step === 'refresh'
  const endsAt = tokenSet.refreshTokenExpiresAt
  return endsAt !== null && endsAt - deps.clock.now() < KEEP_ALIVE_MS
}
