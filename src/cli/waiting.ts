// A line that shows that a wait lives, and until when.

import type { Clock } from '../machine/clock.ts'
import { localTime } from '../moment.ts'
import { say, series } from '../sentence.ts'
import type { Cli } from './io.ts'

/** Begins the line again. */
const OVER = '\r\x1b[2K'

const SECOND_MS = 1000

/** Says what is waited for, and until when; a terminal shows the seconds run, until `signal` is aborted. */
export async function showWaiting(
  { stderr, isTerminal, environment }: Pick<Cli, 'stderr' | 'isTerminal' | 'environment'>,
  clock: Pick<Clock, 'now' | 'sleep'>,
  endsAt: string,
  signal: AbortSignal,
): Promise<void> {
  const time = localTime(endsAt).slice(-5)
  if (!isTerminal.stderr || environment.TERM === 'dumb') {
    return stderr(say`Waiting for the approval, until ${time} …\n`)
  }
  while (!signal.aborted) {
    const left = Math.max(0, Math.ceil((Date.parse(endsAt) - clock.now()) / SECOND_MS))
    const minutes = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`
    stderr(series([OVER, say`Waiting for the approval, until ${time} (${minutes} left; Ctrl-C to stop)`], ''))
    await clock.sleep(SECOND_MS, signal)
  }
  stderr(series([OVER], ''))
}
