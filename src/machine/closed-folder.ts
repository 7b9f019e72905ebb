// A folder outside the person's own, on Windows: closed to others by the system's own programs before it has its name.

import { homedir } from 'node:os'
import { win32 } from 'node:path'
import { CodedError } from '../errors.ts'
import { say } from '../sentence.ts'

/** Runs a program of the system, and returns what it wrote. Throws where it fails. */
export type RunSystem = (program: string, args: string[]) => string

/** Two programs that end within a tenth of a second, unless a virus scanner looks at them first. */
const RUN_MS = 10_000

/** Who can read any file of this machine anyway: the system and its administrators, as in the person's own folder. */
const SYSTEM = ['S-1-5-18', 'S-1-5-32-544']

/** By its absolute path, without a shell: no program that lies elsewhere is taken for the system's. */
function runSystem(program: string, args: string[]): string {
  const { execFileSync } = process.getBuiltinModule('node:child_process')
  const path = win32.join(process.env.SystemRoot ?? 'C:\\Windows', 'System32', program)
  return execFileSync(path, args, { encoding: 'utf8', stdio: 'pipe', timeout: RUN_MS, windowsHide: true })
}

/** Whether a path of Windows lies in a folder. */
export function liesBelow(folder: string, path: string): boolean {
  const way = win32.relative(folder, path)
  return !way.startsWith('..') && !win32.isAbsolute(way)
}

/** The arguments of icacls that leave a folder, and all that will be in it, to one user. */
function closingArguments(folder: string, user: string): string[] {
  const rights = [user, ...SYSTEM].map((sid) => `*${sid}:(OI)(CI)F`)
  return [folder, '/inheritance:r', '/grant:r', ...rights, '/q']
}

/** Leaves a new folder to the person alone. Throws `config_invalid` where that cannot be done. */
export type Close = (folder: string) => void

/** What closes a folder that is made at `path`; null in the person's own, which Windows gives to nobody else. */
export function closerOf(path: string, home: string = homedir(), run: RunSystem = runSystem): Close | null {
  if (liesBelow(home, path)) return null
  return (folder) => {
    try {
      const user = /"(S-1(?:-\d+)+)"\s*$/.exec(run('whoami.exe', ['/user', '/fo', 'csv', '/nh']))?.[1]
      if (!user) throw new Error('whoami')
      run('icacls.exe', closingArguments(folder, user))
    } catch (cause) {
      throw new CodedError('config_invalid', say`The directory ${path} could not be closed to others.`, {
        nextStep: say`Set FEISHU_TOKEN_DIR to a directory in your own folder (${home}), or make it yourself and close it.`,
        cause,
      })
    }
  }
}
