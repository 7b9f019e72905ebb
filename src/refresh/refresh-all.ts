// Refreshes every profile that is due, for cron: in no order, each in a slot of its app's pace.

import { join } from 'node:path'
import { type App, type KeptApps, profileNames, readKeptApps, resolveApp } from '../app/app.ts'
import type { Deps, RefreshResult } from '../deps.ts'
import { CodedError, type ErrorCode, toCodedError } from '../errors.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'
import { nextStep } from '../oauth/token-set.ts'
import { say } from '../sentence.ts'
import { acquireLock } from '../store/lock.ts'
import { refreshToken } from './refresh.ts'

export type ProfileOutcome =
  | { profile: string; result: RefreshResult; error: null }
  | { profile: string; result: null; error: CodedError }

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

/** Refreshes all profiles that are due, or `force`d. */
export async function refreshAll(deps: Deps, options: { force: boolean }): Promise<RefreshAllResult> {
  const apps = await readKeptApps(deps).catch(() => undefined)
  const names = await profileNames(deps, deps.config.profile, apps ?? {})
  const waiting = shuffled(names)
  const outcomes = new Map<string, ProfileOutcome | null>()
  let failures = 0

  async function work(): Promise<void> {
    for (let profile = waiting.pop(); profile !== undefined; profile = waiting.pop()) {
      const outcome = await refreshOne(deps, profile, apps, options)
      if (deps.closing.aborted && outcome?.error === deps.closing.reason) {
        waiting.push(profile)
        return
      }
      outcomes.set(profile, outcome)
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
  { force }: { force: boolean },
): Promise<ProfileOutcome | null> {
  try {
    const app = await resolveApp(deps, profile, apps)
    const wanted = async () => (force ? isAuthorized(deps, app) : isDue(deps, app))
    if (!(await wanted())) return null
    deps.closing.throwIfAborted()
    const slotAt = await takeSlot(deps, app.id)
    await deps.clock.sleep(slotAt - deps.clock.now(), deps.closing)
    // Another job may have come first meanwhile.
    if (!(await wanted())) return null
    return { profile, result: await refreshToken(deps, { profile, force: true }), error: null }
  } catch (error) {
    const known = toCodedError(error)
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
  const step = nextStep(tokenSet, deps.clock.remainingMs(record, app.key), deps.config.refreshMarginMs)
  if (step !== 'use') return step === 'refresh'
  const endsAt = tokenSet?.refreshTokenExpiresAt ?? null
  return endsAt !== null && endsAt - deps.clock.now() < KEEP_ALIVE_MS
}

/**
 * Feishu allows an app 50 requests a second and 1,000 a minute; half of that is ours, the rest is left to the programs
 * at work. A refresh sends two requests at most, so four slots a second at most keep under 500 a minute whatever is
 * answered, and leave some for those that met another process's lock and were late.
 */
export const SLOT_MS = 250
/** Each slot is up to this part longer, so that several machines do not march in step. */
const JITTER = 0.5
/** More than any number of waiting processes: a slot beyond it was noted by a clock that has been set back since. */
const FARTHEST_MS = 60_000
/** A slot is noted in a millisecond; ten seconds mean that something hangs. */
const PACE_LOCK_MS = 10_000

/** Takes the next free slot of an app; resolves to when it begins, by the wall clock. */
export async function takeSlot(deps: Deps, { brand, appId }: App['id']): Promise<number> {
  const { tokenDir } = deps.config
  ensureOwnDirectory(tokenDir)
  const lock = await acquireLock(join(tokenDir, `pace-${brand}-${appId}.lock`), PACE_LOCK_MS, deps.clock.now)
  if (lock?.kind !== 'held') {
    throw new CodedError(
      'store_locked',
      say`Process ${lock?.pid ?? say`unknown`} keeps the pace file locked.`,
      {
        nextStep: say`Check that process and end it, then try again.`,
      },
    )
  }
  try {
    const now = deps.clock.now()
    const noted = Number(lock.left?.note.nextAt ?? 0)
    const at = noted > now && noted - now <= FARTHEST_MS ? noted : now
    lock.describe({ nextAt: at + Math.ceil(SLOT_MS * (1 + Math.random() * JITTER)) })
    return at
  } finally {
    lock.release()
  }
}
