// Seals everything again with another key. Each file names its key, so whatever a crash interrupts, all files can be
// opened, and the next run goes on. The old keys go last, and only those that no file of this machine names any more;
// until then a note beside the keys says which they are.
//
// A process that is just sealing a file with the old key holds the lock of that file, and found the old key's name in
// some file. So: take every lock there is, seal what lies under it, and begin again until a whole round finds nothing.

import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CodedError } from '../../errors.ts'
import { removeFile, removeTemporaryFiles, replaceFile } from '../../machine/files.ts'
import { ensureOwnDirectory } from '../../machine/own-directory.ts'
import type { Json } from '../../oauth/answer.ts'
import { decodeRecord } from '../../oauth/token-set.ts'
import type { Brand } from '../../profile.ts'
import { say } from '../../sentence.ts'
import { type Binding, type Header, isKeyId, type KeySource } from '../envelope.ts'
import { hashRefreshToken } from '../journal.ts'
import type { Key, Keys, NamedKey } from '../key.ts'
import { isKeyNamed } from '../key-names.ts'
import type { HeldLock } from '../lock.ts'
import { APPS, notWritable, readText, type SealedFiles } from '../sealed-files.ts'
import type { KeyMove } from '../token-store.ts'
import { noteWith } from './generation-note.ts'
import { takeUp } from './locked-files.ts'
import { ProfileFiles } from './profile-files.ts'

type Place = {
  directory: string
  sealed: SealedFiles
  keys: Keys
  /** Waits for a lock or throws `store_locked`. */
  lock: (path: string) => Promise<HeldLock>
}

/** Moves the key of the files in a directory. */
export async function moveKey(place: Place, to: KeySource): Promise<KeyMove> {
  const { directory, sealed, lock } = place
  if (sealed.headers().next().done) return { from: [], resealed: 0, left: [], oldKeys: 'removed' }
  // One at a time: the key that one move is about to remove may be the one that another seals with.
  return underLock(await lock(join(directory, 'key-move.lock')), () => resealAll(place, to))
}

async function resealAll({ directory, sealed, keys, lock }: Place, to: KeySource): Promise<KeyMove> {
  const headers = [...sealed.headers()]
  const resealing = new Resealing(directory, sealed, keys, await targetKey(keys, headers, to))
  let resealed: number
  do {
    resealed = resealing.resealed
    await underLock(await lock(`${sealed.appsPath}.lock`), () => resealing.resealApps())
    for (const path of recordPaths(sealed)) {
      await underLock(await lock(`${path}.lock`), (held) => resealing.resealProfile(path, held))
    }
  } while (resealing.resealed > resealed)
  return resealing.end()
}

async function underLock<T>(held: HeldLock, work: (held: HeldLock) => Promise<T>): Promise<T> {
  try {
    return await work(held)
  } finally {
    held.release()
  }
}

/** The places of all records that there are or may be in a moment: where there is a lock, someone may be writing. */
function recordPaths(sealed: SealedFiles): string[] {
  // The folder was made with the first lock.
  const names = readdirSync(sealed.folder)
  const records = names.flatMap((name) => /^(.+\.json)(\.lock|\.pending)?$/.exec(name)?.[1] ?? [])
  return [...new Set(records)].sort().map((name) => join(sealed.folder, name))
}

/** The key that `to` keeps for some file already, perhaps since a move that was interrupted; else a new one. */
async function targetKey(keys: Keys, headers: Header[], to: KeySource): Promise<Key> {
  for (const header of headers) {
    const key = header.key_source === to ? await keys.find(header).catch(() => null) : null
    if (key) return key
  }
  return keys.obtain(to)
}

class Resealing {
  resealed = 0
  readonly #sealed: SealedFiles
  readonly #keys: Keys
  readonly #key: Key
  readonly #left = new Map<string, CodedError>()
  readonly #directory: string
  /** Names the keys that were replaced and are still to be removed, over crashes. */
  readonly #notePath: string
  /** The keys that were replaced, by their ids. */
  readonly #replaced: Map<string, NamedKey>

  constructor(directory: string, sealed: SealedFiles, keys: Keys, key: Key) {
    this.#directory = directory
    this.#sealed = sealed
    this.#keys = keys
    this.#key = key
    this.#notePath = join(directory, 'key', 'move.json')
    removeTemporaryFiles(this.#notePath)
    const noted = parseNote(readText(this.#notePath)).filter(({ key_id }) => key_id !== key.id)
    this.#replaced = new Map(noted.map((named) => [named.key_id, named]))
  }

  /** Seals the file at `path` again, and what `work` says; what cannot be opened is noted and left. */
  async #orLeave(path: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#left.delete(path)
    } catch (error) {
      if (!(error instanceof CodedError) || error.code === 'store_not_writable') throw error
      this.#left.set(path, error)
    }
  }

  resealApps(): Promise<void> {
    const { appsPath } = this.#sealed
    return this.#orLeave(appsPath, () => {
      this.#sealed.cleanUpApps()
      return this.#reseal(appsPath, APPS)
    })
  }

  resealProfile(path: string, held: HeldLock): Promise<void> {
    return this.#orLeave(path, async () => {
      const files = this.#filesAt(path)
      if (!files) return
      const highest = await takeUp(files, held)
      await this.#reseal(path, files.binding('token-set'), (content, old) => {
        return this.#carryJournal(files, content, old)
      })
      if (highest > 0) held.describe(noteWith(files.id, this.#key, highest))
      await this.#reseal(files.pendingPath, files.binding('authorization')).catch((error) => {
        // What is pending is as good as gone when it cannot be opened.
        if (!(error instanceof CodedError) || error.code === 'store_not_writable') throw error
      })
    })
  }

  #filesAt(path: string): ProfileFiles | null {
    const header = this.#sealed.header(path) ?? this.#sealed.header(`${path}.pending`)
    if (!header) return null
    const { brand, app_id: appId, profile } = header
    const files = new ProfileFiles(this.#sealed, { brand: brand as Brand, appId, profile })
    if (files.path === path) return files
    throw new CodedError('store_unreadable', say`${path} belongs in another place; it was left as it is.`, {
      nextStep: say`Check ${path} and move it away.`,
    })
  }

  /** Seals one file again, unless it is already; `before` runs with its content, before it is replaced. */
  async #reseal(
    path: string,
    binding: Binding,
    before: (content: Json, old: NamedKey) => Promise<void> = async () => undefined,
  ): Promise<void> {
    const opened = await this.#sealed.open(path, binding)
    if (!opened || opened.header.key_id === this.#key.id) return
    const { header, content } = opened
    try {
      this.#note(header)
      await before(content, header)
      replaceFile(path, this.#sealed.seal(this.#key, binding, header.generation, content))
    } catch (error) {
      throw notWritable(path, error)
    }
    await this.#sealed.open(path, binding)
    this.resealed += 1
  }

  /** Before a file gives its key up: should this run die, the next one knows what is left to be removed. */
  #note({ key_source, key_id }: NamedKey): void {
    if (this.#replaced.has(key_id)) return
    this.#replaced.set(key_id, { key_source, key_id })
    ensureOwnDirectory(dirname(this.#notePath))
    replaceFile(this.#notePath, `${JSON.stringify([...this.#replaced.values()])}\n`)
  }

  /** Presentations of a refresh token are counted under a hash with the key: the count holds under the new one too. */
  async #carryJournal(files: ProfileFiles, content: Json, old: NamedKey): Promise<void> {
    const journal = files.readJournal()
    const refreshToken = decodeRecord(content)?.tokenSet?.refreshToken
    if (!journal || !refreshToken) return
    const tokenHash = hashRefreshToken(await this.#keys.find(old), refreshToken)
    if (tokenHash !== journal.tokenHash && tokenHash !== journal.movedHash) return
    const carried = { ...journal, tokenHash, movedHash: hashRefreshToken(this.#key, refreshToken) }
    replaceFile(files.intentPath, `${JSON.stringify(carried)}\n`)
  }

  async end(): Promise<KeyMove> {
    const [problem] = this.#left.values()
    if (problem && this.resealed === 0) throw problem
    return {
      from: [...new Set([...this.#replaced.values()].map((named) => named.key_source))],
      resealed: this.resealed,
      left: [...this.#left].map(([path, { message }]) => ({ path, why: message })),
      // A file that could not be opened may be restored from a backup, and then needs its key.
      oldKeys: this.#left.size === 0 ? await this.#discardOldKeys() : 'needed',
    }
  }

  async #discardOldKeys(): Promise<KeyMove['oldKeys']> {
    const fates: KeyMove['oldKeys'][] = []
    for (const named of this.#replaced.values()) fates.push(await this.#discard(named))
    // What stays for others is no longer ours to remove; what could not be removed is tried again by the next run.
    if (!fates.includes('stuck')) removeFile(this.#notePath)
    return (['stuck', 'needed', 'given'] as const).find((fate) => fates.includes(fate)) ?? 'removed'
  }

  async #discard(named: NamedKey): Promise<KeyMove['oldKeys']> {
    if (isKeyNamed(this.#directory, named.key_id)) return 'needed'
    try {
      return (await this.#keys.discard(named)) ? 'removed' : 'given'
    } catch {
      return 'stuck'
    }
  }
}

function parseNote(text: string | null): NamedKey[] {
  try {
    const named: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(named) ? named.filter(isNamedKey) : []
  } catch {
    // Damaged: then a key stays that no one needs.
    return []
  }
}

function isNamedKey(named: NamedKey | null): named is NamedKey {
  return isKeyId(named?.key_id) && typeof named?.key_source === 'string'
}
