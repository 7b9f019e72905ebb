// Files that other programs read and write too, read with suspicion.

import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs'
import { platform, userInfo } from 'node:os'
import { readWhole } from '../machine/files.ts'
import { type Sentence, say, typed } from '../sentence.ts'

/** A regular file of ours as it was when it was read; `mode` is null on Windows, which has none. */
export type SharedFile = { bytes: Buffer; mode: number | null; links: number }

/** Why a file is not touched: by rule, or because the system would not have it. */
export type Problem = { status: 'refused' | 'failed'; detail: Sentence }

/** Far above any client's config (`~/.claude.json` reaches some megabytes), far below what hurts to hold twice. */
export const MAX_BYTES: number = 32 * 1024 * 1024

const OWNER_WRITES = 0o200
const READ_ONLY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Our user's number; null on Windows and where the user has no name. */
function ownUid(): number | null {
  try {
    const { uid } = userInfo()
    return uid === -1 ? null : uid
  } catch {
    return null
  }
}

/** Opens without following a link and without waiting for a FIFO's other end. */
function withRegularFile<T>(path: string, use: (fd: number, size: number) => T): T | null {
  const fd = openSync(path, READ_ONLY)
  try {
    const stat = fstatSync(fd)
    return stat.isFile() ? use(fd, stat.size) : null
  } finally {
    closeSync(fd)
  }
}

/** The bytes at a path right now; null where there is no regular file any more. */
export function bytesNow(path: string): Buffer | null {
  try {
    return withRegularFile(path, readWhole)
  } catch {
    return null
  }
}

function tooLarge(maxBytes: number): Sentence {
  return maxBytes < MAX_BYTES
    ? say`it is larger than ${maxBytes >> 20} MB, too large to be written while others wait: running ${typed('deliver')} by hand writes it`
    : say`it is larger than ${maxBytes >> 20} MB`
}

/** Whether a file holds these very bytes right now. */
export function holdsBytes(path: string, bytes: Buffer): boolean {
  return bytesNow(path)?.equals(bytes) ?? false
}

/** Reads a file that is to be edited. `path` is free of symbolic links. Throws the system's error. */
export function readSharedFile(path: string, maxBytes: number): SharedFile | Problem {
  const stat = statSync(path)
  if (stat.isDirectory()) return { status: 'refused', detail: say`it is a directory` }
  if (!stat.isFile()) return { status: 'refused', detail: say`it is not a regular file` }
  if (stat.size > maxBytes) return { status: 'refused', detail: tooLarge(maxBytes) }
  const uid = ownUid()
  if (uid !== null && stat.uid !== uid) {
    return { status: 'failed', detail: say`EPERM: it belongs to another user` }
  }
  if ((stat.mode & OWNER_WRITES) === 0) return { status: 'failed', detail: say`EACCES: it is read-only` }
  const bytes = withRegularFile(path, readWhole)
  if (!bytes) return { status: 'refused', detail: say`it is not a regular file` }
  return { bytes, mode: platform() === 'win32' ? null : stat.mode & 0o777, links: stat.nlink }
}
