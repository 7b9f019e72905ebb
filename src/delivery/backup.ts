// What a client's config looked like before `setup` changed it, in our own folder, without the secrets in it: it shows
// what stood where, and is no second place where someone's tokens lie. A delivery changes one value, checked by
// reading it back, and the old token is worth nothing: there is no backup of that.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { removeFile, replaceFile } from '../machine/files.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'
import { maskSecrets } from './mask.ts'

/** Backups kept of each file: a week of days on which something was written. */
const BACKUPS = 7
const ENDING = '.masked.bak'
/** Backups that earlier versions made, which hold what else is secret in a file. */
const UNMASKED = /-\d{4}-\d{2}-\d{2}\.bak$/

/** Where backups lie, and of what: the first of each day (UTC), or of each moment where that has to be told apart. */
export type Keeping = { memoryDir: string; now: number; apart?: boolean; known?: readonly string[] }

function prefixOf(path: string): string {
  return `${basename(path)}-${createHash('sha256').update(path).digest('hex').slice(0, 12)}-`
}

/** The file in which a text's backup lies. */
export function backupOf(path: string, { memoryDir, now, apart = false }: Keeping): string {
  const instant = new Date(now).toISOString()
  const moment = apart ? instant.replaceAll(':', '-') : instant.slice(0, 10)
  return join(memoryDir, `${prefixOf(path)}${moment}${ENDING}`)
}

/** Keeps a file's text as it is, unless that was done before. */
export function backUp(keeping: Keeping, file: { path: string; text: string; format: string }): void {
  const { memoryDir, known } = keeping
  ensureOwnDirectory(memoryDir)
  const name = backupOf(file.path, keeping)
  if (existsSync(name)) return
  replaceFile(name, maskSecrets(file.text, file.format, known))
  const prefix = prefixOf(file.path)
  const backups = readdirSync(memoryDir).filter((entry) => entry.startsWith(prefix) && entry.endsWith(ENDING))
  for (const old of backups.toSorted().slice(0, -BACKUPS)) removeFile(join(memoryDir, old))
}

/** Removes what earlier versions kept with secrets in it. */
export function removeUnmaskedBackups(memoryDir: string): void {
  if (!existsSync(memoryDir)) return
  for (const entry of readdirSync(memoryDir)) if (UNMASKED.test(entry)) removeFile(join(memoryDir, entry))
}
