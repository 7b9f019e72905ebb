// Finding a program without looking into the current folder.

import { statSync } from 'node:fs'
import { posix, win32 } from 'node:path'
import type { System } from './system.ts'

const EXECUTABLE = 0o111

/**
 * The absolute path of a program of the system, from the absolute folders of PATH: never from the folder that someone
 * happens to stand in, where a stranger's archive may have left one of the same name. Null: there is none. `endings`: what
 * its name may end with on Windows.
 */
export function findProgram(
  name: string,
  { platform, environment }: System,
  endings: readonly string[] = ['.exe'],
): string | null {
  const windows = platform === 'win32'
  const { delimiter, isAbsolute } = windows ? win32 : posix
  const variable = Object.keys(environment).find((key) => (windows ? key.toUpperCase() : key) === 'PATH')
  const folders = (environment[variable ?? 'PATH'] ?? '').split(delimiter).filter(isAbsolute)
  const names = windows ? endings.map((ending) => name + ending) : [name]
  const paths = folders.flatMap((folder) => names.map((file) => `${folder}/${file}`))
  return paths.find((path) => isProgram(path, windows)) ?? null
}

function isProgram(path: string, windows: boolean): boolean {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    return found?.isFile() === true && (windows || (found.mode & EXECUTABLE) !== 0)
  } catch {
    // A folder that this user may not enter holds no program for it.
    return false
  }
}
