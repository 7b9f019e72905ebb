// A line that shows that a wait lives, and until when.

import { laidOut } from '../chinese/fold.ts'
import type { Clock } from '../machine/clock.ts'
import { localTime } from '../moment.ts'
import { say, series } from '../sentence.ts'
import type { Cli } from './io.ts'

/** Begins the line again. */
const OVER = '\r\x1b[2K'

const SECOND_MS = 1000

/** What the line takes: where it runs over the edge, it cannot be begun again. */
const LINE_COLUMNS = 60

/** Says what is waited for, and until when; a terminal shows the seconds run, until `signal` is aborted. */
export async function showWaiting(
  { stderr, width, environment }: Pick<Cli, 'stderr' | 'width' | 'environment'>,
  clock: Pick<Clock, 'now' | 'sleep'>,
  endsAt: string,
  signal: AbortSignal,
): Promise<void> {
  const time = localTime(endsAt).slice(-5)
  if (width.stderr === null || width.stderr < LINE_COLUMNS || environment.TERM === 'dumb') {
    return stderr(say`Waiting for the approval, until ${time} …\n`)
  }
  while (!signal.aborted) {
    const left = Math.max(0, Math.ceil((Date.parse(endsAt) - clock.now()) / SECOND_MS))
    const minutes = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`
    const line = say`Waiting for approval until ${time} (${minutes} left; Ctrl-C stops)`
    stderr(laidOut(series([OVER, line], '')))
    await clock.sleep(SECOND_MS, signal)
  }
  stderr(laidOut(series([OVER], '')))
}
