// What a lease on a profile's row is made of, and what is written under it.

import type { ProfileId } from '../../profile.ts'
import type { HeldLock } from '../lock.ts'
import { lockedError } from '../lock.ts'
import type { LocalCopy } from './local-copy.ts'
import type { Rows } from './rows.ts'

export type Lease = {
  id: ProfileId
  /** Names this lease among all. */
  owner: string
  rows: Rows
  local: LocalCopy
  lock: HeldLock
  /** Both clocks when it was asked for. */
  since: { wall: number; monotonic: number }
  now: () => number
}

/** Throws `store_locked` once another holder has the lease. */
export async function writeRow(
  { id, owner, rows }: Lease,
  values: Parameters<Rows['write']>[2],
): Promise<void> {
  if (!(await rows.write(id, owner, values))) throw lockedError(null)
}
