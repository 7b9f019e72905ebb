// The keys of the standing gateway, one for each program: kept as hashes in the token directory, so that whoever reads
// the file can let in no one.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Deps } from '../deps.ts'
import { CodedError, errnoOf } from '../errors.ts'
import { createKey } from '../gateway/gateway.ts'
import { fileVersion } from '../machine/file-version.ts'
import { readOwnFile, removeTemporaryFiles, replaceFile } from '../machine/files.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'
import { PROFILE_NAME, profileOption } from '../profile.ts'
import { type Sentence, say, shown } from '../sentence.ts'
import { acquireLock } from '../store/lock.ts'
import { LOCK_MS } from '../store/token-store.ts'

/** A key as the file keeps it: it opens the gateways of its profile alone. */
export type GatewayKey = { name: string; profile: string; hash: string; createdAt: number }

/** Ten thousand keys; a file that is larger was not written by us. */
const MAX_BYTES = 2_000_000

/** A running gateway looks at the file again after this. */
const LOOK_MS = 1_000

function pathOf(deps: Deps): string {
  return join(deps.config.tokenDir, 'gateway-keys.json')
}

/** 256 random bits need no salt and no slow hash. */
function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url')
}

function isKey(value: unknown): value is GatewayKey {
  const { name, profile, hash, createdAt } = (value ?? {}) as Partial<Record<keyof GatewayKey, unknown>>
  return [name, profile, hash].every((text) => typeof text === 'string') && typeof createdAt === 'number'
}

function readKeys(deps: Deps): GatewayKey[] {
  const path = pathOf(deps)
  try {
    const bytes = readOwnFile(path, MAX_BYTES)
    if (bytes === null) return []
    const { keys } = JSON.parse(bytes.toString()) as { keys: unknown }
    if (Array.isArray(keys) && keys.every(isKey)) return keys
  } catch (error) {
    if (error instanceof CodedError) throw error
    const errno = errnoOf(error)
    if (errno !== null)
      throw unreadable(path, errno, say`Fix the permissions of ${path}; it was left as it is.`)
  }
  throw unreadable(path, 'damaged', say`Move the file away and make new keys.`)
}

function unreadable(path: string, why: string, nextStep: Sentence): CodedError {
  return new CodedError('config_invalid', say`The keys of the gateway (${path}) cannot be read (${why}).`, {
    nextStep,
  })
}

/** Changes the file under a lock of its own: two commands at once lose nothing. */
async function change(deps: Deps, alter: (keys: GatewayKey[]) => GatewayKey[]): Promise<void> {
  const path = pathOf(deps)
  ensureOwnDirectory(deps.config.tokenDir)
  const lock = await acquireLock(`${path}.lock`, LOCK_MS, deps.clock.now)
  if (lock?.kind !== 'held') {
    throw new CodedError('store_locked', say`Another process is changing the keys of the gateway.`, {
      nextStep: say`Try again in a moment.`,
    })
  }
  try {
    removeTemporaryFiles(path)
    replaceFile(path, `${JSON.stringify({ version: 1, keys: alter(readKeys(deps)) }, null, 2)}\n`)
  } finally {
    lock.release()
  }
}

/**
 * Makes a key; this is the only time that it can be seen.
 *
 * @throws CodedError `config_invalid` for a name that exists
 */
export async function newGatewayKey(deps: Deps, profile: string, name: string): Promise<string> {
  if (!PROFILE_NAME.test(name)) {
    throw new CodedError(
      'config_invalid',
      say`A key name has 1 to 64 of a-z, 0-9, ".", "_" and "-", a letter or digit first.`,
      {
        nextStep: say`Choose such a name.`,
      },
    )
  }
  const key = createKey()
  await change(deps, (keys) => {
    if (keys.some((known) => known.profile === profile && known.name === name)) {
      throw new CodedError('config_invalid', say`There is a key ${shown(name)} already.`, {
        nextStep: say`Choose another name, or run \`${deps.command} gateway key remove ${name}${profileOption(profile)}\` first.`,
      })
    }
    return [...keys, { name, profile, hash: hashOf(key), createdAt: deps.clock.now() }]
  })
  return key
}

/** The keys of a profile, in the order in which they were made. */
export function listGatewayKeys(deps: Deps, profile: string): GatewayKey[] {
  return readKeys(deps).filter((key) => key.profile === profile)
}

/** @throws CodedError `config_invalid` for a name that does not exist */
export async function removeGatewayKey(deps: Deps, profile: string, name: string): Promise<void> {
  await change(deps, (keys) => {
    const left = keys.filter((key) => key.profile !== profile || key.name !== name)
    if (left.length < keys.length) return left
    throw new CodedError('config_invalid', say`There is no key ${shown(name)}.`, {
      nextStep: say`See \`${deps.command} gateway key list${profileOption(profile)}\`.`,
    })
  })
}

/** The keys of a profile that gets another name, or (null) goes: a later profile of the old name must not inherit them. */
export async function moveGatewayKeys(deps: Deps, from: string, to: string | null): Promise<void> {
  if (fileVersion(pathOf(deps)) === null) return
  await change(deps, (keys) =>
    keys.flatMap((key) => {
      if (key.profile !== from) return [key]
      return to === null ? [] : [{ ...key, profile: to }]
    }),
  )
}

/** Tells whether a key is one of the profile's, now: what other processes change is seen within a second. */
export function watchGatewayKeys(deps: Deps, profile: string): (key: string) => boolean {
  let hashes = new Set<string>()
  let version: string | null = null
  let lookedAt: number | null = null
  const look = () => {
    const now = deps.clock.elapsed()
    if (lookedAt !== null && now - lookedAt < LOOK_MS) return
    lookedAt = now
    const found = fileVersion(pathOf(deps))
    if (found === version) return
    try {
      hashes = new Set(found === null ? [] : listGatewayKeys(deps, profile).map(({ hash }) => hash))
      version = found
    } catch (error) {
      // A key that was removed must not go on because the file is damaged.
      hashes = new Set()
      deps.log('warn', (error as CodedError).said)
    }
  }
  return (key) => {
    look()
    return hashes.has(hashOf(key))
  }
}
