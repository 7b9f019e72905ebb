import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { TokenRecord } from '../../src/oauth/token-set.ts'
import type { ProfileId } from '../../src/profile.ts'
import { Secret } from '../../src/secret.ts'
import { createFileStore } from '../../src/store/files/file-store.ts'
import { SealedFiles } from '../../src/store/sealed-files.ts'
import type { LockedProfile, TokenStore } from '../../src/store/token-store.ts'
import { copyFolder, makeFolder } from '../support/folder.ts'
import { NO_MODES } from '../support/needs.ts'
import { fileKeys } from '../support/stored.ts'
import { ISSUED_AT, makeTokenSet } from '../support/token-set.ts'

export const ID: ProfileId = { brand: 'feishu', appId: 'cli_a1', profile: 'default' }
/** Longer than anything here takes. */
export const LONG_MS = 10_000

/** A store on disk, and each process on it. */
export type Disk = {
  directory: string
  /** The record of {@link ID}; what belongs to it lies beside, under its name with an ending. */
  path: string
  /** The store as one process opens it. */
  open(): TokenStore
  /** The disk as it is now: what a crash of every process would leave. */
  crash(): Disk
  /** The names of all files of the profile, but for its locks. */
  names(): string[]
}

/** An empty store, or the one in `directory`. */
export function makeDisk(directory: string = join(makeFolder(), 'tokens')): Disk {
  const path = join(directory, 'store', 'feishu-cli_a1-default.json')
  return {
    directory,
    path,
    open: () => createFileStore({ directory, keys: fileKeys(directory), now: () => ISSUED_AT }),
    crash: () => makeDisk(copyOf(directory)),
    names: () => readdirSync(join(directory, 'store')).filter((name) => !name.endsWith('.lock')),
  }
}

/** A copy of a store's folder, which need not be there yet. */
export function copyOf(directory: string): string {
  const copy = join(makeFolder(), 'tokens')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  copyFolder(directory, copy)
  return copy
}

/** What is sealed in a store's folder, as a process of its own would read and write it. */
export function sealedIn(directory: string): SealedFiles {
  return new SealedFiles(directory, fileKeys(directory))
}

/** The record of a generation: its tokens bear the number. */
export function makeRecord(generation: number): TokenRecord {
  const tokenSet = makeTokenSet({
    accessToken: new Secret(`canary-access-${generation}`),
    refreshToken: refreshTokenOf(generation),
  })
  return { generation, tokenSet }
}

export function refreshTokenOf(generation: number): Secret {
  return new Secret(`canary-refresh-${generation}`)
}

/** Does what comes before a presentation of the first refresh token, up to its first byte. */
export async function present(locked: LockedProfile): Promise<void> {
  await locked.prepare(refreshTokenOf(1))
  locked.markSent()
}

/** Stores the records up to a generation, and gives the store. */
export async function storeUpTo(disk: Disk, generation: number): Promise<TokenStore> {
  const store = disk.open()
  await store.withLock(ID, LONG_MS, async (locked) => {
    const stored = await locked.read()
    for (let next = stored.generation + 1; next <= generation; next += 1) {
      await locked.commit(makeRecord(next), next - 1)
    }
  })
  return store
}

/** The refresh token of a record, as text. */
export function spent(record: TokenRecord): string | null {
  return record.tokenSet?.refreshToken?.reveal() ?? null
}

/** Every file below a directory that others may touch in any way, or that shows a secret. */
export function exposed(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = join(directory, name)
    if (!existsSync(path)) return false
    const stat = statSync(path)
    return (
      (NO_MODES === null && (stat.mode & 0o077) !== 0) ||
      (stat.isFile() && readFileSync(path).includes('canary'))
    )
  })
}

/** Takes the folder of the records away and puts a file in its place: nothing can be written, by root neither. */
export function breakDisk(directory: string): () => void {
  const folder = join(directory, 'store')
  renameSync(folder, `${folder}.away`)
  writeFileSync(folder, '')
  return () => {
    rmSync(folder)
    renameSync(`${folder}.away`, folder)
  }
}

/** The store, with `before` done ahead of each change of a record. */
export function changing(store: TokenStore, before: () => void): TokenStore {
  const withLock: TokenStore['withLock'] = (id, deadlineMs, work) =>
    store.withLock(id, deadlineMs, (locked) => {
      const commit = locked.commit.bind(locked)
      locked.commit = async (...given) => {
        before()
        return commit(...given)
      }
      const remove = locked.remove.bind(locked)
      locked.remove = async () => {
        before()
        return remove()
      }
      return work(locked)
    })
  return { ...store, withLock }
}
