// Reading and writing files that only their owner may see, atomically and durably.
//
// Every write goes to a fresh file in the same directory (O_EXCL, O_NOFOLLOW, 0600 from its first instant), is
// flushed, renamed onto its place, and the directory is flushed: a crash leaves the old bytes or the new ones.
// Calls are synchronous on purpose: between the last byte of Feishu's answer and the rename nothing else may run.

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { CodedError, errnoOf, isLasting } from '../errors.ts'
import { type Sentence, say } from '../sentence.ts'
import { flushDirectory, isBusy, type Rename, renameFile, renameWaiting } from './rename.ts'

const WINDOWS = process.platform === 'win32'

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0

/** A FIFO planted under one of our names must not make an open wait for its other end. */
const NON_BLOCKING = constants.O_NONBLOCK ?? 0

const OTHERS = 0o077

/** Whether an error says that the file (or a folder above it) does not exist. */
export function isMissing(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'ENOENT' || errno === 'ENOTDIR'
}

/** Throws `store_unreadable`. */
export function refusePath(path: string, why: Sentence): never {
  throw new CodedError('store_unreadable', say`${path} ${why}; it was left untouched.`, {
    nextStep: say`Check ${path} and move it away if it is not yours.`,
  })
}

/** {@link isLasting} for our own files. On Windows rights seem to be missing also while a virus scanner is at work. */
export function isDenied(error: unknown): boolean {
  return isLasting(error) && !(WINDOWS && isBusy(error))
}

/**
 * Opens a regular file of ours: never through a symbolic link, never a FIFO or device, never someone else's.
 * Modes that let others in are repaired. With `inPlace` a file with a second name (hard link) is refused too.
 */
export function openOwnFile(
  path: string,
  flags: number,
  { inPlace = false, noFollow = NO_FOLLOW }: { inPlace?: boolean; noFollow?: number } = {},
): number {
  // Windows follows every link (symbolic, junction), and would make the file behind it: there the name itself is looked at.
  const isLink = () => noFollow === 0 && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
  if (isLink()) refusePath(path, say`is a symbolic link`)
  let fd: number
  try {
    fd = openSync(path, flags | noFollow | NON_BLOCKING, 0o600)
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') refusePath(path, say`is a symbolic link`)
    if (errnoOf(error) === 'ENXIO') refusePath(path, say`is not a regular file`)
    if (errnoOf(error) === 'EISDIR') refusePath(path, say`is a directory`)
    throw error
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) refusePath(path, say`is not a regular file`)
    if (isLink()) refusePath(path, say`is a symbolic link`)
    if (inPlace && stat.nlink > 1) refusePath(path, say`has a second name (hard link)`)
    if (WINDOWS) return fd
    if (stat.uid !== process.geteuid?.()) refusePath(path, say`belongs to another user`)
    if (stat.mode & OTHERS) fchmodSync(fd, 0o600)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Reads an open file from its beginning, to its end or `size`. */
export function readWhole(fd: number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  let length = 0
  while (length < size) {
    const read = readSync(fd, bytes, length, size - length, length)
    if (read === 0) break
    length += read
  }
  return bytes.subarray(0, length)
}

/** Whether a path goes through a file; Windows says then that there is nothing, no differently than of an empty folder. */
function liesBehindFile(path: string): boolean {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    const stat = statSync(folder, { throwIfNoEntry: false })
    if (stat) return stat.isFile()
  }
  return false
}

/** Reads a file of ours whole; null when there is none. Refuses more than `maxBytes`. */
export function readOwnFile(path: string, maxBytes: number): Buffer | null {
  // Most of what is looked for (a journal, a pending login) is not there, and an error costs ten times a look.
  if (!lstatSync(path, { throwIfNoEntry: false })) {
    if (WINDOWS && liesBehindFile(path)) throw Object.assign(new Error('ENOTDIR'), { code: 'ENOTDIR', path })
    return null
  }
  let fd: number
  try {
    fd = openOwnFile(path, constants.O_RDONLY)
  } catch (error) {
    // ENOTDIR is not this: a folder of ours that is no folder must not look like an empty one.
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
  try {
    const { size } = fstatSync(fd)
    if (size > maxBytes) refusePath(path, say`is larger than ${maxBytes} bytes`)
    return readWhole(fd, size)
  } finally {
    closeSync(fd)
  }
}

function writeAll(fd: number, data: Buffer, position: number): void {
  let written = 0
  while (written < data.length) {
    written += writeSync(fd, data, written, data.length - written, position + written)
  }
}

/** Removes a file, durably; a file that is not there is no error. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  flushDirectory(dirname(path))
}

function createFile(path: string, data: Buffer): number {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW, 0o600)
  try {
    writeAll(fd, data, 0)
    fsyncSync(fd)
    return fd
  } catch (error) {
    closeSync(fd)
    unlinkSync(path)
    throw error
  }
}

/** 72 bits: no one guesses them. 12 characters in base64url. */
const RANDOM_BYTES = 9

const RANDOM_PART = /^[A-Za-z0-9_-]{12}$/

/** A name beside `path` that no one can guess, for a file that is about to be renamed onto it. */
export function temporaryName(path: string): string {
  return join(dirname(path), `${basename(path)}.${randomBytes(RANDOM_BYTES).toString('base64url')}.tmp`)
}

/** Whether a file name is one of {@link temporaryName}'s for `path`, and for no file whose name is longer. */
export function isTemporaryNameOf(name: string, path: string): boolean {
  const prefix = `${basename(path)}.`
  return (
    name.startsWith(prefix) &&
    name.endsWith('.tmp') &&
    RANDOM_PART.test(name.slice(prefix.length, -'.tmp'.length))
  )
}

/** Removes what a process left beside `path` that died while it wrote that file. Only where no one else writes it. */
export function removeTemporaryFiles(path: string): void {
  const folder = dirname(path)
  const names = existsSync(folder) ? readdirSync(folder) : []
  for (const name of names) if (isTemporaryNameOf(name, path)) removeFile(join(folder, name))
}

/**
 * Replaces a file atomically and durably, in one synchronous step. The file's folder must exist. Where readers keep a
 * file from being replaced (`patient`), it waits for them.
 */
export function replaceFile(
  path: string,
  data: string | Buffer,
  { patient = WINDOWS, rename = renameSync }: { patient?: boolean; rename?: Rename } = {},
): void {
  const temporary = temporaryName(path)
  closeSync(createFile(temporary, Buffer.from(data)))
  try {
    if (patient) renameWaiting(temporary, path, rename)
    else rename(temporary, path)
  } catch (error) {
    unlinkSync(temporary)
    throw error
  }
  flushDirectory(dirname(path))
}

/** Creates a file that must not exist yet; false when it does. */
export function createFileOnce(path: string, data: Buffer): boolean {
  try {
    closeSync(createFile(path, data))
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
  flushDirectory(dirname(path))
  return true
}

/** A file whose blocks are on disk before they are needed. */
export type ReservedFile = {
  /** Fills the file, flushes it, and renames it onto its place, unless `check` throws: `data` is durable by then. */
  commit(data: Buffer, check?: () => Promise<void>): Promise<void>
  /** Gives the file up and removes it. */
  discard(): void
  /** Closes the file and leaves what is in it. */
  leave(): void
}

/** Reserves `bytes` on disk under `name`, to be renamed onto `path` later: a full disk is noticed now, not then. */
export function reserveFile(name: string, path: string, bytes: number): ReservedFile {
  const fd = createFile(name, Buffer.alloc(bytes, ' '))
  let open = true
  const close = () => {
    if (open) closeSync(fd)
    open = false
  }
  return {
    async commit(data, check) {
      writeAll(fd, data, 0)
      ftruncateSync(fd, data.length)
      fsyncSync(fd)
      await check?.()
      await renameFile(name, path)
      close()
    },
    leave: close,
    discard() {
      close()
      removeFile(name)
    },
  }
}
