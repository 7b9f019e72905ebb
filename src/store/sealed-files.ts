// Files that are sealed with the store's key.

import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CodedError, errnoOf } from '../errors.ts'
import { fileVersion } from '../machine/file-version.ts'
import { isDenied, isMissing, readOwnFile, removeTemporaryFiles } from '../machine/files.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'
import type { Json } from '../oauth/answer.ts'
import { say, type Value } from '../sentence.ts'
import { type Binding, type Header, openEnvelope, readEnvelope, readHeader, seal } from './envelope.ts'
import type { Key, Keys, NamedKey } from './key.ts'

/** No file of ours comes near; a larger one is not ours. */
export const MAX_FILE_BYTES = 1_048_576

/** What app.json belongs to: no single profile. */
export const APPS: Binding = { kind: 'apps', brand: '', app_id: '', profile: '' }

/** An error of a write, with the path, the errno and what to do. */
export function notWritable(path: string, error: unknown): CodedError {
  if (error instanceof CodedError) return error
  const lasting = isDenied(error)
  return new CodedError(
    lasting ? 'config_invalid' : 'store_not_writable',
    say`${path} cannot be written (${errnoOf(error) ?? say`unknown error`}).`,
    {
      nextStep: lasting
        ? say`Let this user write to ${dirname(path)} and its files, or set FEISHU_TOKEN_DIR to another directory; nothing was lost.`
        : say`Free some disk space or fix the permissions of ${dirname(path)}, then try again; nothing was lost.`,
      cause: error,
    },
  )
}

/** An error of reading a file of ours as one of the store's. */
export function notReadable(
  path: string,
  error: unknown,
  code: 'store_unreadable' | 'key_unavailable' = 'store_unreadable',
): CodedError {
  if (error instanceof CodedError) return error
  return new CodedError(code, say`${path} cannot be read (${errnoOf(error) ?? say`unknown error`}).`, {
    nextStep: say`Fix the permissions of ${path}; it was left as it is.`,
    cause: error,
  })
}

/** Reads a file of ours as text; null when there is none. */
export function readText(path: string): string | null {
  try {
    return readOwnFile(path, MAX_FILE_BYTES)?.toString('utf8') ?? null
  } catch (error) {
    throw notReadable(path, error)
  }
}

/** The sealed files in a directory, and the one key that all of them share. */
export class SealedFiles {
  readonly folder: string
  readonly appsPath: string
  readonly #keys: Keys
  /** The headers read last: every `token_status` asks for the same one again. */
  readonly #headers = new Map<string, { version: string; header: Header }>()

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
      // Perhaps it was sealed again meanwhile, and the key it named was removed.
      const again = readText(path)
      if (again === null || again === text) throw error
      return this.openText(again, binding, path)
    }
  }

  async openText(text: string, binding: Binding, path: Value): Promise<{ header: Header; content: Json }> {
    const envelope = readEnvelope(text, path)
    const key = await this.#keys.find(envelope.header)
    return openEnvelope(envelope, binding, key.bytes, path)
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
    removeTemporaryFiles(this.appsPath)
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
    const version = fileVersion(path)
    if (version === null) return null
    const known = this.#headers.get(path)
    if (known?.version === version) return known.header
    try {
      const header = this.header(path)
      if (header) this.#headers.set(path, { version, header })
      return header
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

  /** The key of a name. Throws `key_unavailable`. */
  find(named: NamedKey): Promise<Key> {
    return this.#keys.find(named)
  }

  /** Makes a folder again that someone removed, with the key that is in use. */
  restore(key: Key): void {
    ensureOwnDirectory(this.folder)
    this.#keys.restore(key)
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
