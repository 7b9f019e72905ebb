// The files of one profile.

import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { CodedError } from '../../errors.ts'
import {
  isTemporaryNameOf,
  type ReservedFile,
  readOwnFile,
  removeFile,
  replaceFile,
  reserveFile,
} from '../../machine/files.ts'
import { renameFile } from '../../machine/rename.ts'
import type { Json } from '../../oauth/answer.ts'
import { decodeRecord, type TokenRecord, withheld } from '../../oauth/token-set.ts'
import type { ProfileId } from '../../profile.ts'
import { call, say } from '../../sentence.ts'
import type { Binding, Header } from '../envelope.ts'
import { parseJournal } from '../journal.ts'
import { peekHolder } from '../lock.ts'
import { MAX_FILE_BYTES, notReadable, notWritable, readText, type SealedFiles } from '../sealed-files.ts'
import type { Journal } from '../token-store.ts'
import { counted, type GenerationNote, noteOf, proved } from './generation-note.ts'

/** Two tokens of 4 KB, sealed and in base64, with room. */
const RESERVED_BYTES = 32_768

/**
 * An older copy that someone put back holds a refresh token that was spent since: it is never presented. The counter
 * does not fall with it.
 */
function withoutSpentToken({ tokenSet }: TokenRecord, generation: number): TokenRecord {
  return {
    generation,
    tokenSet: tokenSet && withheld(tokenSet, { reason: 'outdated', at: tokenSet.issuedAt }),
  }
}

/** The files of one profile, read without its lock. */
export class ProfileFiles {
  readonly path: string
  readonly sealed: SealedFiles
  readonly id: ProfileId

  constructor(sealed: SealedFiles, id: ProfileId) {
    this.sealed = sealed
    this.id = id
    this.path = join(sealed.folder, `${id.brand}-${id.appId}-${id.profile}.json`)
  }

  get lockPath(): string {
    return `${this.path}.lock`
  }

  get holderLockPath(): string {
    return `${this.path}.holder.lock`
  }

  get intentPath(): string {
    return `${this.path}.intent`
  }

  get pendingPath(): string {
    return `${this.path}.pending`
  }

  get nextPath(): string {
    return `${this.path}.next`
  }

  /** Removes everything but the locks, the record first: what is left without it binds no one. */
  removeAll(): void {
    for (const path of [this.path, this.pendingPath, this.intentPath, this.nextPath]) removeFile(path)
  }

  /** Room for the next record, on disk before it is needed. Throws `store_not_writable`. */
  reserve(): ReservedFile {
    try {
      return reserveFile(this.nextPath, this.path, RESERVED_BYTES)
    } catch (error) {
      throw notWritable(this.nextPath, error)
    }
  }

  binding(kind: Header['kind']): Binding {
    return { kind, brand: this.id.brand, app_id: this.id.appId, profile: this.id.profile }
  }

  async readRecord(): Promise<TokenRecord> {
    // Read before the record: it is noted after the record is written, so a newer one never looks like an older copy.
    const note = this.#note()
    const highest = await proved(this.sealed, this.id, note)
    const opened = await this.sealed.open(this.path, this.binding('token-set')).catch(async (error) => {
      await this.refuseForeign()
      throw error
    })
    // Gone on from even if its key is gone: the note beside the next record will count on from there.
    if (!opened) return { generation: await counted(this.sealed, this.id, note), tokenSet: null }
    const record = decodeRecord(opened.content)
    if (!record || record.generation !== opened.header.generation) {
      throw new CodedError('store_unreadable', say`${this.path} holds no token set; it was left as it is.`, {
        nextStep: say`${call('start_authorization')}: a new authorization keeps this file aside.`,
      })
    }
    return record.generation < highest ? withoutSpentToken(record, highest) : record
  }

  /**
   * Throws where the record lies in its right place and is another profile's: with a "-" in an app id, or where the
   * file system does not tell "A" from "a", two profiles can come to one file name. It must not be set aside.
   */
  async refuseForeign(): Promise<void> {
    const { id } = this
    const other = this.#header()
    if (other?.kind !== 'token-set') return
    const { brand, app_id, profile } = other
    const same = brand === id.brand && app_id === id.appId && profile === id.profile
    const theirs = `${brand}-${app_id}-${profile}.json`
    if (same || theirs.toLowerCase() !== basename(this.path).toLowerCase()) return
    if (!(await this.#isWhole({ kind: other.kind, brand, app_id, profile }))) return
    throw new CodedError(
      'config_invalid',
      say`Profile "${id.profile}" of app ${id.appId} would have the same file as profile "${profile}" of app ${app_id}; nothing was changed.`,
      { nextStep: say`Choose another name for this profile (FEISHU_PROFILE, --profile).` },
    )
  }

  /** Whether the record is what its header says, and no damage that looks like it; without its key it may be. */
  async #isWhole(binding: Binding): Promise<boolean> {
    try {
      return (await this.sealed.open(this.path, binding)) !== null
    } catch (error) {
      return error instanceof CodedError && error.code === 'key_unavailable'
    }
  }

  /** The header of the record; null: none that can be read, which is told by whoever needs the record. */
  #header(): Header | null {
    try {
      return this.sealed.header(this.path)
    } catch {
      return null
    }
  }

  /** The highest generation ever written, noted in the lock file. */
  async highestGeneration(): Promise<number> {
    return proved(this.sealed, this.id, this.#note())
  }

  #note(): GenerationNote | null {
    try {
      return noteOf(peekHolder(this.lockPath))
    } catch (error) {
      throw notReadable(this.lockPath, error)
    }
  }

  readJournal(): Journal | null {
    const text = readText(this.intentPath)
    return text === null ? null : parseJournal(text, this.intentPath)
  }

  async readPending(): Promise<Json | null> {
    const opened = await this.sealed.open(this.pendingPath, this.binding('authorization'))
    return opened?.content ?? null
  }

  /**
   * Removes what a process that died left behind. A record that it had written but not yet renamed is the only copy of
   * a token that was paid for: it is taken over. Only with the lock held.
   *
   * @returns the generation that was taken over; 0: none
   */
  async cleanUp(): Promise<number> {
    this.removeTemporaryFiles()
    let bytes: Buffer | null = null
    try {
      bytes = readOwnFile(this.nextPath, MAX_FILE_BYTES)
    } catch (error) {
      // Not a file of ours, so not our record. An error of the disk says nothing about it.
      if (!(error instanceof CodedError)) throw error
      removeFile(this.nextPath)
    }
    // The rest of the reserved room is blank.
    return bytes === null ? 0 : this.#adopt(`${bytes.toString('utf8').trimEnd()}\n`)
  }

  /** Removes what a process that died while it wrote left behind. Only with the lock held. */
  removeTemporaryFiles(): void {
    const written = [this.path, this.intentPath, this.pendingPath, this.nextPath]
    for (const name of readdirSync(this.sealed.folder)) {
      if (written.some((path) => isTemporaryNameOf(name, path))) removeFile(join(this.sealed.folder, name))
    }
  }

  /** Keeps a record that cannot be opened beside, under a name with the time. */
  asidePath(now: number): string {
    return `${this.path}.corrupt-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`
  }

  async #adopt(text: string): Promise<number> {
    let current: number
    try {
      const opened = await this.sealed.open(this.path, this.binding('token-set'))
      current = Math.max(opened?.header.generation ?? 0, await this.highestGeneration())
    } catch {
      // The record in place cannot be opened now; perhaps it can later, and then this file is needed still.
      return 0
    }
    const next = await this.#openNext(text)
    if (next !== current + 1) {
      removeFile(this.nextPath)
      return 0
    }
    replaceFile(this.nextPath, text)
    await renameFile(this.nextPath, this.path)
    removeFile(this.intentPath)
    return next
  }

  /** The generation of the record in `text`; null when it is none. */
  async #openNext(text: string): Promise<number | null> {
    try {
      const opened = await this.sealed.openText(text, this.binding('token-set'), this.nextPath)
      return opened.header.generation
    } catch (error) {
      if (error instanceof CodedError) return null
      throw error
    }
  }
}
