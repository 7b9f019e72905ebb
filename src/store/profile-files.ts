import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AuthError } from '../errors.ts'
import {
  errnoOf,
  isMissing,
  isTemporaryNameOf,
  readOwnFile,
  removeFile,
  renameFile,
  replaceFile,
} from '../files.ts'
import { decodeRecord, type TokenRecord } from '../oauth/token-set.ts'
import { type Binding, type Header, open, readHeader, seal } from './envelope.ts'
import type { Key, Keys } from './key.ts'
import { type LockHolder, peekHolder } from './lock.ts'
import type { Journal, Json, ProfileId } from './token-store.ts'

/** No file of ours comes near; a larger one is not ours. */
const MAX_FILE_BYTES = 1_048_576

/** What app.json belongs to: no single profile. */
export const APPS: Binding = { kind: 'apps', brand: '', app_id: '', profile: '' }

/** An error of a write, with the path, the errno and what to do. */
export function notWritable(path: string, error: unknown): AuthError {
  if (error instanceof AuthError) return error
  return new AuthError(
    'store_not_writable',
    `${path} cannot be written (${errnoOf(error) ?? 'unknown error'}).`,
    {
      nextStep: `Make room or mend the permissions of ${dirname(path)}, then try again; nothing was lost.`,
      cause: error,
    },
  )
}

/** Reads a file of ours as text; null when there is none. */
function readText(path: string): string | null {
  try {
    return readOwnFile(path, MAX_FILE_BYTES)?.toString('utf8') ?? null
  } catch (error) {
    if (error instanceof AuthError) throw error
    throw new AuthError(
      'store_unreadable',
      `${path} cannot be read (${errnoOf(error) ?? 'unknown error'}).`,
      {
        nextStep: `Mend the permissions of ${path}; it was left as it is.`,
        cause: error,
      },
    )
  }
}

/** The highest generation that the last holder of a lock knew; 0 when it says nothing that can be true. */
export function generationOf(holder: LockHolder | null): number {
  const generation = Number(holder?.note.generation ?? 0)
  return Number.isSafeInteger(generation) && generation > 0 ? generation : 0
}

function isJournal(journal: Journal): boolean {
  const { tokenHash, ambiguous, sentAt, cooldownUntil } = journal
  const instants = [sentAt, cooldownUntil].every((at) => at === null || typeof at === 'number')
  return typeof tokenHash === 'string' && Number.isInteger(ambiguous) && ambiguous >= 0 && instants
}

/**
 * An older copy that somebody put back holds a refresh token that was spent since: it is never presented. The counter
 * does not fall with it.
 */
function withoutSpentToken({ tokenSet }: TokenRecord, generation: number): TokenRecord {
  if (!tokenSet) return { generation, tokenSet }
  const refusal = {
    reason: 'outdated',
    at: tokenSet.issuedAt,
    code: 'refresh_uncertain',
    feishuCode: null,
    logId: null,
    lostAt: null,
  } as const
  return { generation, tokenSet: { ...tokenSet, refusal } }
}

/** The sealed files in a directory, and the one key that all of them share. */
export class SealedFiles {
  readonly folder: string
  readonly appsPath: string
  readonly #keys: Keys

  constructor(directory: string, keys: Keys) {
    this.folder = join(directory, 'store')
    this.appsPath = join(directory, 'app.json')
    this.#keys = keys
  }

  /** The names of the records, without a promise that they can be opened. */
  names(): string[] {
    try {
      return readdirSync(this.folder).filter((name) => name.endsWith('.json'))
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  }

  async open(path: string, binding: Binding): Promise<{ header: Header; content: Json } | null> {
    const text = readText(path)
    if (text === null) return null
    try {
      return await this.openText(text, binding, path)
    } catch (error) {
      // Perhaps it was sealed anew meanwhile, and the key it named was removed.
      const again = readText(path)
      if (again === null || again === text) throw error
      return this.openText(again, binding, path)
    }
  }

  async openText(text: string, binding: Binding, path: string): Promise<{ header: Header; content: Json }> {
    const key = await this.#keys.find(readHeader(text, path))
    return open(text, binding, key.bytes, path)
  }

  /** The header of the record at `path`, else of any sealed file; null where nothing is sealed yet. */
  anyHeader(path: string): Header | null {
    return (
      this.#readableHeader(path) ??
      this.#readableHeader(`${path}.pending`) ??
      this.headers().next().value ??
      null
    )
  }

  /** Removes what a process that died while it wrote the credentials left behind. Only with their lock held. */
  cleanUpApps(): void {
    const directory = dirname(this.appsPath)
    for (const name of readdirSync(directory)) {
      if (isTemporaryNameOf(name, this.appsPath)) removeFile(join(directory, name))
    }
  }

  /** The headers of the credentials and of all records, as far as they can be read. */
  *headers(): Generator<Header, undefined> {
    for (const path of [this.appsPath, ...this.names().map((name) => join(this.folder, name))]) {
      const header = this.#readableHeader(path)
      if (header) yield header
    }
  }

  /** The header of the file at `path`, without proof; null where there is none. Throws `store_unreadable`. */
  header(path: string): Header | null {
    const text = readText(path)
    return text === null ? null : readHeader(text, path)
  }

  #readableHeader(path: string): Header | null {
    try {
      return this.header(path)
    } catch {
      // It names no key; whoever needs its content reads it and reports it.
      return null
    }
  }

  /** The key to seal `path` with: that of the file in place, else of the other files, else the first of all. */
  async sealingKey(path: string): Promise<Key> {
    const header = this.anyHeader(path)
    return header ? this.#keys.find(header) : this.#keys.first()
  }

  /** A key when the one in use is gone: only for a new authorization, which replaces what cannot be opened. */
  async newKey(path: string): Promise<Key> {
    const header = this.anyHeader(path)
    return header ? this.#keys.successor(header) : this.#keys.first()
  }

  seal(key: Key, binding: Binding, generation: number, content: Json): string {
    return seal({ ...binding, generation, key_source: key.source, key_id: key.id }, content, key.bytes)
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

  /** Removes everything but the locks, the record first: what is left without it binds nobody. */
  removeAll(): void {
    for (const path of [this.path, this.pendingPath, this.intentPath, this.nextPath]) removeFile(path)
  }

  binding(kind: Header['kind']): Binding {
    return { kind, brand: this.id.brand, app_id: this.id.appId, profile: this.id.profile }
  }

  async readRecord(): Promise<TokenRecord> {
    // Read before the record: it is noted after the record is written, so a newer one never looks like an older copy.
    const highest = this.highestGeneration()
    const opened = await this.sealed.open(this.path, this.binding('token-set'))
    if (!opened) return { generation: highest, tokenSet: null }
    const record = decodeRecord(opened.content)
    if (!record || record.generation !== opened.header.generation) {
      throw new AuthError('store_unreadable', `${this.path} holds no token set; it was left as it is.`, {
        nextStep: 'Call start_authorization: a new authorization keeps this file aside.',
      })
    }
    return record.generation < highest ? withoutSpentToken(record, highest) : record
  }

  /** The highest generation ever written, noted in the lock file. */
  highestGeneration(): number {
    return generationOf(peekHolder(this.lockPath))
  }

  readJournal(): Journal | null {
    const text = readText(this.intentPath)
    if (text === null) return null
    try {
      const journal = JSON.parse(text) as Journal
      if (isJournal(journal)) return journal
    } catch {
      // Damaged: told below.
    }
    throw new AuthError('store_unreadable', `${this.intentPath} is damaged; it was left as it is.`, {
      nextStep:
        'Call start_authorization; or remove this file if you are sure that no refresh was interrupted lately.',
    })
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
    const written = [this.path, this.intentPath, this.pendingPath, this.nextPath]
    for (const name of readdirSync(this.sealed.folder)) {
      if (written.some((path) => isTemporaryNameOf(name, path))) removeFile(join(this.sealed.folder, name))
    }
    let bytes: Buffer | null = null
    try {
      bytes = readOwnFile(this.nextPath, MAX_FILE_BYTES)
    } catch (error) {
      // Not a file of ours, so not our record. An error of the disk says nothing about it.
      if (!(error instanceof AuthError)) throw error
      removeFile(this.nextPath)
    }
    // The rest of the reserved room is blank.
    return bytes === null ? 0 : this.#adopt(`${bytes.toString('utf8').trimEnd()}\n`)
  }

  async #adopt(text: string): Promise<number> {
    let current: number
    try {
      const opened = await this.sealed.open(this.path, this.binding('token-set'))
      current = opened?.header.generation ?? this.highestGeneration()
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
      if (error instanceof AuthError) return null
      throw error
    }
  }
}
