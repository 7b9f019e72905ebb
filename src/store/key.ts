// Where the 32 bytes come from that the store is sealed with. A key is looked up by the id that a sealed file names,
// so a new key never replaces the one that a file in place needs.

import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { AuthError } from '../errors.ts'
import { createFileOnce, ensureOwnDirectory, isMissing, readOwnFile } from '../files.ts'
import type { Secret } from '../secret.ts'
import { type KeySource, keyIdOf } from './envelope.ts'

export type Key = { source: KeySource; id: string; bytes: Buffer }

export type Keys = {
  /** The key that a sealed file names. Throws `key_unavailable`. */
  find(named: { key_source: KeySource; key_id: string }): Promise<Key>
  /** A key for the first sealed file: one that is there already, or a new one. */
  first(): Promise<Key>
}

const KEY_BYTES = 32

function toKey(source: KeySource, bytes: Buffer): Key {
  return { source, id: keyIdOf(bytes), bytes }
}

/** The keys of one store: the environment's, and the key files in a directory of their own. */
export function createKeys(options: {
  directory: string
  source: 'auto' | 'keychain' | 'file' | 'env'
  environmentKey: Secret | null
}): Keys {
  const { directory, environmentKey } = options
  const environment = environmentKey ? toKey('env', Buffer.from(environmentKey.reveal(), 'base64')) : null
  return {
    async find({ key_source, key_id }) {
      const key = key_source === 'env' ? environment : readKeyFile(directory, key_id)
      if (key?.id === key_id) return key
      throw keyUnavailable(key_source, key_id, directory, key !== null)
    },
    async first() {
      if (options.source === 'auto' || options.source === 'file') return firstKeyFile(directory)
      if (options.source === 'env' && environment) return environment
      throw noFirstKey(options.source)
    },
  }
}

function keyFile(directory: string, id: string): string {
  return join(directory, `${id}.key`)
}

function readKeyFile(directory: string, id: string): Key | null {
  if (!/^[0-9a-f]{16}$/.test(id)) return null
  // A key in base64 has 44 characters.
  const text = readOwnFile(keyFile(directory, id), 256)
  if (!text) return null
  const bytes = Buffer.from(text.toString('ascii').trim(), 'base64')
  return bytes.length === KEY_BYTES ? toKey('file', bytes) : null
}

function keyFileIds(directory: string): string[] {
  try {
    const names = readdirSync(directory).filter((name) => /^[0-9a-f]{16}\.key$/.test(name))
    return names.sort().map((name) => name.slice(0, 16))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function firstKeyFile(directory: string): Key {
  for (const id of keyFileIds(directory)) {
    const key = readKeyFile(directory, id)
    if (key?.id === id) return key
  }
  ensureOwnDirectory(directory)
  const key = toKey('file', randomBytes(KEY_BYTES))
  createFileOnce(keyFile(directory, key.id), Buffer.from(`${key.bytes.toString('base64')}\n`))
  return key
}

function noFirstKey(source: 'env' | 'keychain'): AuthError {
  return source === 'env'
    ? new AuthError('key_unavailable', 'FEISHU_TOKEN_KEY_SOURCE is env, but FEISHU_TOKEN_KEY is not set.', {
        nextStep: 'Set FEISHU_TOKEN_KEY to 32 bytes in base64; `openssl rand -base64 32` makes them.',
      })
    : new AuthError('key_unavailable', 'This version keeps no key in a keychain.', {
        nextStep: 'Set FEISHU_TOKEN_KEY_SOURCE to file or env.',
      })
}

function keyUnavailable(source: KeySource, id: string, directory: string, wrong: boolean): AuthError {
  const what = wrong ? 'is not the one that the store was sealed with' : 'is missing'
  const [where, mend] = {
    env: ['The key in FEISHU_TOKEN_KEY', 'Set FEISHU_TOKEN_KEY to the key that the store was sealed with'],
    file: [`The key file ${keyFile(directory, id)}`, 'Restore it from a backup'],
    keychain: ['The key in the keychain', 'Unlock the keychain'],
  }[source]
  return new AuthError('key_unavailable', `${where} ${what}; nothing was changed.`, {
    nextStep: `${mend}, or call start_authorization: a new authorization keeps the old file aside.`,
  })
}
