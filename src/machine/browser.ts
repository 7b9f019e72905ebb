// Where the person's browser is, and how it is opened: on a desktop, from WSL on the Windows side, or not from here at
// all, because they sit at another machine or because the client kept the display from us.

import { existsSync, readFileSync } from 'node:fs'
import { posix, win32 } from 'node:path'
import { type Sentence, say, toolsOnly } from '../sentence.ts'
import { findProgram } from './program.ts'
import type { System } from './system.ts'

/** `start_authorization` answers within a second; a PowerShell that starts slowly goes on without us. */
const LAUNCH_MS = 700

const REMOTE = say`this is an SSH session, so no browser was opened here`
const FOR_CODEX = toolsOnly(say`; for Codex add DISPLAY and WAYLAND_DISPLAY to env_vars`)
const NO_DISPLAY = say`no browser was opened: this process has no DISPLAY${FOR_CODEX}`
const NO_PROGRAM = say`no browser could be started`
const NOT_CHOSEN = say`what BROWSER names could not be started`

/** Browsers that need the terminal, which belongs to us or to the client. */
const IN_TERMINAL = /^(?:browsh|e?links2?|lynx|w3m|www-browser)$/

/** Whether the person sits at another machine: their browser cannot reach our listener. */
export function isRemote({ environment }: System): boolean {
  const { SSH_CONNECTION, SSH_CLIENT, SSH_TTY } = environment
  return Boolean(SSH_CONNECTION || SSH_CLIENT || SSH_TTY)
}

/** A program that was started. */
type Launched = {
  exitCode: number | null
  once: (event: 'exit' | 'error', heard: (code: unknown) => void) => unknown
  unref: () => unknown
}

/** The ways to start a browser, without a shell; they reject where there is no such program. */
export type Launcher = {
  /** The system's own. */
  open: (url: string) => Promise<Launched>
  run: (program: string, args: string[]) => Promise<Launched>
}

/** What opens a page for the person; it resolves to why it could not, or null when it did. */
export function createBrowser(
  machine: System,
  { open, run }: Launcher,
): (url: string) => Promise<Sentence | null> {
  return async (url) => {
    const chosen = chosenCommands(machine, url)
    for (const [program = '', ...args] of chosen) {
      const path = /[\\/]/.test(program) ? program : findProgram(program, machine)
      if (path && (await isOpened(run(path, args)))) return null
    }
    // Whoever names a browser, or none, wants no other.
    if (chosen.length > 0) return NOT_CHOSEN
    if (isRemote(machine)) return REMOTE
    if (!hasDisplay(machine)) return NO_DISPLAY
    return (await isOpened(open(url))) ? null : NO_PROGRAM
  }
}

/** Whether a browser was started: it has ended well, or still runs. */
async function isOpened(starting: Promise<Launched>): Promise<boolean> {
  const opened = starting.then(
    (program) =>
      new Promise<boolean>((resolve) => {
        if (program.exitCode !== null) resolve(program.exitCode === 0)
        program.once('exit', (code) => resolve(code === 0))
        program.once('error', () => resolve(false))
        program.unref()
      }),
    () => false,
  )
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, LAUNCH_MS, true)
  })
  return Promise.race([opened, late]).finally(() => clearTimeout(timer))
}

/** The command lines of BROWSER, in their order: `%s` is the address, which else comes last. */
function chosenCommands({ platform, environment }: System, url: string): string[][] {
  const { delimiter } = platform === 'win32' ? win32 : posix
  const commands = (environment.BROWSER ?? '').split(delimiter).map((line) => line.trim().split(/\s+/))
  return commands
    .filter(([program = '']) => program !== '' && !IN_TERMINAL.test(posix.basename(program)))
    .map((words) => {
      const filled = words.map((word) => word.replaceAll('%s', () => url))
      return words.some((word) => word.includes('%s')) ? filled : [...filled, url]
    })
}

function hasDisplay({ platform, environment }: System): boolean {
  if (platform !== 'linux' || environment.DISPLAY || environment.WAYLAND_DISPLAY) return true
  return isWsl()
}

/** By the kernel, not by WSL_DISTRO_NAME: some clients hand on no such variable. */
function isWsl(): boolean {
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return false
  try {
    return existsSync('/run/WSL') || /microsoft/i.test(readFileSync('/proc/version', 'latin1'))
  } catch {
    return false
  }
}
