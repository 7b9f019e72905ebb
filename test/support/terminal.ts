// A person at a real terminal (tmux): types, and reads what shows.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { HANGS_MS } from './patience.ts'
import type { Stage } from './program.ts'

/** Why nothing can be tried at a terminal; null: it can. */
export const NO_TMUX: string | null =
  spawnSync('tmux', ['-V']).status === 0 ? null : 'no terminal: apt-get install tmux'

const STEP = { timeout: HANGS_MS / 2, interval: 50 }

export type Terminal = {
  /** Waits until the pattern shows behind what was seen before. */
  seen: (pattern: RegExp) => Promise<RegExpExecArray>
  type: (text: string) => void
  press: (key: string) => void
  transcript: () => string
}

/** Runs a shell command at a terminal of so many columns, in the environment of a stage, until the test ends. */
export function openTerminal(stage: Stage, command: string, columns = 200): Terminal {
  const socket = join(stage.home, 'tmux.socket')
  const log = join(stage.home, 'transcript')
  const tmux = (...args: string[]) => {
    const { status, stderr } = spawnSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
      env: stage.env,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`tmux ${args[0]}: ${stderr}`)
  }
  // The first line is read when the transcript is on.
  tmux(
    'new-session',
    '-d',
    '-x',
    String(columns),
    '-y',
    '120',
    `read go; ${command}; echo "ended with $?"; stty -a; cat`,
  )
  onTestFinished(() => void spawnSync('tmux', ['-S', socket, 'kill-server']))
  writeFileSync(log, '')
  tmux('pipe-pane', '-o', `cat >>"${log}"`)
  tmux('send-keys', 'Enter')
  let position = 0
  return {
    async seen(pattern) {
      return vi.waitFor(() => {
        const text = readFileSync(log, 'utf8').slice(position)
        const match = pattern.exec(text)
        if (!match) throw new Error(`${pattern} does not show:\n${text}`)
        position += match.index + match[0].length
        return match
      }, STEP)
    },
    type(text) {
      tmux('send-keys', '-l', text)
      tmux('send-keys', 'Enter')
    },
    press: (key) => tmux('send-keys', key),
    transcript: () => readFileSync(log, 'utf8'),
  }
}
