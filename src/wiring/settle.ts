// What is under way when a process ends comes to its end.

import type { Deps } from '../deps.ts'
import { say } from '../sentence.ts'

/** Ends what is under way: what was sent is finished and kept, the listener's port is given back. */
export async function settle({ underWay, store, activity, log }: Deps): Promise<void> {
  // The listener last: the page that tells how a login ended needs it.
  await underWay.settled()
  await Promise.all([...underWay.holders.values()].map((holder) => holder.stop()))
  await underWay.settled()
  const written = await store.flush()
  const { kind, place } = store.description
  if (!written && kind === 'file')
    log(
      'error',
      say`a new token could not be written to ${place} and ends with this process; log in again if the next refresh fails`,
    )
  activity.flush()
}
