// Beginning to wait for a person: the new authorization or creation of an app is written down with its holder's lock held,
// before anyone is told the link.

import { type App, resolveApp } from '../app/app.ts'
import { keepApp } from '../app/setup.ts'
import type { Deps } from '../deps.ts'
import { CodedError, toCodedError } from '../errors.ts'
import type { NewApp } from '../oauth/credentials.ts'
import {
  encodePending,
  isLive,
  type Outcome,
  type PendingAuthorization,
  withOutcome,
} from '../oauth/pending-authorization.ts'
import { call, say } from '../sentence.ts'
import type { HeldLock } from '../store/lock.ts'
import { LOCK_MS, type LockedProfile } from '../store/token-store.ts'
import { newCreation, pollCreation } from './creation.ts'
import { readPending } from './end.ts'
import { endWith } from './finish.ts'
import { type HeldAuthorization, holdAuthorization } from './holder.ts'
import { newAuthorization, type Wish } from './new-authorization.ts'
import { appToCome, isToCome } from './pending.ts'

/** A listener that is closing lets the last answer out for a second. */
const ENDING_MS = 1_500
const ENDING_PAUSE_MS = 20

/** Begins a new authorization, or the creation of the app that is to come, and waits for its answer. */
export async function begin(
  deps: Deps,
  app: App,
  locked: LockedProfile,
  wish: Wish,
): Promise<PendingAuthorization> {
  const pending = isToCome(app)
    ? await newCreation(deps, wish.scopes)
    : await newAuthorization(deps, app, wish)
  const held = await holderLock(deps, app)
  await hold(deps, { app, pending, held }, () => locked.writePending(encodePending(pending)))
  return pending
}

/** Waits for the answer, in the way of the step that it is at. */
export function hold(
  deps: Deps,
  authorization: HeldAuthorization,
  afterListening: () => Promise<void>,
): Promise<void> {
  const { app, pending } = authorization
  const { device, step } = pending
  if (step !== 'create_app' || !device) return holdAuthorization(deps, authorization, afterListening)
  const goOn = async (created: NewApp) => {
    await deps.underWay.see(goOnWith(deps, app.id.profile, pending.id, created))
    return true
  }
  return holdAuthorization(deps, authorization, afterListening, (take) =>
    pollCreation(deps, device, goOn, (error) => take({ kind: 'failure', error })),
  )
}

/**
 * Goes on from the creation of the app to its authorization, a device grant because the new app has no redirect URL.
 * With `created` null the app was kept already, by a process that is gone. Resolves to null if nothing waits any more.
 */
export async function goOnWith(
  deps: Deps,
  profile: string,
  creationId: string | null,
  created: NewApp | null,
): Promise<PendingAuthorization | null> {
  const place = appToCome(deps, profile)
  return deps.store.withLock(place.id, LOCK_MS, async (creation) => {
    // First of all: the credentials come only once.
    if (created) await keepApp(deps, profile, created)
    const pending = await readPending(creation)
    if (!pending || pending.outcome || (creationId !== null && pending.id !== creationId)) return null
    if (!created && !isLive(pending, deps.clock.now())) return null
    const app = await resolveApp(deps, profile)
    const next = await deps.store.withLock(app.id, LOCK_MS, (locked) => approve(deps, app, locked, pending))
    const done: Outcome = { status: 'succeeded', at: deps.clock.now(), failure: null }
    await creation.writePending(encodePending(withOutcome(pending, done, 'ended')))
    return next
  })
}

/** Begins the approval; where Feishu gives no code for it, that is how the authorization ends, and the app stays. */
async function approve(
  deps: Deps,
  app: App,
  locked: LockedProfile,
  creation: PendingAuthorization,
): Promise<PendingAuthorization> {
  try {
    return await begin(deps, app, locked, { scopes: creation.scopes, method: 'device' })
  } catch (error) {
    const failed: PendingAuthorization = { ...creation, step: 'approve' }
    const { outcome } = await endWith(deps, { locked, pending: failed }, toCodedError(error))
    // No one listens for it: it has ended at once.
    const ended = withOutcome(failed, outcome, 'ended')
    await locked.writePending(encodePending(ended))
    return ended
  }
}

/** The holder lock; the process whose authorization is just ending gives it back within a second. */
async function holderLock(deps: Deps, app: App): Promise<HeldLock> {
  const giveUpAt = deps.clock.elapsed() + ENDING_MS
  for (;;) {
    const held = await deps.store.holdAuthorization(app.id)
    if (held?.kind === 'held') return held
    if (deps.clock.elapsed() > giveUpAt) {
      throw new CodedError(
        'store_locked',
        say`The last authorization of profile "${app.id.profile}" is just ending.`,
        {
          nextStep: say`${call('start_authorization')} again in a few seconds.`,
        },
      )
    }
    await deps.clock.sleep(ENDING_PAUSE_MS)
  }
}
