// The pace of `refresh --all`. All processes of this machine share one row of slots for each app, kept in a lock file.

import { join } from 'node:path'
import type { App } from './app.ts'
import type { Deps } from './deps.ts'
import { AuthError } from './errors.ts'
import { ensureOwnDirectory } from './files.ts'
import { acquireLock } from './store/lock.ts'

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
const LOCK_MS = 10_000

/** Takes the next free slot of an app; resolves to when it begins, by the wall clock. */
export async function takeSlot(deps: Deps, { brand, appId }: App['id']): Promise<number> {
  const { tokenDir } = deps.config
  ensureOwnDirectory(tokenDir)
  const lock = await acquireLock(join(tokenDir, `pace-${brand}-${appId}.lock`), LOCK_MS, deps.clock.now)
  if (lock?.kind !== 'held') {
    throw new AuthError('store_locked', `Process ${lock?.pid ?? 'unknown'} keeps the pace file locked.`, {
      nextStep: 'Look at that process and end it, then try again.',
    })
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
