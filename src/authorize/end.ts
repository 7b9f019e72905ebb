// How the end of an authorization is written down: for every process to see, and only once its port is free.

import type { App } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { describeError } from '../errors.ts'
import {
  decodePending,
  encodePending,
  expiredOutcome,
  type PendingAuthorization,
  withOutcome,
} from '../oauth/pending-authorization.ts'
import { say } from '../sentence.ts'
import { LOCK_MS, type LockedProfile } from '../store/token-store.ts'

/** The holder notices an end within WATCH_MS and frees the port within a second. */
const HANDOVER_MS = 3_000
const HANDOVER_PAUSE_MS = 20

/** The pending authorization; one that cannot be opened is as good as none, since no one can answer it. */
export async function readPending(locked: LockedProfile): Promise<PendingAuthorization | null> {
  return decodePending(await locked.readPending().catch(() => null))
}

/** Writes down that no one answered in time. */
export async function expire(deps: Deps, app: App, pending: PendingAuthorization): Promise<void> {
  await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const current = await readPending(locked)
    if (current?.id !== pending.id || current.phase !== 'waiting') return
    const outcome = { ...expiredOutcome(current), at: Math.min(current.deadlineAt, deps.clock.now()) }
    await locked.writePending(encodePending(withOutcome(current, outcome, 'ended')))
  })
}

/**
 * Says that an authorization has ended, once its port is free: waits for whoever holds the listener. The end itself is
 * written already, and is told a little later if this fails.
 */
export async function conclude(deps: Deps, app: App, pending: PendingAuthorization): Promise<void> {
  try {
    const own = deps.underWay.holders.get(app.key)
    if (own?.id === pending.id) await own.stop()
    else await freed(deps, app, pending)
    await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
      const current = await readPending(locked)
      if (current?.id !== pending.id || !current.outcome || current.phase === 'ended') return
      await locked.writePending(encodePending({ ...current, phase: 'ended' }))
    })
  } catch (error) {
    deps.log('warn', say`authorization: ${describeError(error)}`)
  }
}

/** Waits until no process listens for this authorization any more; a newer one may have the listener by then. */
async function freed(deps: Deps, app: App, pending: PendingAuthorization): Promise<void> {
  const giveUpAt = deps.clock.elapsed() + HANDOVER_MS
  while (deps.clock.elapsed() < giveUpAt) {
    const held = await deps.store.holdAuthorization(app.id)
    if (held?.kind === 'held') return held.release()
    const current = decodePending(await deps.store.readPending(app.id).catch(() => null))
    if (current?.id !== pending.id) return
    await deps.clock.sleep(HANDOVER_PAUSE_MS)
  }
}
