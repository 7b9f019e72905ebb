// What a running server does without being asked: keeps its own profile fresh.

import type { Deps } from '../deps.ts'
import { createDeliverer } from '../hand-over/deliver.ts'
import { startAutoRefresh } from '../refresh/auto-refresh.ts'

/** Starts the background work; returns how to stop it. */
export function startBackground(deps: Deps): () => void {
  return startAutoRefresh(deps, createDeliverer(deps))
}
