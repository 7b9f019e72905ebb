// Giving a file another name, so that it lasts. Windows refuses it while another program has the file open.

import { closeSync, constants, fsyncSync, openSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../errors.ts'

/** Windows refuses a rename while a virus scanner reads the file; such a scan is over well within this time. */
const RENAME_RETRY_MS = 2_000

/** Windows renames onto no file that another process reads just then, which is over in an instant. */
const READ_RETRY_MS = 5

/** Flushes what was created, renamed or removed in a directory. */
export function flushDirectory(path: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(fd)
  } catch (error) {
    // Some network file systems cannot flush a directory; what they keep without it, we cannot change.
    if (!['EINVAL', 'ENOTSUP'].includes(errnoOf(error) ?? '')) throw error
  } finally {
    closeSync(fd)
  }
}

/** Whether Windows may mean that another program has the file open. */
export function isBusy(error: unknown): boolean {
  return ['EPERM', 'EBUSY', 'EACCES'].includes(errnoOf(error) ?? '')
}

/** Gives a file another name, in one step of the system. */
export type Rename = (from: string, to: string) => void

/**
 * Renames a file within its directory, durably. Retries for a moment where something else holds the file open. False,
 * and nothing is renamed, once `isWanted` says no.
 */
export async function renameFile(
  from: string,
  to: string,
  options: { isWanted?: () => boolean; rename?: Rename; retryMs?: number | undefined } = {},
): Promise<boolean> {
  const { isWanted = () => true, rename = renameSync, retryMs = RENAME_RETRY_MS } = options
  const giveUpAt = performance.now() + retryMs
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 200)) {
    if (!isWanted()) return false
    try {
      rename(from, to)
      break
    } catch (error) {
      if (!isBusy(error) || performance.now() + pauseMs > giveUpAt) throw error
      await new Promise((resume) => setTimeout(resume, pauseMs))
    }
  }
  flushDirectory(dirname(to))
  return true
}

/** {@link renameSync} for those who cannot wait for a promise. */
export function renameWaiting(from: string, to: string, rename: Rename): void {
  const giveUpAt = performance.now() + RENAME_RETRY_MS
  for (;;) {
    try {
      rename(from, to)
      return
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, READ_RETRY_MS)
    }
  }
}
