// Whether the system's timer does what it is there for.

import type { Deps } from '../deps.ts'
import { say } from '../sentence.ts'
import { timerState } from '../timer/timer.ts'
import { type Finding, pass, skip, warn } from './check.ts'

export async function timerCheck({ timerHost, config, command }: Deps): Promise<Finding> {
  const { status, scheduler, lastExit } = await timerState(timerHost, config.tokenDir)
  const install = say`Run \`${command} timer install\`.`
  const name = scheduler ?? ''
  if (status === 'absent') {
    return skip(say`No timer is installed; a login ends after some days in which no client runs.`, install)
  }
  if (status === 'stopped') return warn(say`The timer is installed (${name}), but is not running.`, install)
  if (status === 'outdated')
    return warn(say`The timer (${name}) was installed by another version of this program.`, install)
  if (lastExit !== null && lastExit !== 0) {
    return warn(
      say`The last run of the timer ended with ${lastExit}.`,
      say`Run \`${command} refresh --all\`: it says why.`,
    )
  }
  return pass(say`The timer is running (${name}): every day it refreshes the tokens that are due.`)
}
