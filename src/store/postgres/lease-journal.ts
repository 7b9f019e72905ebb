// How often a refresh token was presented, as the row says it while its lease is held.
//
// A presentation is counted in the row when it is prepared, because nothing can be awaited between two bytes; that it
// was not sent after all is known from a note on this machine.

import { hostname } from 'node:os'
import type { Secret } from '../../secret.ts'
import { hashRefreshToken, isNothing, presentationsOf, UNSENT } from '../journal.ts'
import type { Key } from '../key.ts'
import { lockedError } from '../lock.ts'
import type { Journal, LockedProfile, Presentations } from '../token-store.ts'
import { type Lease, writeRow } from './lease.ts'
import { journalOf, type RowJournal } from './row-journal.ts'

/**
 * No request begins later than this after the lease was asked for: it ends 15 s later at the latest, and then the lease
 * of 45 s has still some seconds to run.
 */
const SEND_WITHIN_MS = 27_000

export class LeaseJournal {
  readonly #lease: Lease
  readonly #sealingKey: () => Promise<Key>
  /** What is written about the presentation that is under way. */
  #prepared: RowJournal | null = null

  constructor(lease: Lease, sealingKey: () => Promise<Key>) {
    this.#lease = lease
    this.#sealingKey = sealingKey
  }

  async read(): Promise<Journal | null> {
    const { id, rows, local } = this.#lease
    return journalOf(await rows.read(id), local)
  }

  async presentations(refreshToken: Secret): Promise<Presentations> {
    const journal = await this.read()
    const tokenHash = hashRefreshToken(await this.#sealingKey(), refreshToken)
    return journal?.tokenHash === tokenHash ? presentationsOf(journal) : UNSENT
  }

  async prepare(refreshToken: Secret): Promise<void> {
    const { local, now } = this.#lease
    const before = await this.presentations(refreshToken)
    const journal: RowJournal = {
      tokenHash: hashRefreshToken(await this.#sealingKey(), refreshToken),
      ambiguous: before.ambiguous + 1,
      sentAt: now(),
      ...(before.refusedByOthers && { refusedByOthers: before.refusedByOthers }),
      pid: process.pid,
      host: hostname(),
      cooldownUntil: null,
      attempt: local.beginAttempt(),
      before,
    }
    await writeRow(this.#lease, { journal: JSON.stringify(journal) })
    this.#prepared = journal
  }

  markSent(): void {
    const { since, now, local } = this.#lease
    // Each clock stands still at times: the monotonic one in a suspend, the other when it is set.
    const late = Math.max(performance.now() - since.monotonic, Math.abs(now() - since.wall))
    if (late > SEND_WITHIN_MS) throw lockedError(null)
    if (this.#prepared) local.attemptSent(this.#prepared.attempt)
  }

  async settle({
    cooldownUntil = null,
    refusedByOthers,
  }: Parameters<LockedProfile['settle']>[0]): Promise<void> {
    const { local } = this.#lease
    const journal = this.#prepared
    if (!journal) return
    this.#prepared = null
    const remembered = refusedByOthers && { refusedByOthers }
    const settled = { ...journal, ...journal.before, cooldownUntil, ...remembered }
    try {
      local.attemptUndone(journal.attempt)
      await writeRow(this.#lease, { journal: isNothing(settled) ? null : JSON.stringify(settled) })
    } catch {
      // The note on this machine, or else the higher count, stays: both err on the safe side.
    }
  }

  /** The record is durable: what was noted for its sake ends. */
  end(): void {
    this.#prepared = null
    try {
      this.#lease.local.endAttempt()
    } catch {
      // A note about an attempt that no row names any more binds no one.
    }
  }
}
