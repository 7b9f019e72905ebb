// What a client's config looked like before `setup` changed it, in our own folder, without the secrets in it: it shows
// what stood where, and is no second place where somebody's tokens lie. A delivery changes one value, checked by
// reading it back, and the old token is worth nothing: there is no backup of that.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ensureOwnDirectory, removeFile, replaceFile } from '../machine/files.ts'
import { maskSecrets } from './mask.ts'

/** Backups kept of each file: a week of days on which something was written. */
const BACKUPS = 7
const ENDING = '.masked.bak'
/** Backups that earlier versions made, which hold what else is secret in a file. */
const UNMASKED = /-\d{4}-\d{2}-\d{2}\.bak$/

/** Keeps a file's text as it is before the first change of the day (UTC). */
export function backUp(
  memoryDir: string,
  file: { path: string; text: string; format: string },
  now: number,
): void {
  ensureOwnDirectory(memoryDir)
  const prefix = `${basename(file.path)}-${createHash('sha256').update(file.path).digest('hex').slice(0, 12)}-`
  const day = new Date(now).toISOString().slice(0, 10)
  const name = join(memoryDir, `${prefix}${day}${ENDING}`)
  if (existsSync(name)) return
  replaceFile(name, maskSecrets(file.text, file.format))
  const backups = readdirSync(memoryDir).filter((entry) => entry.startsWith(prefix) && entry.endsWith(ENDING))
  for (const old of backups.toSorted().slice(0, -BACKUPS)) removeFile(join(memoryDir, old))
}

/** Removes what earlier versions kept with secrets in it. */
export function removeUnmaskedBackups(memoryDir: string): void {
  if (!existsSync(memoryDir)) return
  for (const entry of readdirSync(memoryDir)) if (UNMASKED.test(entry)) removeFile(join(memoryDir, entry))
}
