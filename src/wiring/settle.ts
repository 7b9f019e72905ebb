// What is under way when a process ends comes to its end.

import type { Deps } from '../deps.ts'

/** Ends what is under way: what was sent is finished and kept, the listener's port is given back. */
export async function settle({ underWay, store, activity }: Deps): Promise<void> {
  // The listener last: the page that tells how a login ended needs it.
  await underWay.settled()
  await Promise.all([...underWay.holders.values()].map((holder) => holder.stop()))
  await underWay.settled()
  await store.flush()
  activity.flush()
}
