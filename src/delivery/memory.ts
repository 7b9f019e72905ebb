// What we remember about the files of others, in our own folder: fingerprints of the tokens we put into each place, to
// tell a person's change from our own copy, and whose turn it is.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { readOwnFile, removeFile, replaceFile } from '../machine/files.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'

/** Clients write older copies of their configs back: so many of our tokens (two days' worth) are known again. */
const REMEMBERED = 24
/** A memory file holds a path and {@link REMEMBERED} fingerprints. */
const MAX_MEMORY_BYTES = 64 * 1024
/** The file that names the next target. */
const TURN = 'turn'
function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** A token's fingerprint: enough to recognize it, useless to anyone else. */
export function fingerprint(token: string): string {
  return sha256(`feishu-token-mcp delivery\n${token}`)
}

function memoryFile(memoryDir: string, path: string, place: string): string {
  return join(memoryDir, `${sha256(`${path}\n${place}`).slice(0, 32)}.json`)
}

/**
 * The fingerprints of the tokens we put into a place, newest first; null when there was no delivery yet. A memory that
 * cannot be understood knows no token, so that the place's value counts as someone's change.
 */
export function recall(memoryDir: string, path: string, place: string): string[] | null {
  const bytes = readOwnFile(memoryFile(memoryDir, path, place), MAX_MEMORY_BYTES)
  if (!bytes) return null
  try {
    const { tokens } = JSON.parse(bytes.toString()) as { tokens: unknown }
    return Array.isArray(tokens) ? tokens.filter((token) => typeof token === 'string') : []
  } catch {
    return []
  }
}

/** Notes that a token was put, or is about to be put, into a place. */
export function remember(memoryDir: string, path: string, place: string, token: string): void {
  ensureOwnDirectory(memoryDir)
  const known = recall(memoryDir, path, place) ?? []
  const tokens = [...new Set([fingerprint(token), ...known])].slice(0, REMEMBERED)
  replaceFile(memoryFile(memoryDir, path, place), `${JSON.stringify({ version: 1, path, place, tokens })}\n`)
}

/** The target that had no turn in the last run, by its name; null when all had. */
export function recallTurn(memoryDir: string): string | null {
  return readOwnFile(join(memoryDir, TURN), MAX_MEMORY_BYTES)?.toString() ?? null
}

/** Notes which target comes first in the next run. */
export function rememberTurn(memoryDir: string, target: string | null): void {
  if (recallTurn(memoryDir) === target) return
  if (target === null) removeFile(join(memoryDir, TURN))
  else {
    ensureOwnDirectory(memoryDir)
    replaceFile(join(memoryDir, TURN), target)
  }
}
