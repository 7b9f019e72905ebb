// The one place that spends a refresh token.
//
// A refresh token works once. So: one process at a time (the profile's lock), which first reads again what is stored;
// the intent on disk before the request; the answer on disk before it is judged; and when an answer is lost, at most
// two presentations of one token, counted over all processes and crashes (presentation.ts). If in doubt, nothing is deleted.

import { type App, resolveApp } from '../app/app.ts'
import type { Deps, RefreshResult } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { LOCK_MS } from '../store/token-store.ts'
import { type RefreshCall, resultOf, stepOf } from './due.ts'

/** Refreshes the stored token set of a profile if it is due, or `force`d. Calls that meet share one request. */
export async function refreshToken(
  deps: Deps,
  options: { profile: string; force: boolean },
): Promise<RefreshResult> {
  const startedAt = deps.clock.elapsed()
  // `connect` comes here with each call. What is changed is read again under the lock.
  const glance = { ...deps, store: deps.store.glance() }
  const app = await resolveApp(glance, options.profile)
  const seen = await glance.store.read(app.id)
  if (!options.force && stepOf(deps, app, seen) === 'use') return resultOf(deps, app, 'still_valid', seen)
  const { refreshes } = deps.underWay
  for (;;) {
    const running = refreshes.get(app.key)
    if (!running) break
    const result = await running
    // Where nobody forced it, it may have left the very token that this caller knows to be refused.
    if (!options.force || result.status !== 'still_valid') return result
  }
  const refresh = lockAndRefresh(deps, app, { seen, force: options.force, startedAt })
  const shared = refresh.finally(() => refreshes.delete(app.key))
  refreshes.set(app.key, shared)
  return shared
}

async function lockAndRefresh(deps: Deps, app: App, call: RefreshCall): Promise<RefreshResult> {
  // A valid token needs none of it.
  const { refreshLocked } = await import('./under-lock.ts')
  try {
    return await deps.store.withLock(app.id, LOCK_MS, (locked) => refreshLocked(deps, app, locked, call))
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'store_locked') throw error
    // Whoever holds the lock may have stored the new token already.
    const record = await deps.store.read(app.id)
    const moved = record.generation > call.seen.generation
    const usable = deps.clock.remainingMs(record, app.key) > 0
    if (!usable || (call.force && !moved)) throw error
    return resultOf(deps, app, moved ? 'refreshed_elsewhere' : 'still_valid', record)
  }
}
