// Where the 32 bytes come from that the store is sealed with. A key is looked up by the id that a sealed file names,
// so a new key never replaces the one that a file in place needs.

import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { CodedError } from '../errors.ts'
import { fileVersion } from '../machine/file-version.ts'
import { createFileOnce, isMissing, readOwnFile, removeFile } from '../machine/files.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'
import type { Secret } from '../secret.ts'
import { call, clause, type Sentence, say } from '../sentence.ts'
import { isKeyId, type KeySource, keyIdOf } from './envelope.ts'
import type { Keychain } from './keychain.ts'
import { notReadable } from './sealed-files.ts'

export type Key = { source: KeySource; id: string; bytes: Buffer }

/** A key as a sealed file's header names it. */
export type NamedKey = { key_source: KeySource; key_id: string }

export type Keys = {
  /** The key that a sealed file names. Throws `key_unavailable`. */
  find(named: NamedKey): Promise<Key>
  /** A key for the first sealed file: one that is there already, or a new one. */
  first(): Promise<Key>
  /** A key to go on with where the named one is gone. Throws `key_unavailable` where it is only out of reach. */
  successor(named: NamedKey): Promise<Key>
  /** A key that this source keeps: one that is there already, or a new one. Throws `key_unavailable`. */
  obtain(source: KeySource): Promise<Key>
  /** A key file of its own, whatever others there are. */
  create(): Key
  /** Puts a key file back that was removed while its key is in use; other places are not ours. */
  restore(key: Key): void
  /** Removes a key that no sealed file names any more; false: its source is not ours to change. */
  discard(named: NamedKey): Promise<boolean>
}

const KEY_BYTES = 32
/** Of the files of this machine alone, or of a store that it shares with others: a move of the one lets the other be. */
export type KeyFileEnding = '.key' | '.shared.key'
/**
 * How long a keychain's refusal is taken for its answer: one call asks many times, and each time a locked keychain may
 * show its prompt. Short enough for a person who has just unlocked it.
 */
const REFUSAL_MS = 5_000

function toKey(source: KeySource, bytes: Buffer): Key {
  return { source, id: keyIdOf(bytes), bytes }
}

type KeyFiles = { directory: string; ending: KeyFileEnding }

/** The keys of one store: the environment's, the key files in a directory of their own, and those in the keychain. */
export function createKeys(options: {
  directory: string
  /** How the names of its key files end; `.key` unless told. */
  ending?: KeyFileEnding
  source: 'auto' | KeySource
  environmentKey: Secret | null
  /** Without one: this process can reach none. */
  keychain?: Keychain
}): Keys {
  const { directory, ending = '.key', environmentKey, keychain } = options
  const files: KeyFiles = { directory, ending }
  const environment = environmentKey ? toKey('env', Buffer.from(environmentKey.reveal(), 'base64')) : null
  const keychainKeys = keychain ? createKeychainKeys(keychain) : null
  let last: { version: string | null; key: Key | null } = { version: null, key: null }

  /** As long as its file lies there unchanged, a key is not read again for every record. */
  function keyOfFile(id: string): Key | null {
    const version = fileVersion(keyFile(files, id))
    if (version === null || version !== last.version) last = { version, key: readKeyFile(files, id) }
    return last.key
  }

  async function lookUp({ key_source, key_id }: NamedKey): Promise<Key | null> {
    if (key_source === 'env') return environment
    if (key_source === 'file') return keyOfFile(key_id)
    if (keychainKeys) return keychainKeys.read(key_id)
    throw noKey('keychain')
  }

  async function obtain(source: KeySource): Promise<Key> {
    if (source === 'file') return firstKeyFile(files)
    if (source === 'env' && environment) return environment
    if (source === 'keychain' && keychainKeys) return keychainKeys.create()
    throw noKey(source)
  }

  async function first(): Promise<Key> {
    if (options.source !== 'auto') return obtain(options.source)
    if (!(await keychain?.mayExist())) return obtain('file')
    return obtain('keychain').catch(() => obtain('file'))
  }

  return {
    obtain,
    first,
    async find(named) {
      const key = await lookUp(named)
      if (key?.id === named.key_id) return key
      throw keyUnavailable(named, files, key !== null)
    },
    async successor(named) {
      // Throws where it is only out of reach.
      const key = await lookUp(named)
      return named.key_source === 'keychain' && key?.id === named.key_id ? key : first()
    },
    create: () => createKeyFile(files),
    restore: (key) => {
      if (key.source === 'file') writeKeyFile(files, key)
    },
    async discard({ key_source, key_id }) {
      if (key_source === 'file') removeFile(keyFile(files, key_id))
      if (key_source === 'keychain') await keychain?.remove(key_id)
      return key_source !== 'env'
    },
  }
}

/** Keys in the keychain; one that was read once is remembered by this process. */
function createKeychainKeys(keychain: Keychain): {
  read(id: string): Promise<Key | null>
  create(): Promise<Key>
} {
  const known = new Map<string, Promise<Key | null>>()
  let created: Key | null = null

  async function ask(id: string): Promise<Key | null> {
    const value = await keychain.read(id)
    return value === null ? null : toKey('keychain', Buffer.from(value, 'base64'))
  }

  return {
    read(id) {
      const asked = known.get(id)
      if (asked) return asked
      const answer = ask(id)
      known.set(id, answer)
      const forgetSoon = () => void setTimeout(() => known.delete(id), REFUSAL_MS).unref()
      answer.then((key) => key ?? forgetSoon(), forgetSoon)
      return answer
    },
    async create() {
      // Not one for every file that is sealed before the first of them lies in its place.
      if (created) return created
      const key = toKey('keychain', randomBytes(KEY_BYTES))
      await keychain.keep(key.id, key.bytes.toString('base64'))
      known.set(key.id, Promise.resolve(key))
      created = key
      return key
    },
  }
}

function keyFile({ directory, ending }: KeyFiles, id: string): string {
  return join(directory, `${id}${ending}`)
}

function readKeyFile(files: KeyFiles, id: string): Key | null {
  if (!isKeyId(id)) return null
  const path = keyFile(files, id)
  let text: Buffer | null
  try {
    // A key in base64 has 44 characters.
    text = readOwnFile(path, 256)
  } catch (error) {
    throw notReadable(path, error, 'key_unavailable')
  }
  if (!text) return null
  const bytes = Buffer.from(text.toString('ascii'), 'base64')
  return bytes.length === KEY_BYTES ? toKey('file', bytes) : null
}

function keyFileIds({ directory, ending }: KeyFiles): string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.slice(16) === ending)
    return names.map((name) => name.slice(0, 16)).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function firstKeyFile(files: KeyFiles): Key {
  for (const id of keyFileIds(files)) {
    const key = readKeyFile(files, id)
    if (key?.id === id) return key
  }
  return createKeyFile(files)
}

function createKeyFile(files: KeyFiles): Key {
  const key = toKey('file', randomBytes(KEY_BYTES))
  writeKeyFile(files, key)
  return key
}

function writeKeyFile(files: KeyFiles, key: Key): void {
  ensureOwnDirectory(files.directory)
  createFileOnce(keyFile(files, key.id), Buffer.from(`${key.bytes.toString('base64')}\n`))
}

function noKey(source: KeySource): CodedError {
  return source === 'env'
    ? new CodedError('key_unavailable', say`The key should come from FEISHU_TOKEN_KEY, which is not set.`, {
        nextStep: say`Set FEISHU_TOKEN_KEY to 32 bytes in base64; \`openssl rand -base64 32\` makes them.`,
      })
    : new CodedError('key_unavailable', say`This process can reach no keychain.`, {
        nextStep: say`Set FEISHU_TOKEN_KEY_SOURCE to file or env.`,
      })
}

/** No file is lost by it. */
export const KEEPS_OLD_FILE: Sentence = clause(
  say`${call('start_authorization')}: a new authorization keeps the old file aside`,
)

function keyUnavailable({ key_source, key_id }: NamedKey, files: KeyFiles, wrong: boolean): CodedError {
  const what = wrong ? say`is not the one that the store was sealed with` : say`is missing`
  const told: Record<KeySource, [where: Sentence, fix: Sentence]> = {
    env: [
      say`The key in FEISHU_TOKEN_KEY`,
      say`Set FEISHU_TOKEN_KEY to the key that the store was sealed with`,
    ],
    file: [say`The key file ${keyFile(files, key_id)}`, say`Restore it from a backup`],
    keychain: [
      say`The keychain's entry feishu-token-mcp ${key_id}`,
      say`Start feishu-token-mcp in the login session whose keychain holds it`,
    ],
  }
  const [where, fix] = told[key_source]
  return new CodedError('key_unavailable', say`${where} ${what}; nothing was changed.`, {
    nextStep: say`${fix}, or ${KEEPS_OLD_FILE}.`,
  })
}
