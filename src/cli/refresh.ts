// `refresh`: one profile, or all that are due.

import { errorAnswer, errorText } from '../answers.ts'
import { DELIVERY_STATUS } from '../delivery/deliver.ts'
import { localTime } from '../moment.ts'
import { type RefreshAnswer, refreshAnswer } from '../refresh/answer.ts'
import { refreshToken } from '../refresh/refresh.ts'
import { type ProfileOutcome, refreshAll } from '../refresh/refresh-all.ts'
import { about, type Sentence, say, series } from '../sentence.ts'
import { type Command, type Invocation, print } from './io.ts'
import { exitCode, expectOperands } from './usage.ts'

/** Refreshes the token if it is due; with `--all` every profile that is due. */
export const refresh: Command = async (invocation) => {
  const { cli, deps, profile, options, operands } = invocation
  expectOperands(cli, operands, [])
  const force = options.force ?? false
  if (options.all) return all(invocation, force)
  const answer = refreshAnswer(deps, profile, await refreshToken(deps, { profile, force }))
  const undelivered = answer.deliveries.filter(({ status }) => !['delivered', 'unchanged'].includes(status))
  const lines = [
    line(answer),
    ...undelivered.map((of) => say`${of.target}: ${DELIVERY_STATUS[of.status]}. ${of.detail}`),
  ]
  print(cli, options.json, answer, say`${series(lines, '\n')}\n`)
  return 0
}

const DONE: Readonly<Record<RefreshAnswer['status'], Sentence>> = {
  refreshed: say`refreshed`,
  still_valid: say`still valid`,
  refreshed_elsewhere: say`refreshed elsewhere`,
}

function line({ profile, status, access_token_expires_at, next_step }: RefreshAnswer): Sentence {
  const time = access_token_expires_at === null ? '' : localTime(access_token_expires_at)
  return status === 'still_valid'
    ? say`${profile}: ${DONE[status]}, until ${time}. ${next_step}`
    : say`${profile}: ${DONE[status]}, valid until ${time}. ${next_step}`
}

async function all({ cli, deps, options }: Invocation, force: boolean): Promise<number> {
  const { outcomes, left } = await refreshAll(deps, { force })
  const shown = outcomes.map(({ profile, result, error }: ProfileOutcome) => {
    if (error) {
      const answer = { profile, ...errorAnswer(error, { command: cli.command, profile }) }
      return { answer, text: say`${profile}: ${about(errorText(error), profile)}` }
    }
    const answer = refreshAnswer(deps, profile, result)
    return { answer, text: about(line(answer), profile) }
  })
  const lines = shown.map(({ text }) => text)
  if (left > 0 && deps.closing.aborted) lines.push(say`Stopped: ${left} profiles are left for the next run.`)
  else if (left > 0) lines.push(say`Feishu is not available now: ${left} profiles are left for the next run.`)
  const text = lines.length > 0 ? series(lines, '\n') : say`No profile is due.`
  print(cli, options.json, { results: shown.map(({ answer }) => answer), left }, say`${text}\n`)
  return Math.max(0, ...outcomes.map(({ error }) => (error ? exitCode(error) : 0)))
}
