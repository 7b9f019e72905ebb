// How this process was started: in one word for hints, and as a client on the desktop can start it too.

import { readFileSync, realpathSync } from 'node:fs'
import { basename, posix, win32 } from 'node:path'
import type { System } from '../machine/system.ts'

export type Started = System & {
  /** Node, and the script as it was called: its links are not followed. */
  node: string
  script: string
}

/** A command line for a client's config, with what its environment needs. */
export type StartLine = { command: string; args: string[]; env?: Record<string, string> }

const NAME = 'feishu-token-mcp'
/** npx unpacks what it runs below this folder of npm's cache. */
const NPX_FOLDER = /^(.*[\\/]_npx[\\/][^\\/]+)[\\/]/

/** The package that npx was asked for and runs us from; null: npx did not start this script. */
function npxPackage(script: string): string | null {
  const folder = NPX_FOLDER.exec(script)?.[1]
  if (folder === undefined) return null
  try {
    const { _npx } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
    const [asked] = _npx.packages
    return asked === NAME || asked.startsWith(`${NAME}@`) ? asked : null
  } catch {
    // An npm that writes no such note.
    return null
  }
}

/** A blank, an apostrophe, a bracket: what means something to a shell, but not between quotes. */
const NEEDS_QUOTES = /[\s'&;|<>()[\]{}*?#]/

/** How this process was started, for hints that name a command: npm's variables may be those of a program around it. */
export function startedAs({ script }: Pick<Started, 'script'>): string {
  const asked = npxPackage(script)
  if (asked) return `npx -y ${asked}`
  if (basename(script) === NAME && !NPX_FOLDER.test(script)) return NAME
  return `node ${NEEDS_QUOTES.test(script) ? `"${script}"` : script}`
}

/** The folders in which a program that the desktop starts looks for others, whatever a shell has added to PATH. */
function desktopFolders({ platform, environment }: Started): string[] {
  if (platform === 'win32') return [win32.join(environment.ProgramFiles ?? 'C:\\Program Files', 'nodejs')]
  return platform === 'darwin' ? ['/usr/bin', '/bin'] : ['/usr/local/bin', '/usr/bin', '/bin']
}

function isSame(path: string, other: string): boolean {
  try {
    return realpathSync(path) === realpathSync(other)
  } catch {
    return false
  }
}

/** Folders that end with the shell for which they were made. */
const SHORT_LIVED = /fnm_multishells/

/**
 * The command line with which any program can start this one. A plain name only where the desktop's own folders have it:
 * nvm, fnm, Volta, asdf and Homebrew are known to shells alone.
 *
 * @param folders where a program that the desktop starts looks for others
 */
export function startLine(started: Started, folders: string[] = desktopFolders(started)): StartLine {
  const { platform, environment, node, script } = started
  const { join, dirname, delimiter } = platform === 'win32' ? win32 : posix
  const file = (name: string, ending: string) => (platform === 'win32' ? `${name}${ending}` : name)
  const isPlain = folders.some((folder) => isSame(join(folder, file('node', '.exe')), node))
  const asked = npxPackage(script)
  if (isPlain) {
    if (asked) return { command: 'npx', args: ['-y', asked] }
    const installed = folders.some((folder) => isSame(join(folder, file(NAME, '.cmd')), script))
    return installed ? { command: NAME, args: [] } : { command: 'node', args: [script] }
  }
  // A link that outlives the version which it leads to today, such as Homebrew's.
  const path = (environment.PATH ?? environment.Path ?? '').split(delimiter)
  const link = path
    .map((folder) => join(folder, file('node', '.exe')))
    .find((candidate) => !SHORT_LIVED.test(candidate) && isSame(candidate, node))
  const found = link ?? node
  if (!asked) return { command: found, args: [script] }
  // npx itself looks for `node`.
  const PATH = [dirname(found), ...(platform === 'win32' ? [environment.PATH ?? ''] : folders)].join(
    delimiter,
  )
  return { command: join(dirname(found), file('npx', '.cmd')), args: ['-y', asked], env: { PATH } }
}
