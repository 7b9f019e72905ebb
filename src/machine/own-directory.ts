// A directory that only its owner may see into.

import { chmodSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CodedError, errnoOf } from '../errors.ts'
import { say } from '../sentence.ts'
import { type Close, closerOf } from './closed-folder.ts'
import { isDenied, refusePath, temporaryName } from './files.ts'
import { renameWaiting } from './rename.ts'

const WINDOWS = process.platform === 'win32'

const OTHERS = 0o077
/** Set on folders that are meant for everybody, as /tmp is. */
const STICKY = 0o1000

/** Creates a directory and those above it. Node's own `recursive` never ends where a folder takes no new one (/proc). */
function makeDirectory(path: string, close: Close | null): void {
  try {
    if (close && !statSync(path, { throwIfNoEntry: false })) makeClosed(path, close)
    else mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && statSync(path).isDirectory()) return
    const parent = dirname(path)
    // Its own parent: a drive that is not there.
    if (errnoOf(error) !== 'ENOENT' || parent === path || statSync(parent, { throwIfNoEntry: false }))
      throw error
    makeDirectory(parent, close)
    mkdirSync(path, { mode: 0o700 })
  }
}

/** Creates a directory that has its name only when it is closed: nobody else has put anything in it by then. */
function makeClosed(path: string, close: Close): void {
  const temporary = temporaryName(path)
  mkdirSync(temporary, { mode: 0o700 })
  try {
    close(temporary)
    if (readdirSync(temporary).length > 0) refusePath(temporary, say`was written to by somebody else`)
    renameWaiting(temporary, path, renameSync)
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    // Another copy was faster.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error
  }
}

/** Creates a directory for its owner alone, repairs loose modes, and refuses one that others own, or share. */
export function ensureOwnDirectory(
  path: string,
  close: Close | null = WINDOWS ? closerOf(path) : null,
): void {
  try {
    makeDirectory(path, close)
  } catch (error) {
    // ENOENT: its drive is not there, or the folder above it takes none.
    if (errnoOf(error) !== 'ENOENT' && !isDenied(error)) throw error
    throw new CodedError(
      'config_invalid',
      say`The directory ${path} cannot be made (${errnoOf(error) ?? ''}).`,
      {
        nextStep: say`Set FEISHU_TOKEN_DIR to a directory of your own on a disk of this machine.`,
        cause: error,
      },
    )
  }
  const stat = statSync(path)
  if (WINDOWS) return
  if (stat.uid !== process.geteuid?.()) {
    throw new CodedError('config_invalid', say`The directory ${path} belongs to another user.`, {
      nextStep: say`Set FEISHU_TOKEN_DIR to a directory of your own.`,
    })
  }
  if ((stat.mode & OTHERS) === 0) return
  if (stat.mode & STICKY || readdirSync(path).some((name) => isForeign(join(path, name)))) {
    throw new CodedError(
      'config_invalid',
      say`The directory ${path} is not yours alone: others keep files in it.`,
      { nextStep: say`Set FEISHU_TOKEN_DIR to a directory of your own.` },
    )
  }
  chmodSync(path, 0o700)
}

function isForeign(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat !== undefined && stat.uid !== process.geteuid?.()
}
