import type { Deps } from '../deps.ts'

/** Ends what is under way: a refresh or a code that was sent is finished and kept, the listener's port is given back. */
export async function settle(deps: Deps): Promise<void> {
  await Promise.allSettled(deps.refreshes.values())
  if (deps.holders.size > 0 || deps.exchanges.size > 0) {
    const { stopHolders } = await import('../authorize/holder.ts')
    await stopHolders(deps)
  }
  await deps.store.flush()
  deps.activity.flush()
}
