// What those who only look (`glance` in token-store.ts) need not read again, because it lies where it lay. Whoever changes
// something reads it anew.

import { fileVersion, folderVersion } from '../../machine/file-version.ts'
import type { TokenRecord } from '../../oauth/token-set.ts'
import type { ProfileFiles } from './profile-files.ts'

/** Of the profiles that a status looks into there are twenty; each holds a few kilobytes. */
const MOST_SEEN = 64

/** The times of folders are as coarse as this (FAT): what changes twice within it may look as if it had changed once. */
const COARSE_MS = 2_000

export type Looks = {
  /** What `open` makes of the file at `path`. */
  file<T>(path: string, open: () => Promise<T>): Promise<T>
  record(files: ProfileFiles): Promise<TokenRecord>
  /** What `read` makes of the names in a folder, which is always the same one. */
  names(folder: string, key: string, read: () => Promise<string[]>): Promise<string[]>
}

/** What is remembered by one process; `now` is the wall clock. */
export function createLooks(now: () => number): Looks {
  const seen = new Map<string, { versions: [path: string, version: string | null][]; content: unknown }>()
  let named = { version: '', since: 0, names: new Map<string, string[]>() }

  /** `byFirst`: whether what was made of several files hangs on the first alone. */
  async function lookAt<T>(
    paths: readonly [string, ...string[]],
    open: () => Promise<T>,
    byFirst: (content: T) => boolean,
  ): Promise<T> {
    const known = seen.get(paths[0])
    if (known?.versions.every(([path, version]) => fileVersion(path) === version)) return known.content as T
    // Before it is read: what changes meanwhile is seen by the next look.
    const versions = paths.map((path): [string, string | null] => [path, fileVersion(path)])
    const content = await open()
    if (seen.size >= MOST_SEEN) seen.clear()
    seen.set(paths[0], { versions: byFirst(content) ? versions.slice(0, 1) : versions, content })
    return content
  }

  return {
    file: (path, open) => lookAt([path], open, () => true),
    record: (files) => lookAt([files.path, files.lockPath], () => files.readRecord(), isNewest),
    async names(folder, key, read) {
      const version = folderVersion(folder)
      if (version === null) return read()
      const at = now()
      if (version !== named.version) named = { version, since: at, names: new Map() }
      const { since, names } = named
      const known = names.get(key)
      if (known) return known
      const found = await read()
      // By now any further change shows in the folder's times.
      if (at - since >= COARSE_MS) names.set(key, found)
      return found
    },
  }
}

/** Whether the generation noted in the lock file makes nothing else of it: a higher one comes after a record of its own. */
function isNewest({ tokenSet }: TokenRecord): boolean {
  return tokenSet !== null && tokenSet.refusal?.reason !== 'outdated'
}
