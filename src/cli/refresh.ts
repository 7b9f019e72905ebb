import { errorAnswer, errorText } from '../answers.ts'
import { type RefreshAnswer, refreshAnswer } from '../refresh/answer.ts'
import { refreshToken } from '../refresh/refresh.ts'
import { type ProfileOutcome, refreshAll } from '../refresh/refresh-all.ts'
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
  const lines = [line(answer), ...undelivered.map((of) => `${of.target}: ${of.status}. ${of.detail}`)]
  print(cli, options.json, answer, `${lines.join('\n')}\n`)
  return 0
}

function line(answer: RefreshAnswer): string {
  const time = answer.access_token_expires_at
  const until = answer.status === 'still_valid' ? `until ${time}` : `valid until ${time}`
  return `${answer.profile}: ${answer.status.replaceAll('_', ' ')}, ${until}. ${answer.next_step}`
}

async function all({ cli, deps, options }: Invocation, force: boolean): Promise<number> {
  const { outcomes, left } = await refreshAll(deps, { force })
  const shown = outcomes.map(({ profile, result, error }: ProfileOutcome) => {
    if (error) return { answer: { profile, ...errorAnswer(error) }, text: `${profile}: ${errorText(error)}` }
    const answer = refreshAnswer(deps, profile, result)
    return { answer, text: line(answer) }
  })
  const lines = shown.map(({ text }) => text)
  if (left > 0 && deps.closing.aborted) lines.push(`Stopped: ${left} profiles are left for the next run.`)
  else if (left > 0) lines.push(`Feishu cannot be had now: ${left} profiles are left for the next run.`)
  const text = lines.join('\n') || 'No profile is due.'
  print(cli, options.json, { results: shown.map(({ answer }) => answer), left }, `${text}\n`)
  return Math.max(0, ...outcomes.map(({ error }) => (error ? exitCode(error) : 0)))
}
