// VS Code keeps the servers of its profiles in files of their own, beside the main one.

import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isMissing } from '../machine/files.ts'
import { type Sentence, say, series } from '../sentence.ts'
import { bytesNow } from './shared-file.ts'
import type { Target } from './targets.ts'

function foldersIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** What to say of a server that the main file does not have and a profile's file names; else nothing. */
export function seenInProfiles({ entry, hasProfiles }: Target, path: string): Sentence | null {
  if (!hasProfiles) return null
  const files = foldersIn(join(dirname(path), 'profiles')).map((folder) => join(folder, basename(path)))
  const places = files
    .filter((file) => bytesNow(file)?.includes(JSON.stringify(entry)))
    .map((file) => say`The name is in ${file}: deliver to mcp:${file}#${entry}.`)
  return places.length > 0 ? series(places, ' ') : null
}
