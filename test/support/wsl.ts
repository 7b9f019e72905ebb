// A Linux under WSL, as far as a program can tell: in a mount namespace of its own, with Windows under /mnt/c.

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { argumentsIn, noteTaker } from './fake-browser.ts'
import type { Stage } from './program.ts'

const POWERSHELL = 'c/Windows/System32/WindowsPowerShell/v1.0'

/** Why there can be none here; null: there can. */
export const NO_WSL: string | null =
  spawnSync('unshare', ['-m', 'true']).status === 0 ? null : 'unshare -m needs root on Linux'

/** Every folder of this machine under a root of its own: without a container's mark, with WSL's. */
const SCRIPT = (root: string, windows: string, node: string): string => `#!/bin/sh
exec unshare -m --propagation private sh -eu -c '
  mount -t tmpfs none "${root}"
  for path in /*; do
    name=$(basename "$path")
    case $name in mnt|run|lost+found) continue;; esac
    if [ -L "$path" ]; then cp -P "$path" "${root}/$name"
    elif [ -d "$path" ]; then mkdir "${root}/$name"; mount --rbind "$path" "${root}/$name"
    fi
  done
  mkdir -p "${root}/run/WSL" "${root}/mnt"
  mount --bind "${windows}" "${root}/mnt"
  cd "$0"
  exec chroot "${root}" "${node}" "$@"
' "$PWD" "$@"
`

export type Wsl = {
  /** Starts Node in it. */
  node: string
  /** The command that PowerShell was given. */
  command: () => Promise<string>
}

export function makeWsl(stage: Stage): Wsl {
  const [root, windows, seen] = [
    join(stage.home, 'root'),
    join(stage.home, 'windows'),
    join(stage.home, 'seen'),
  ]
  const powershell = join(windows, POWERSHELL)
  mkdirSync(root)
  mkdirSync(powershell, { recursive: true })
  // Slower than any cold PowerShell: it ends when the stage is gone.
  noteTaker(join(powershell, 'powershell.exe'), seen, `while [ -e '${seen}' ]; do sleep 0.1; done`)
  const node = join(stage.home, 'node-in-wsl')
  writeFileSync(node, SCRIPT(root, windows, process.execPath))
  chmodSync(node, 0o755)
  return {
    node,
    async command() {
      const given = await argumentsIn(seen)
      return Buffer.from(given.at(-1) ?? '', 'base64').toString('utf16le')
    },
  }
}
