// What a running server does without being asked: keeps its own profile fresh.

import { resolveApp } from './app.ts'
import { startAutoRefresh } from './auto-refresh.ts'
import type { Deps } from './deps.ts'
import { LOCK_MS } from './refresh.ts'

/** Starts the background work; returns how to stop it. */
export function startBackground(deps: Deps): () => void {
  return startAutoRefresh(deps, createDeliverer(deps))
}

/** What delivers a token set that it has not delivered yet; without one it touches nothing. */
export function createDeliverer(deps: Deps): () => Promise<void> {
  let deliveredGeneration: number | null = null
  return async () => {
    if (deps.config.deliverTo.length === 0) return
    const app = await resolveApp(deps, deps.config.profile)
    const seen = await deps.store.read(app.id)
    if (!seen.tokenSet || seen.generation === deliveredGeneration) return
    // Under the lock: an older token must not be written over a newer one.
    deliveredGeneration = await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
      const { generation, tokenSet } = await locked.read()
      const deliveries = tokenSet ? await deps.deliver(app.id, tokenSet) : []
      // Somebody was writing to the file, or the time was up: the next wake-up tries again.
      return deliveries.some(({ status }) => status === 'failed') ? null : generation
    })
  }
}
