// Whether git would publish a file that holds a token now.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir, platform } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** Both questions together: git answers in milliseconds, and a warning is not worth a longer wait. */
const TIMEOUT_MS = 1_000
/** Where git is installed; our own PATH is not asked, because clients pass different ones. */
const POSIX_PATH = '/usr/local/bin:/opt/homebrew/bin:/usr/bin:/bin'
const WINDOWS_PATH = 'C:\\Program Files\\Git\\cmd'
/** A repository's own configuration may name programs to run. */
const SAFE = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null']

function findWorkTree(folder: string): boolean {
  if (existsSync(join(folder, '.git'))) return true
  const parent = dirname(folder)
  return parent !== folder && findWorkTree(parent)
}

/** git's exit status; null where it is absent or could not answer in time. */
async function askGit(args: string[], folder: string, signal: AbortSignal): Promise<number | null> {
  const home = homedir()
  const PATH = platform() === 'win32' ? WINDOWS_PATH : POSIX_PATH
  const env = { PATH, HOME: home, USERPROFILE: home, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' }
  try {
    await promisify(execFile)('git', [...SAFE, ...args], { cwd: folder, env, signal, windowsHide: true })
    return 0
  } catch (error) {
    const { code } = error as { code?: unknown }
    return typeof code === 'number' ? code : null
  }
}

/** A warning if the file is tracked by git, or lies in a work tree and is not ignored; else null. */
export async function warnOfGit(path: string): Promise<string | null> {
  const folder = dirname(resolve(path))
  if (!findWorkTree(folder)) return null
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  if ((await askGit(['ls-files', '--error-unmatch', '--', resolve(path)], folder, signal)) === 0) {
    return 'Warning: git tracks this file, so the token may be committed; take it out of the repository (git rm --cached).'
  }
  // 0 is ignored, 1 is not, anything else is no answer.
  if ((await askGit(['check-ignore', '--quiet', '--', resolve(path)], folder, signal)) !== 1) return null
  return 'Warning: this file lies in a git work tree and is not ignored; add it to .gitignore.'
}
