// What can be done to a profile's row while its lease is held (see token-store.ts for what is promised).
//
// A lease may run out under its holder, who was stopped or asleep. So: before the first byte of a request goes out, the
// holder looks at both clocks; whatever it writes bears the name of its lease, and changes nothing once another has
// it. The one exception is the answer to a request that was sent: it is worth more than any order, and comes into
// force if no newer generation is there.

import { CodedError } from '../../errors.ts'
import type { ReservedFile } from '../../machine/files.ts'
import type { Json } from '../../oauth/answer.ts'
import { encodeRecord, type TokenRecord } from '../../oauth/token-set.ts'
import type { Secret } from '../../secret.ts'
import type { Key } from '../key.ts'
import { lockedError } from '../lock.ts'
import { notWritable } from '../sealed-files.ts'
import type { Interrupted, Journal, LockedProfile, Presentations } from '../token-store.ts'
import type { Save } from '../unsaved.ts'
import { type Lease, writeRow } from './lease.ts'
import { LeaseJournal } from './lease-journal.ts'
import type { SealedRecord } from './local-copy.ts'
import { isNewer, journalFrom, placeOf } from './row-journal.ts'
import type { Row, Rows } from './rows.ts'

/** Keeps trying to write a record; called when the database did not confirm it. */
export type KeepTrying = (record: TokenRecord, save: Save) => void

export class LeasedProfile implements LockedProfile {
  readonly #lease: Lease
  readonly #keepTrying: KeepTrying
  readonly #journal: LeaseJournal
  #key: Key | null = null
  #reserved: ReservedFile | null = null
  /** A record is still to be written. */
  #kept = false
  #ended = false

  constructor(lease: Lease, keepTrying: KeepTrying) {
    this.#lease = lease
    this.#journal = new LeaseJournal(lease, () => this.#sealingKey())
    this.#keepTrying = keepTrying
  }

  /** Brings into force what this machine knows and the database does not: an answer whose commit no one confirmed. */
  async begin(row: Row): Promise<void> {
    const { local } = this.#lease
    local.files.removeTemporaryFiles()
    try {
      await this.#restore(row, [await local.readRescue(), await local.read()])
      local.dropRescue()
    } catch (error) {
      // Without the key no one knows what these files hold: they stay, and no token is presented without it either.
      if (!(error instanceof CodedError) || error.code !== 'key_unavailable') throw error
    }
  }

  async #restore(row: Row, copies: (SealedRecord | null)[]): Promise<void> {
    const { id, owner, rows, local } = this.#lease
    for (const known of copies) {
      if (!known || row.record === null || known.record.generation <= row.generation) continue
      const stored = await local.open(row.record, placeOf(id)).catch(() => null)
      if (!stored || !isNewer(known.record, stored)) continue
      const { generation } = known.record
      const next = { record: known.text, generation, expected: generation - 1, journal: null }
      if (!(await rows.commit(id, owner, next))) throw lockedError(null)
      local.keep(known.text)
      return this.#journal.end()
    }
  }

  /** Gives the lease back, unless a record is still to be written. */
  async end(): Promise<void> {
    try {
      this.#reserved?.discard()
    } catch {
      // What is left of it is removed under the next lease.
    }
    this.#ended = true
    if (!this.#kept) await this.#giveBack()
  }

  async #giveBack(): Promise<void> {
    const { id, owner, rows, lock } = this.#lease
    // Where it cannot be given back it runs out; on this machine the next holder knows that it is over.
    await rows.giveLease(id, owner).catch(() => undefined)
    lock.release()
  }

  async #sealingKey(): Promise<Key> {
    const { id, rows, local } = this.#lease
    if (this.#key) return this.#key
    const { key_id } = await rows.read(id)
    this.#key = await local.key(key_id)
    return this.#key
  }

  async read(): Promise<TokenRecord> {
    const { id, rows, local } = this.#lease
    const { record, generation } = await rows.read(id)
    if (record === null) return { generation, tokenSet: null }
    return local.open(record, placeOf(id))
  }

  async readJournal(): Promise<Journal | null> {
    return this.#journal.read()
  }

  async presentations(refreshToken: Secret): Promise<Presentations> {
    return this.#journal.presentations(refreshToken)
  }

  async prepare(refreshToken: Secret): Promise<void> {
    this.#reserved ??= this.#lease.local.files.reserve()
    await this.#journal.prepare(refreshToken)
  }

  markSent(): void {
    this.#journal.markSent()
  }

  async settle(settled: Parameters<LockedProfile['settle']>[0]): Promise<void> {
    await this.#journal.settle(settled)
  }

  async commit(record: TokenRecord, expected: number, interrupted?: Interrupted | null): Promise<boolean> {
    const { local } = this.#lease
    const key = await this.#sealingKey()
    const { sealed } = local.files
    const text = sealed.seal(key, local.files.binding('token-set'), record.generation, encodeRecord(record))
    const next = {
      record: text,
      generation: record.generation,
      expected,
      journal: journalFrom(interrupted ?? null, record, key),
    }
    try {
      this.#reserved ??= local.files.reserve()
    } catch {
      // Without a rescue file: nothing was presented, or there would be one.
    }
    let confirmed = false
    try {
      // First into the rescue file; when the database has it, that becomes this machine's copy.
      await this.#reserved?.commit(Buffer.from(text), async () => {
        await this.#store(next)
        confirmed = true
      })
      if (!this.#reserved) await this.#store(next)
    } catch (error) {
      if (!confirmed) return this.#afterFailure(error, record, next)
    }
    this.#reserved = null
    this.#journal.end()
    return true
  }

  async #afterFailure(
    error: unknown,
    record: TokenRecord,
    next: Parameters<Rows['commit']>[2],
  ): Promise<false> {
    if (error instanceof CodedError && error.code === 'store_locked') throw error
    this.#reserved?.leave()
    this.#reserved = null
    this.#kept = true
    const { local } = this.#lease
    this.#keepTrying(record, async () => {
      const problem = await this.#store(next).then(
        () => null,
        (why) => (why instanceof CodedError ? why : notWritable(local.files.path, why)),
      )
      if (problem !== null && problem.code !== 'store_locked') return problem
      if (problem === null) local.keep(next.record)
      try {
        local.dropRescue()
      } catch {
        // The row has what it holds; the next lease removes it.
      }
      this.#journal.end()
      this.#kept = false
      if (this.#ended) await this.#giveBack()
      return null
    })
    return false
  }

  /** Throws `store_locked` where the row holds something newer. */
  async #store(next: Parameters<Rows['commit']>[2]): Promise<void> {
    const { id, owner, rows } = this.#lease
    if (await rows.commit(id, owner, next)) return
    // Perhaps an earlier attempt went through, and its answer was lost.
    if ((await rows.read(id)).record !== next.record) throw lockedError(null)
  }

  async setAside(): Promise<number> {
    const { id, rows, local, now } = this.#lease
    // First: where the key is not, others can open the record, and it stays where it is.
    await this.#sealingKey()
    const { record, generation } = await rows.read(id)
    if (record !== null) local.setAside(record, now())
    await writeRow(this.#lease, { record: null })
    return generation
  }

  async readPending(): Promise<Json | null> {
    const { id, rows, local } = this.#lease
    const { pending } = await rows.read(id)
    return pending === null ? null : local.openPending(pending, placeOf(id))
  }

  async writePending(pending: Json): Promise<void> {
    const { files } = this.#lease.local
    const key = await this.#sealingKey()
    await writeRow(this.#lease, {
      pending: files.sealed.seal(key, files.binding('authorization'), 0, pending),
    })
  }

  async remove(): Promise<void> {
    await writeRow(this.#lease, { record: null, journal: null, pending: null })
    this.#lease.local.drop()
  }
}
