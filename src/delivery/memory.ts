// What we remember about the files of others, in our own folder: fingerprints of the tokens we put into each place
// (to tell a person's change from our own copy), and one backup a day of each file.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ensureOwnDirectory, readOwnFile, removeFile, replaceFile } from '../machine/files.ts'
import { applyEdit, type Edit } from './edit.ts'

/** Clients write older copies of their configs back: so many of our tokens (two days' worth) are known again. */
const REMEMBERED = 24
/** A memory file holds a path and {@link REMEMBERED} fingerprints. */
const MAX_MEMORY_BYTES = 64 * 1024
/** Backups kept of each file: a week of days on which something was written. */
const BACKUPS = 7
/** A value this long is a token rather than a placeholder, and is left out of a backup wherever it occurs. */
const TOKEN_LENGTH = 20

const LEFT_OUT = 'LEFT-OUT'
/** Another program's refresh token beside the place: a copy of it would outlive its own. */
const REFRESH_TOKENS = /(refresh_?token["']?\s*[:=,]\s*["']?)[^\s"',}\]]+/gi

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** A token's fingerprint: enough to recognize it, useless to anybody else. */
export function fingerprint(token: string): string {
  return sha256(`feishu-token-mcp delivery\n${token}`)
}

function memoryFile(memoryDir: string, path: string, place: string): string {
  return join(memoryDir, `${sha256(`${path}\n${place}`).slice(0, 32)}.json`)
}

/**
 * The fingerprints of the tokens we put into a place, newest first; null when there was no delivery yet. A memory that
 * cannot be understood knows no token, so that the place's value counts as somebody's change.
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

function leaveOut(text: string, edit: Edit, secrets: readonly string[]): string {
  const masked = edit.spans.filter((span) => span.secret).map((span) => ({ ...span, text: LEFT_OUT }))
  let result = applyEdit(text, masked).replace(REFRESH_TOKENS, `$1${LEFT_OUT}`)
  for (const secret of [edit.value, ...secrets]) {
    if (secret.length >= TOKEN_LENGTH) result = result.replaceAll(secret, LEFT_OUT)
  }
  return result
}

/**
 * Keeps a copy of a file as it is before the first write of the day (UTC), without the token in it.
 * `secrets` are left out wherever they occur.
 */
export function backUp(
  memoryDir: string,
  file: { path: string; text: string; edit: Edit },
  options: { now: number; secrets: readonly string[] },
): void {
  ensureOwnDirectory(memoryDir)
  const prefix = `${basename(file.path)}-${sha256(file.path).slice(0, 12)}-`
  const day = new Date(options.now).toISOString().slice(0, 10)
  const name = join(memoryDir, `${prefix}${day}.bak`)
  if (existsSync(name)) return
  replaceFile(name, leaveOut(file.text, file.edit, options.secrets))
  const backups = readdirSync(memoryDir).filter((entry) => entry.startsWith(prefix) && entry.endsWith('.bak'))
  for (const old of backups.toSorted().slice(0, -BACKUPS)) removeFile(join(memoryDir, old))
}
