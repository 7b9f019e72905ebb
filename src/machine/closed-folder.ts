// A folder outside the person's own, on Windows: closed to others by the system's own programs before it has its name;
// one that was there before is looked at with them.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, win32 } from 'node:path'
import { CodedError } from '../errors.ts'
import { type Sentence, say } from '../sentence.ts'
import type { Environment } from './system.ts'

/** Runs a program of the system, and returns what it wrote. Throws where it fails. */
export type RunSystem = (program: string, args: string[]) => string

/** Two programs that end within a tenth of a second, unless a virus scanner looks at them first. */
const RUN_MS = 10_000

/** Who can read any file of this machine anyway: the system and its administrators, as in the person's own folder. */
const SYSTEM = ['S-1-5-18', 'S-1-5-32-544']

/** The same as Windows writes them in a list of rights, and the administrator that it comes with. */
const SYSTEM_NAMES = ['SY', 'BA', 'LA']

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

/** The security identifier of whoever runs this process. */
function currentUser(run: RunSystem): string {
  const user = /"(S-1(?:-\d+)+)"\s*$/.exec(run('whoami.exe', ['/user', '/fo', 'csv', '/nh']))?.[1]
  if (!user) throw new Error('whoami')
  return user
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
      run('icacls.exe', closingArguments(folder, currentUser(run)))
    } catch (cause) {
      throw new CodedError('config_invalid', say`The directory ${path} could not be closed to others.`, {
        nextStep: say`Set FEISHU_TOKEN_DIR to a directory in your own folder (${home}), or make it yourself and close it.`,
        cause,
      })
    }
  }
}

/** Who has rights in a folder: D:PAI(A;OICI;FA;;;S-1-5-21-…)(A;OICI;FA;;;SY). Throws where the system does not tell. */
function rightsOf(folder: string, run: RunSystem): string {
  const scratch = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-'))
  try {
    const saved = join(scratch, 'rights')
    run('icacls.exe', [folder, '/save', saved, '/q'])
    // Its first line is the name of the folder.
    return /^D:.*/m.exec(readFileSync(saved, 'utf16le'))?.[0] ?? ''
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Whether a folder gives rights to nobody but the person, the system and its administrators. */
function isClosed(folder: string, run: RunSystem): boolean {
  try {
    const list = /^D:[A-Z]*\(([^()]*(?:\)\([^()]*)*)\)$/.exec(rightsOf(folder, run))?.[1]
    if (!list) return false
    const insiders = [currentUser(run), ...SYSTEM, ...SYSTEM_NAMES]
    const entries = list.split(')(').map((entry) => entry.split(';'))
    return entries.every(([type, , , , , who]) => type === 'D' || insiders.includes(who ?? ''))
  } catch {
    return false
  }
}

/** What a person should know of the token directory: null where nobody else has rights in it. */
export type Exposure = () => Sentence | null

/** Asks the system until the directory is closed, and not at all in the person's own folder. */
export function createExposure(
  path: string,
  home: string,
  environment: Environment,
  run: RunSystem = runSystem,
): Exposure {
  const account = `${environment.USERDOMAIN ?? '.'}\\${environment.USERNAME ?? 'YOU'}`
  const reset = `icacls "${path}" /reset`
  const close = `icacls "${path}" /inheritance:r /grant:r "${account}:(OI)(CI)F"`
  const exposed = say`FEISHU_TOKEN_DIR is outside your own folder, and others may have rights in it. Close it: ${reset}, then ${close}`
  let closed = liesBelow(home, path)
  return () => {
    if (closed || !existsSync(path)) return null
    closed = isClosed(path, run)
    return closed ? null : exposed
  }
}
