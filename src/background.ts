// What a running server does without being asked: keeps its own profile fresh.

import { resolveApp } from './app.ts'
import { startAutoRefresh } from './auto-refresh.ts'
import type { Deps } from './deps.ts'

/** Starts the background work; returns how to stop it. */
export function startBackground(deps: Deps): () => void {
  let deliveredGeneration: number | null = null
  return startAutoRefresh(deps, async () => {
    if (deps.config.deliverTo.length === 0) return
    const app = await resolveApp(deps, deps.config.profile)
    const { generation, tokenSet } = await deps.store.read(app.id)
    if (!tokenSet || generation === deliveredGeneration) return
    await deps.deliver(app.id, tokenSet)
    deliveredGeneration = generation
  })
}
