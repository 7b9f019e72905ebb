// Replacing a file that other programs write too, without losing anyone's edit.
//
// A rename drops whatever was written between the last look at the file and the rename. So the new file is exchanged
// with the old one in one step of the kernel (Linux, macOS): what was there a moment before is then in our hands, and
// if it is not what the edit was made from, the two are exchanged back. What remains is a program that holds the old
// file open without having truncated it, and writes after that look. Where a file system cannot exchange, the file is
// read once more and renamed in the same turn of the event loop, which leaves some tens of microseconds.

import { createHash, randomBytes } from 'node:crypto'
import { existsSync, linkSync, readdirSync, renameSync, statSync } from 'node:fs'
import { platform } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { CodedError, errnoOf } from '../errors.ts'
import { createFileOnce, isTemporaryNameOf, removeFile, temporaryName } from '../machine/files.ts'
import { loadNative } from '../machine/native.ts'
import { type Rename, renameFile } from '../machine/rename.ts'
import { say } from '../sentence.ts'
import { refuseMountPoint } from './mount-point.ts'
import { bytesNow, holdsBytes } from './shared-file.ts'

/** A temporary file this old belongs to a process that was killed: a delivery takes two seconds at most. */
const LEFTOVER_AFTER_MS = 60_000

const RANDOM_BYTES = 6
/** `FILE.RANDOM.BEFORE.AFTER.kept`: what is neither the one nor the other is someone's. */
const KEPT_NAME = /\.[A-Za-z0-9_-]{6}\.([0-9a-f]{12})\.([0-9a-f]{12})\.kept$/

/** An edit that came as a second one in the same moment has no hashes. */
const EDIT_NAME = /^\.[A-Za-z0-9_-]{6}((\.[0-9a-f]{12}){2})?\.kept$/

/** Whoever delivers says the first sentence alone. */
const FIX = say`Fix that, then try again; nothing was lost.`

/** Exchanges two names in one step. */
export type NameExchange = (from: string, to: string) => void

/** The system's exchange of two names; null where it does it in several steps. */
function loadExchange(): NameExchange | null {
  if (platform() === 'win32') return null
  return loadNative().swapSync
}

/** Whether the exchange took place; false where the file system does not know it. */
function tryExchange(exchange: NameExchange | null, from: string, to: string): boolean {
  if (!exchange) return false
  try {
    exchange(from, to)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw error
    if (errnoOf(error) === 'EBUSY') refuseMountPoint(to)
    return false
  }
}

/** Our temporary names are derived from this one. */
function ourName(path: string): string {
  return join(dirname(path), '.feishu-token-mcp')
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 12)
}

/** Beside the file, for what may be someone's edit. Where what else it may be is `known`, the name tells them apart. */
function keptName(path: string, ...known: Buffer[]): string {
  const random = randomBytes(RANDOM_BYTES).toString('base64url').slice(0, RANDOM_BYTES)
  return [path, random, ...known.map(digest), 'kept'].join('.')
}

/** Whether a file that was kept of `path` holds no edit: what the delivery found there, or what it made of it. */
function holdsNoEdit(name: string, path: string): boolean {
  const [ending, ...known] = KEPT_NAME.exec(name) ?? []
  if (ending === undefined || name !== basename(path) + ending) return false
  const bytes = bytesNow(join(dirname(path), name))
  return bytes !== null && known.includes(digest(bytes))
}

/** The edits of others that deliveries have kept beside a file. */
export function keptEdits(path: string): string[] {
  const folder = dirname(path)
  const own = (name: string) =>
    name.startsWith(`${basename(path)}.`) && EDIT_NAME.test(name.slice(basename(path).length))
  const names = existsSync(folder) ? readdirSync(folder).filter(own) : []
  return names.filter((name) => !holdsNoEdit(name, path)).map((name) => join(folder, name))
}

/** Removes what a killed delivery left beside the file. */
export function removeLeftovers(path: string, olderThanMs: number = LEFTOVER_AFTER_MS): void {
  const folder = dirname(path)
  // The folder was written to a moment ago: its time is now, by the clock that the leftovers go by.
  const now = statSync(folder).mtimeMs
  for (const name of readdirSync(folder)) {
    if (!isTemporaryNameOf(name, ourName(path)) && !name.endsWith('.kept')) continue
    const stat = statSync(join(folder, name), { throwIfNoEntry: false })
    if (!stat || now - stat.ctimeMs <= olderThanMs) continue
    if (!name.endsWith('.kept') || holdsNoEdit(name, path)) removeFile(join(folder, name))
  }
}

/**
 * Undoes an exchange after which `kept` turned out to hold someone's fresh edit.
 * Throws, and keeps both files, where a second edit came within the same moment.
 */
function giveBack(exchange: NameExchange, kept: string, path: string, ours: Buffer): void {
  exchange(kept, path)
  if (!holdsBytes(kept, ours)) {
    // Whatever it is, even what the file held before: someone wrote it just now.
    const aside = keptName(path)
    renameSync(kept, aside)
    throw new CodedError(
      'store_not_writable',
      say`${path} was written twice in the same moment; the other version was kept as ${aside}`,
      { nextStep: FIX },
    )
  }
  removeFile(kept)
}

/**
 * Replaces `base` by `next` (mode 0600), atomically and durably. False, with the file as others left it, when it does
 * not hold `base` any more.
 */
export async function replaceSharedFile(
  path: string,
  base: Buffer,
  next: Buffer,
  options: { exchange?: NameExchange | null; rename?: Rename; retryMs?: number } = {},
): Promise<boolean> {
  const exchange = options.exchange === undefined ? loadExchange() : options.exchange
  let temporary = temporaryName(ourName(path))
  const isBase = () => holdsBytes(path, base)
  createFileOnce(temporary, next)
  try {
    removeLeftovers(path)
    if (exchange) {
      const kept = keptName(path, base, next)
      renameSync(temporary, kept)
      temporary = kept
    }
    // From here to the exchange there is no await: nothing of ours comes between.
    if (!isBase()) {
      removeFile(temporary)
      return false
    }
    if (!tryExchange(exchange, temporary, path)) {
      // Windows refuses while a program has the file open, which may be just about to save it: so it is read each time.
      const { rename = renameSync, retryMs } = options
      const renamed = await renameFile(temporary, path, { isWanted: isBase, rename, retryMs })
      if (!renamed) removeFile(temporary)
      return renamed
    }
  } catch (error) {
    removeFile(temporary)
    throw error
  }
  if (holdsBytes(temporary, base)) {
    removeFile(temporary)
    return true
  }
  if (exchange) giveBack(exchange, temporary, path, next)
  return false
}

/** Creates a file (mode 0600), whole from its first instant; false when there is one already. */
export async function createSharedFile(path: string, data: Buffer): Promise<boolean> {
  const temporary = temporaryName(ourName(path))
  createFileOnce(temporary, data)
  try {
    linkSync(temporary, path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    // A file system without hard links.
    return await renameFile(temporary, path, { isWanted: () => !existsSync(path) })
  } finally {
    removeFile(temporary)
  }
}
