// `timer`: the daily refresh by the system.

import { laidOut } from '../chinese/fold.ts'
import { type Sentence, say } from '../sentence.ts'
import { installTimer, removeTimer, type TimerState, timerState } from '../timer/timer.ts'
import type { Command, Invocation } from './io.ts'
import { usageError } from './usage.ts'

/** The system's timer that refreshes every day. */
export const timer: Command = async (invocation) => {
  const { cli, deps, operands } = invocation
  const [action, ...rest] = operands
  const { timerHost, config } = deps
  if (rest.length === 0 && action === 'status') {
    return tell(invocation, { state: await timerState(timerHost, config.tokenDir), changed: false }, action)
  }
  if (rest.length === 0 && action === 'install') {
    const done = await installTimer(timerHost, config.tokenDir)
    return tell(invocation, done, action)
  }
  if (rest.length === 0 && action === 'remove') {
    return tell(invocation, await removeTimer(timerHost, config.tokenDir), action)
  }
  throw usageError(cli, say`\`timer\` takes \`install\`, \`remove\` or \`status\``)
}

function tell(
  { cli, options }: Invocation,
  { state, changed }: { state: TimerState; changed: boolean },
  action: 'install' | 'remove' | 'status',
): number {
  const next = action === 'remove' ? afterRemoval(state) : nextStep(state, cli.command)
  if (options.json) {
    const { status, scheduler, cronLine, lastExit, outlivesLogin, lacking } = state
    const files = state.files.map(({ path, content }) => ({ path, content }))
    const answer = { status, changed, scheduler, files, cron_line: cronLine, last_exit: lastExit }
    const rest = { outlives_login: outlivesLogin, lacking, next_step: String(next) }
    cli.stdout(`${JSON.stringify({ ...answer, ...rest }, null, 2)}\n`)
    return 0
  }
  if (action === 'install' && changed)
    for (const { path, content } of state.files) cli.stderr(laidOut(say`${path}\n${indented(content)}\n`))
  cli.stderr(say`${describe(state)} ${next}\n`)
  for (const advice of action === 'remove' ? [] : adviceOf(state, cli.command)) cli.stderr(say`${advice}\n`)
  if (state.cronLine !== null && action !== 'remove') cli.stdout(`${state.cronLine}\n`)
  return 0
}

function indented(text: string): string {
  return text.trim().replace(/^/gm, '    ')
}

function describe({ status, scheduler, cronLine }: TimerState): Sentence {
  if (cronLine !== null) return say`No scheduler that this program knows is running here.`
  const name = scheduler ?? ''
  if (status === 'running')
    return say`The timer is running (${name}): every day it refreshes the tokens that are due.`
  if (status === 'stopped') return say`The timer is installed (${name}), but is not running.`
  if (status === 'outdated') return say`The timer (${name}) was installed by another version of this program.`
  return say`No timer is installed (${name}).`
}

function nextStep({ status, cronLine }: TimerState, command: string): Sentence {
  if (cronLine !== null) return say`Put this line into your crontab (\`crontab -e\`).`
  if (status === 'running') return say`Nothing is needed.`
  return say`Run \`${command} timer install\`.`
}

function afterRemoval({ cronLine }: TimerState): Sentence {
  return cronLine === null
    ? say`Nothing is needed.`
    : say`If its line is in your crontab, take it out (\`crontab -e\`).`
}

function adviceOf({ lastExit, outlivesLogin, lacking }: TimerState, command: string): Sentence[] {
  const advice: Sentence[] = []
  if (outlivesLogin === false)
    advice.push(say`While you are logged out it does not run: \`loginctl enable-linger\` changes that.`)
  if (lastExit !== null && lastExit !== 0)
    advice.push(say`Its last run ended with ${lastExit}: \`${command} refresh --all\` says why.`)
  if (lacking.length > 0) {
    const names = lacking.join(', ')
    advice.push(
      say`It runs without ${names}, which are set here: \`${command} setup\` keeps the app, \`${command} key --move-to file\` the key; set what else it needs for your whole account.`,
    )
  }
  return advice
}
