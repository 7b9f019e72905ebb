// Whether git would publish a file that holds a token now.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir, platform } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { type Sentence, say } from '../sentence.ts'

/** Both questions together: git answers in milliseconds, and a warning is not worth a longer wait. */
const TIMEOUT_MS = 1_000
/**
 * Where git is installed. Never by its name alone: Windows looks for that in the folder of the file first, where a
 * cloned repository may have brought a `git.exe`, and PATH is not asked, because clients pass different ones.
 */
const PROGRAMS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  win32: ['C:\\Program Files\\Git\\cmd\\git.exe', 'C:\\Program Files (x86)\\Git\\cmd\\git.exe'],
  darwin: ['/opt/homebrew/bin/git', '/usr/local/bin/git', '/usr/bin/git'],
}
const UNIX_PROGRAMS = ['/usr/bin/git', '/usr/local/bin/git', '/bin/git', '/run/current-system/sw/bin/git']
/** A stub on macOS: without the Command Line Tools it opens a window that offers to install them. */
const MAC_STUB = '/usr/bin/git'
/** A repository's own configuration may name programs to run. */
const SAFE = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null']

type Exit = { status: number | null; stderr: string }

/** Starts a program by its absolute path; a status of null: it is not there, or did not answer in time. */
type StartProgram = (program: string, args: string[], folder: string, signal: AbortSignal) => Promise<Exit>

/** Where git finds the person's own settings; Node throws for a user whom the system does not know. */
function homes(): Record<string, string> {
  try {
    return { HOME: homedir(), USERPROFILE: homedir() }
  } catch {
    return {}
  }
}

const start: StartProgram = async (program, args, folder, signal) => {
  const env = { PATH: dirname(program), ...homes(), LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' }
  try {
    await promisify(execFile)(program, args, { cwd: folder, env, signal, windowsHide: true })
    return { status: 0, stderr: '' }
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: unknown }
    return { status: typeof code === 'number' ? code : null, stderr: String(stderr ?? '') }
  }
}

/** What the machine has; tests hand in another one. */
export type GitMachine = { platform: NodeJS.Platform; exists: (path: string) => boolean; start: StartProgram }

/** git's absolute path; null where there is none, or asking it would open a window. */
async function findGit(machine: GitMachine, signal: AbortSignal): Promise<string | null> {
  const program = (PROGRAMS[machine.platform] ?? UNIX_PROGRAMS).find(machine.exists)
  if (!program || machine.platform !== 'darwin' || program !== MAC_STUB) return program ?? null
  const { status } = await machine.start('/usr/bin/xcode-select', ['-p'], '/', signal)
  return status === 0 ? program : null
}

function findWorkTree(folder: string): boolean {
  if (existsSync(join(folder, '.git'))) return true
  const parent = dirname(folder)
  return parent !== folder && findWorkTree(parent)
}

/**
 * A warning if the file is tracked by git, or lies in a work tree and is not ignored, or if git does not tell; else
 * null. Where less than a second is left, silence is no news.
 */
export async function warnOfGit(
  path: string,
  timeLeftMs: number = TIMEOUT_MS,
  machine: GitMachine = { platform: platform(), exists: existsSync, start },
): Promise<Sentence | null> {
  const file = resolve(path)
  const folder = dirname(file)
  if (timeLeftMs <= 0 || !findWorkTree(folder)) return null
  const signal = AbortSignal.timeout(Math.min(TIMEOUT_MS, Math.ceil(timeLeftMs)))
  const git = await findGit(machine, signal)
  const ask = (args: string[]) =>
    git ? machine.start(git, [...SAFE, ...args, '--', file], folder, signal) : { status: null, stderr: '' }
  const tracked = await ask(['ls-files', '--error-unmatch'])
  if (tracked.status === 0) {
    return say`Warning: git tracks this file, so the token may be committed; take it out of the repository (git rm --cached).`
  }
  // 0 is ignored, 1 is not, anything else is no answer.
  const ignored = await ask(['check-ignore', '--quiet'])
  if (ignored.status === 0) return null
  if (ignored.status === 1) {
    return say`Warning: this file is in a git work tree and is not ignored; add it to .gitignore.`
  }
  if (/not a git repository/.test(ignored.stderr)) return null
  if (/dubious ownership/.test(ignored.stderr)) {
    return say`Warning: git calls the ownership of this file’s work tree dubious and does not tell whether the token may be committed.`
  }
  if (ignored.status === null && timeLeftMs < TIMEOUT_MS) return null
  return say`Warning: this file is in a git work tree, and git did not tell whether the token may be committed.`
}
