// What can be done to a profile's files while its lock is held (see token-store.ts for what is promised).

import { renameSync } from 'node:fs'
import { hostname } from 'node:os'
import { CodedError } from '../../errors.ts'
import { fileVersion } from '../../machine/file-version.ts'
import { isMissing, type ReservedFile, removeFile, replaceFile } from '../../machine/files.ts'
import { encodeRecord, type TokenRecord } from '../../oauth/token-set.ts'
import type { Secret } from '../../secret.ts'
import { hashRefreshToken, isNothing, presentationsOf, UNSENT } from '../journal.ts'
import type { Key } from '../key.ts'
import { type HeldLock, lockedError } from '../lock.ts'
import { notWritable } from '../sealed-files.ts'
import type { Interrupted, Journal, LockedProfile, Presentations } from '../token-store.ts'
import type { Save } from '../unsaved.ts'
import { counted, noteOf, noteWith } from './generation-note.ts'
import type { ProfileFiles } from './profile-files.ts'

/**
 * Begins to hold a profile's lock: cleans up after whoever held it before, and says who holds it now. Resolves to the
 * highest generation there ever was.
 */
export async function takeUp(files: ProfileFiles, lock: HeldLock): Promise<number> {
  await files.refuseForeign()
  const left = noteOf(lock.left)
  const known = await counted(files.sealed, files.id, left)
  const generation = Math.max(known, await files.cleanUp())
  // A note whose key is only out of reach just now is handed on as it is.
  if (generation === known) lock.describe({ ...left })
  else lock.describe(noteWith(files.id, await files.sealed.sealingKey(files.path), generation))
  return generation
}

type SettledBy = Parameters<LockedProfile['settle']>[0]

/** The files of one profile, its lock held from {@link LockedFiles.begin} to {@link LockedFiles.end}. */
export class LockedFiles implements LockedProfile {
  readonly #files: ProfileFiles
  readonly #lock: HeldLock
  readonly #now: () => number
  readonly #keep: (record: TokenRecord, save: Save) => void
  #key: Key | null = null
  #intent: Journal | null = null
  /** The intent as it was before the presentation was counted; null: none was. */
  #uncounted: Journal | null = null
  /** The record that is being written has a journal of its own. */
  #carries = false
  #reserved: ReservedFile | null = null
  /** The version of the record that was read under this lock. */
  #read: string | null = null
  #highest = 0
  /** A record is still to be written. */
  #kept = false
  #ended = false

  constructor(
    files: ProfileFiles,
    lock: HeldLock,
    now: () => number,
    keep: (record: TokenRecord, save: Save) => void,
  ) {
    this.#files = files
    this.#lock = lock
    this.#now = now
    this.#keep = keep
  }

  async begin(): Promise<void> {
    this.#highest = await takeUp(this.#files, this.#lock)
  }

  /** Gives the lock back, unless a record is still to be written. */
  end(): void {
    try {
      this.#reserved?.discard()
    } catch {
      // What is left of it is removed under the next lock; this one must not be kept for it.
    }
    this.#reserved = null
    this.#ended = true
    if (!this.#kept) this.#lock.release()
  }

  async #sealingKey(): Promise<Key> {
    this.#key ??= await this.#files.sealed.sealingKey(this.#files.path)
    return this.#key
  }

  /** A new authorization goes on where the record in place can no longer be opened: it will be set aside. */
  async #keyForAuthorization(): Promise<Key> {
    return this.#sealingKey().catch(() => this.#files.sealed.newKey(this.#files.path))
  }

  #writeIntent(journal: Journal): void {
    try {
      replaceFile(this.#files.intentPath, `${JSON.stringify(journal)}\n`)
    } catch (error) {
      throw notWritable(this.#files.intentPath, error)
    }
    this.#intent = journal
  }

  async read(): Promise<TokenRecord> {
    const version = fileVersion(this.#files.path)
    const record = await this.#files.readRecord()
    this.#read = version
    return record
  }

  async readJournal(): Promise<Journal | null> {
    return this.#files.readJournal()
  }

  async #hash(refreshToken: Secret): Promise<string> {
    return hashRefreshToken(await this.#sealingKey(), refreshToken)
  }

  async presentations(refreshToken: Secret): Promise<Presentations> {
    const journal = this.#files.readJournal()
    const hash = await this.#hash(refreshToken)
    if (!journal || (journal.tokenHash !== hash && journal.movedHash !== hash)) return UNSENT
    return presentationsOf(journal)
  }

  async prepare(refreshToken: Secret): Promise<void> {
    const known = await this.presentations(refreshToken)
    const tokenHash = await this.#hash(refreshToken)
    this.#reserved ??= this.#files.reserve()
    this.#writeIntent({ tokenHash, ...known, pid: process.pid, host: hostname(), cooldownUntil: null })
    this.#uncounted = null
  }

  markSent(): void {
    const intent = this.#intent
    if (!intent) return
    this.#writeIntent({ ...intent, ambiguous: intent.ambiguous + 1, sentAt: this.#now() })
    this.#uncounted = intent
  }

  async settle({ cooldownUntil = null, refusedByOthers }: SettledBy): Promise<void> {
    const intent = this.#uncounted ?? this.#intent
    if (!intent) return
    this.#uncounted = null
    try {
      const settled = { ...intent, cooldownUntil, ...(refusedByOthers && { refusedByOthers }) }
      if (isNothing(settled)) removeFile(this.#files.intentPath)
      else this.#writeIntent(settled)
    } catch {
      // The higher count stays: it errs on the safe side, and the answer itself matters more to the caller.
    }
  }

  async commit(record: TokenRecord, expected: number, interrupted?: Interrupted | null): Promise<boolean> {
    const { path, sealed } = this.#files
    const key = await this.#sealingKey()
    const refreshToken = record.tokenSet?.refreshToken
    this.#carries = Boolean(interrupted && refreshToken)
    // First: without its token a count binds no one.
    if (interrupted && refreshToken)
      this.#writeIntent({ ...interrupted, tokenHash: hashRefreshToken(key, refreshToken) })
    const content = encodeRecord(record)
    const bytes = Buffer.from(sealed.seal(key, this.#files.binding('token-set'), record.generation, content))
    const compare = () => this.#compare(expected)
    try {
      // Into the reserved room before all else: from there the next process takes it over, should this one die now.
      if (this.#reserved) await this.#reserved.commit(bytes, compare)
      else {
        await compare()
        replaceFile(path, bytes)
      }
    } catch (error) {
      if (error instanceof CodedError && error.code === 'store_locked') throw error
      this.#reserved?.leave()
      this.#reserved = null
      this.#kept = true
      this.#keep(record, () => this.#save(record, bytes, key))
      return false
    }
    this.#reserved = null
    this.#conclude(record, key)
    return true
  }

  /** Throws where someone has put a newer record in place. */
  async #compare(expected: number): Promise<void> {
    if (this.#read !== null && fileVersion(this.#files.path) === this.#read) return
    // What became unreadable since it was read is kept aside: the new record must be written, whatever lies there.
    const stored = await this.#files.readRecord().catch(() => this.#moveAside().catch(() => null))
    // An older copy that someone put back meanwhile is no reason to lose the new record.
    if (stored && stored.generation > expected) throw lockedError(null)
  }

  #save(record: TokenRecord, bytes: Buffer, key: Key): CodedError | null {
    try {
      // The whole folder may be gone, and the key with it.
      this.#files.sealed.restore(key)
      replaceFile(this.#files.path, bytes)
      removeFile(this.#files.nextPath)
    } catch (error) {
      return notWritable(this.#files.path, error)
    }
    this.#conclude(record, key)
    this.#kept = false
    if (this.#ended) this.#lock.release()
    return null
  }

  /** The record is durable: what was noted for its sake ends. */
  #conclude(record: TokenRecord, key: Key): void {
    this.#intent = null
    this.#uncounted = null
    this.#highest = Math.max(this.#highest, record.generation)
    try {
      this.#lock.describe(noteWith(this.#files.id, key, this.#highest))
      if (!this.#carries) removeFile(this.#files.intentPath)
    } catch {
      // An old intent is about a token that is not stored any more: it binds no one.
    }
  }

  async setAside(): Promise<number> {
    // First: while the key is only out of reach, the record stays where it is.
    this.#key = await this.#keyForAuthorization()
    await this.#moveAside()
    return this.#highest
  }

  /** Keeps a record that cannot be opened under another name. */
  async #moveAside(): Promise<null> {
    const { path } = this.#files
    try {
      renameSync(path, this.#files.asidePath(this.#now()))
    } catch (error) {
      if (!isMissing(error)) throw notWritable(path, error)
    }
    return null
  }

  async readPending(): ReturnType<LockedProfile['readPending']> {
    return this.#files.readPending()
  }

  async writePending(pending: Record<string, unknown>): Promise<void> {
    const { sealed, pendingPath } = this.#files
    const key = await this.#keyForAuthorization()
    try {
      replaceFile(pendingPath, sealed.seal(key, this.#files.binding('authorization'), 0, pending))
    } catch (error) {
      throw notWritable(pendingPath, error)
    }
  }

  async remove(): Promise<void> {
    try {
      this.#files.removeAll()
    } catch (error) {
      throw notWritable(this.#files.path, error)
    }
  }
}
