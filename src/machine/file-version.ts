// Whether a file or a folder has changed since it was looked at, without opening it.

import { statSync } from 'node:fs'

/** Changes whenever the file at `path` is written to or replaced; null when there is none, or it cannot be looked at. */
export function fileVersion(path: string): string | null {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    return stat ? `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}` : null
  } catch {
    return null
  }
}

/**
 * Changes whenever a name comes into a folder or leaves it, as POSIX has it; null on Windows, which has it so on NTFS
 * alone, and where there is none.
 */
export function folderVersion(path: string): string | null {
  return process.platform === 'win32' ? null : fileVersion(path)
}
