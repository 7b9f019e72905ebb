// A lock that the kernel releases when its holder dies, however it dies (OFD locks on Linux, flock on macOS,
// LockFileEx on Windows). The file is never deleted or renamed: a lock on a file that someone replaced guards nothing.
// Waiting is polling with a deadline; a blocking wait would park a thread for ever.

import { closeSync, constants, readSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { CodedError, errnoOf } from '../errors.ts'
import { isMissing, openOwnFile } from '../machine/files.ts'
import { loadNative, type Native } from '../machine/native.ts'
import { say } from '../sentence.ts'

/** What the last holder wrote into the lock file, for those who wait and those who follow. */
export type LockHolder = {
  kind: 'holder'
  pid: number
  host: string
  since: number
  note: Record<string, unknown>
}

export type HeldLock = {
  kind: 'held'
  /** What the holder before us left; null: nothing readable. */
  left: LockHolder | null
  /** Tells those who wait, and those who follow, what this holder knows. */
  describe(note: Record<string, unknown>): void
  release(): void
}

/** Short enough that eight waiting processes are served without a pause to notice, long enough to cost nothing. */
const POLL_MS = 8
/** Larger than any holder record, and written whole: no one, not even after a kill, finds half of one. */
const HOLDER_BYTES = 2048

/**
 * Windows lets no one else read a locked range, not even through another handle of the holder: there one byte is locked
 * that lies behind all data (and within the whole file that others lock). flock on macOS knows no range.
 */
const RANGE: readonly [offset: number, length: number] = process.platform === 'win32' ? [2 ** 40, 1] : [0, 0]
/** What a file system says that has no locks. */
const NO_LOCKS = ['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOLCK']

/** Whether the lock of an open file is ours now. */
function tryLock(native: Native, fd: number, path: string): boolean {
  try {
    native.tryLock(fd, ...RANGE, true)
    return true
  } catch (error) {
    const errno = errnoOf(error) ?? ''
    if (errno === 'EAGAIN') return false
    if (!NO_LOCKS.includes(errno)) throw error
    throw new CodedError(
      'config_invalid',
      say`The file system of ${dirname(path)} has no file locks (${errno}).`,
      { nextStep: say`Set FEISHU_TOKEN_DIR to a folder on a disk of this machine.`, cause: error },
    )
  }
}

/** Throws `config_invalid` where this Node can lock no file. */
export function requireLocks(): void {
  loadNative()
}

function readHolder(fd: number): LockHolder | null {
  const bytes = Buffer.alloc(HOLDER_BYTES)
  const length = readSync(fd, bytes, 0, bytes.length, 0)
  try {
    const holder = JSON.parse(bytes.toString('utf8', 0, length))
    return typeof holder?.pid === 'number' ? { ...holder, kind: 'holder', note: holder.note ?? {} } : null
  } catch {
    return null
  }
}

/** What the last holder left in a lock file, read without the lock; null: nothing readable. */
export function peekHolder(path: string): LockHolder | null {
  let fd: number
  try {
    fd = openOwnFile(path, constants.O_RDONLY)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  try {
    return readHolder(fd)
  } finally {
    closeSync(fd)
  }
}

function hold(fd: number, now: () => number): HeldLock {
  let held = true
  return {
    kind: 'held',
    left: readHolder(fd),
    describe(note) {
      const holder = { pid: process.pid, host: hostname(), since: now(), note }
      const bytes = Buffer.alloc(HOLDER_BYTES, ' ')
      bytes.write(JSON.stringify(holder))
      writeSync(fd, bytes, 0, bytes.length, 0)
    },
    release() {
      if (held) closeSync(fd)
      held = false
    },
  }
}

/**
 * Takes the lock at `path`, waiting up to `deadlineMs`. `now` is the wall clock, for the holder record.
 *
 * @returns the lock, or who holds it (null: unknown) when the deadline has passed
 */
export async function acquireLock(
  path: string,
  deadlineMs: number,
  now: () => number,
): Promise<HeldLock | LockHolder | null> {
  const native = loadNative()
  const giveUpAt = performance.now() + deadlineMs
  const fd = openOwnFile(path, constants.O_RDWR | constants.O_CREAT, { inPlace: true })
  try {
    while (!tryLock(native, fd, path)) {
      if (performance.now() >= giveUpAt) {
        const holder = readHolder(fd)
        closeSync(fd)
        return holder
      }
      await new Promise((resume) => setTimeout(resume, POLL_MS * (0.5 + Math.random())))
    }
    return hold(fd, now)
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** The profile's lock could not be had: who holds it, if known. */
export function lockedError(holder: LockHolder | null): CodedError {
  const who = holder ? say`process ${holder.pid} on ${holder.host}` : say`another process`
  return new CodedError('store_locked', say`The token set is in use by ${who}.`, {
    nextStep: say`Try again in a few seconds; if that does not help, check that process and end it.`,
  })
}
