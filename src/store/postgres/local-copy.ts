// What this machine keeps of a shared store's profile, sealed like its row: the newest record that it has seen, which
// serves the access token while the database is away; and, while an answer of Feishu's is not confirmed there, the
// rescue file that holds it. Nothing is ever spent on the word of these files.

import { createHash, randomUUID } from 'node:crypto'
import { CodedError } from '../../errors.ts'
import { fileVersion } from '../../machine/file-version.ts'
import { removeFile, replaceFile } from '../../machine/files.ts'
import { ensureOwnDirectory } from '../../machine/own-directory.ts'
import type { Json } from '../../oauth/answer.ts'
import { decodeRecord, type TokenRecord } from '../../oauth/token-set.ts'
import type { ProfileId } from '../../profile.ts'
import { call, say, type Value } from '../../sentence.ts'
import { ProfileFiles } from '../files/profile-files.ts'
import type { Key } from '../key.ts'
import { notWritable, readText, type SealedFiles } from '../sealed-files.ts'
import type { SharedKeys } from './shared-key.ts'

/** A sealed record and what is in it. */
export type SealedRecord = { text: string; record: TokenRecord }

/** Whether the bytes of an attempt went out, as far as this machine knows. */
type WriteAttempt = { attempt: string; sent: boolean }

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

export class LocalCopy {
  readonly files: ProfileFiles
  readonly #keys: SharedKeys
  /** The text that was last seen to be on this disk, by its hash: there may be thousands. */
  #kept: { hash: string; version: string | null } | null = null

  constructor(sealed: SealedFiles, keys: SharedKeys, id: ProfileId) {
    this.files = new ProfileFiles(sealed, id)
    this.#keys = keys
  }

  /** The key that the shared store is sealed with. Throws `key_unavailable`. */
  key(id: string): Promise<Key> {
    return this.#keys.find({ key_source: 'file', key_id: id })
  }

  /** Opens a sealed pending authorization, wherever it comes from. */
  async openPending(text: string, where: Value): Promise<Json> {
    return (await this.files.sealed.openText(text, this.files.binding('authorization'), where)).content
  }

  /** Keeps the bytes of a record that cannot be opened. Throws `store_not_writable`. */
  setAside(text: string, now: number): void {
    const path = this.files.asidePath(now)
    try {
      replaceFile(path, text)
    } catch (error) {
      throw notWritable(path, error)
    }
  }

  /** Opens a sealed record, wherever it comes from. */
  async open(text: string, where: Value): Promise<TokenRecord> {
    const { header, content } = await this.files.sealed.openText(text, this.files.binding('token-set'), where)
    const record = decodeRecord(content)
    if (record && record.generation === header.generation) return record
    throw new CodedError('store_unreadable', say`${where} holds no token set; it was left as it is.`, {
      nextStep: say`${call('start_authorization')}: a new authorization keeps what is there aside.`,
    })
  }

  /** The newest record seen; null: none, or a damaged one. Throws `key_unavailable`. */
  async read(): Promise<SealedRecord | null> {
    return this.#openFile(this.files.path)
  }

  /** A record whose commit was not confirmed; null: none, or no whole one. Throws `key_unavailable`. */
  async readRescue(): Promise<SealedRecord | null> {
    return this.#openFile(this.files.nextPath)
  }

  async #openFile(path: string): Promise<SealedRecord | null> {
    try {
      const padded = readText(path)
      if (padded === null) return null
      // The rest of reserved room is blank.
      const text = `${padded.trimEnd()}\n`
      return { text, record: await this.open(text, path) }
    } catch (error) {
      if (error instanceof CodedError && error.code === 'store_unreadable') return null
      throw error
    }
  }

  /** Whether this very text is known to be on this disk. */
  has(text: string): boolean {
    return this.#kept?.hash === hashOf(text) && this.#kept.version === fileVersion(this.files.path)
  }

  /** Keeps what was read from the database. A disk that takes nothing is no reason not to use it. */
  keep(text: string): void {
    const { path } = this.files
    if (this.has(text)) return
    try {
      ensureOwnDirectory(this.files.sealed.folder)
      if (readText(path) !== text) replaceFile(path, text)
      this.#kept = { hash: hashOf(text), version: fileVersion(path) }
    } catch {
      // Then there is nothing to serve while the database is away.
    }
  }

  /** Throws `store_not_writable`. */
  dropRescue(): void {
    try {
      removeFile(this.files.nextPath)
    } catch (error) {
      throw notWritable(this.files.nextPath, error)
    }
  }

  drop(): void {
    this.#kept = null
    this.files.removeAll()
  }

  /** Notes that a token is about to be presented; resolves to a name for the attempt. */
  beginAttempt(): string {
    const attempt = randomUUID()
    this.#noteAttempt({ attempt, sent: false })
    return attempt
  }

  /** Synchronous: it runs between two bytes. */
  attemptSent(attempt: string): void {
    this.#noteAttempt({ attempt, sent: true })
  }

  /** The attempt consumed nothing: known here from now on, whether the database can be told or not. */
  attemptUndone(attempt: string): void {
    this.#noteAttempt({ attempt, sent: false })
  }

  endAttempt(): void {
    removeFile(this.files.intentPath)
  }

  #noteAttempt(attempt: WriteAttempt): void {
    try {
      replaceFile(this.files.intentPath, `${JSON.stringify(attempt)}\n`)
    } catch (error) {
      throw notWritable(this.files.intentPath, error)
    }
  }

  /** Whether this machine knows that the attempt consumed nothing. */
  isUndone(attempt: string): boolean {
    try {
      const note = JSON.parse(readText(this.files.intentPath) ?? 'null') as WriteAttempt | null
      return note?.attempt === attempt && note.sent === false
    } catch {
      // What cannot be read proves nothing.
      return false
    }
  }
}
