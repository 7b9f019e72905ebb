// A lock that the kernel releases when its holder dies, however it dies (OFD locks on Linux, flock on macOS,
// LockFileEx on Windows). The file is never deleted or renamed: a lock on a file that somebody replaced guards nothing.
// Waiting is polling with a deadline; a blocking wait would park a thread for ever.

import { closeSync, constants, readSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { CodedError } from '../errors.ts'
import { isMissing, openOwnFile } from '../machine/files.ts'

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
/** Larger than any holder record, and written whole: nobody, not even after a kill, finds half of one. */
const HOLDER_BYTES = 2048

type Native = { tryLock(fd: number): boolean }
let native: Promise<Native> | null = null

async function loadNative(): Promise<Native> {
  try {
    native ??= import('fs-native-extensions').then((module) => module.default)
    return await native
  } catch (cause) {
    const platform = `${process.platform} ${process.arch}`
    throw new CodedError(
      'store_not_writable',
      'The native file lock (fs-native-extensions) cannot be loaded.',
      {
        nextStep: `Reinstall feishu-token-mcp on this machine (${platform}); nothing is refreshed without the lock.`,
        cause,
      },
    )
  }
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
  const { tryLock } = await loadNative()
  const giveUpAt = performance.now() + deadlineMs
  const fd = openOwnFile(path, constants.O_RDWR | constants.O_CREAT, { inPlace: true })
  try {
    while (!tryLock(fd)) {
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
