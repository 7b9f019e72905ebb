// Where the person's browser is, and how it is opened: on a desktop, from WSL on the Windows side, or not from here at
// all, because they sit at another machine or because the client kept the display from us.

import { existsSync, readFileSync } from 'node:fs'
import { type Sentence, say } from '../sentence.ts'

export type Machine = {
  platform: NodeJS.Platform
  environment: Readonly<Record<string, string | undefined>>
}

/** `start_authorization` answers within a second; a PowerShell that starts slowly goes on without us. */
const LAUNCH_MS = 700

const REMOTE = say`this is an SSH session, so no browser was opened here`
const NO_DISPLAY = say`no browser was opened: this process has no DISPLAY; for Codex add DISPLAY and WAYLAND_DISPLAY to env_vars`
const NO_PROGRAM = say`no browser could be started`

/** Whether the person sits at another machine: their browser cannot reach our listener. */
export function isRemote({ environment }: Machine): boolean {
  const { SSH_CONNECTION, SSH_CLIENT, SSH_TTY } = environment
  return Boolean(SSH_CONNECTION || SSH_CLIENT || SSH_TTY)
}

/**
 * What opens a page for the person; it resolves to why it could not, or null when it did.
 *
 * @param launch starts the system's browser, without a shell; rejects where it cannot
 */
export function createBrowser(
  machine: Machine,
  launch: (url: string) => Promise<unknown>,
): (url: string) => Promise<Sentence | null> {
  return async (url) => {
    if (isRemote(machine)) return REMOTE
    if (!hasDisplay(machine)) return NO_DISPLAY
    const launched = launch(url).then(
      () => null,
      () => NO_PROGRAM,
    )
    return Promise.race([launched, new Promise<null>((resolve) => setTimeout(resolve, LAUNCH_MS, null))])
  }
}

function hasDisplay({ platform, environment }: Machine): boolean {
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
