// Taking a lease: first the kernel lock of this machine, then the lease among the machines. What the lock file says of
// the leases that were taken under it tells the next holder which of them are over.

import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { ProfileId } from '../../profile.ts'
import type { HeldLock, LockHolder } from '../lock.ts'
import { lockedError } from '../lock.ts'
import type { Lease } from './lease.ts'
import { type KeepTrying, LeasedProfile } from './leased-profile.ts'

/** Another machine's lease is asked for this often: short to a person, and no burden from a few dozen machines. */
const POLL_MS = 60
/** Leases that processes here left behind, remembered until one is taken over. */
const MAX_LEFT = 4

/** What a lease is taken with. */
export type LeaseRequest = Pick<Lease, 'rows' | 'local' | 'now'> & {
  /** Takes the kernel lock of a path; see `acquireLock`. */
  lock: (path: string, deadlineMs: number) => Promise<HeldLock | LockHolder | null>
  deadlineMs: number
  keepTrying: KeepTrying
}

/**
 * Takes a profile's lease within the deadline.
 *
 * @throws CodedError `store_locked`, naming the holder; or why the database cannot be asked
 */
export async function acquireLease(id: ProfileId, request: LeaseRequest): Promise<LeasedProfile> {
  const giveUpAt = performance.now() + request.deadlineMs
  const lock = await request.lock(request.local.files.lockPath, request.deadlineMs)
  if (lock?.kind !== 'held') throw lockedError(lock)
  try {
    return await askUntil(giveUpAt, id, lock, request)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function askUntil(
  giveUpAt: number,
  id: ProfileId,
  lock: HeldLock,
  { rows, local, now, keepTrying }: LeaseRequest,
): Promise<LeasedProfile> {
  const owner = randomUUID()
  const left = leasesOf(lock.left)
  // Before it is asked for: a process that dies now may have it.
  lock.describe({ leases: [owner, ...left].slice(0, MAX_LEFT) })
  const holder = JSON.stringify({ pid: process.pid, host: hostname(), since: now() })
  for (;;) {
    const since = { wall: now(), monotonic: performance.now() }
    const row = await rows.takeLease(id, owner, left, holder)
    if (row) {
      lock.describe({ leases: [owner] })
      const profile = new LeasedProfile({ id, owner, rows, local, lock, since, now }, keepTrying)
      await profile.begin(row).catch(async (error) => {
        await rows.giveLease(id, owner).catch(() => undefined)
        throw error
      })
      return profile
    }
    if (performance.now() >= giveUpAt) throw lockedError(holderOf(await rows.leaseHolder(id)))
    await new Promise((resume) => setTimeout(resume, POLL_MS * (0.5 + Math.random())))
  }
}

/** The leases that processes of this machine held last: their lock is free, so they are over. */
function leasesOf(left: LockHolder | null): string[] {
  const leases = left?.note.leases
  return Array.isArray(leases) ? leases.filter((lease) => typeof lease === 'string') : []
}

function holderOf(text: string | null): LockHolder | null {
  try {
    const holder = JSON.parse(text ?? 'null') as LockHolder | null
    return holder && { ...holder, kind: 'holder', note: {} }
  } catch {
    return null
  }
}
