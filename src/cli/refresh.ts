import { errorAnswer, errorText, type RefreshAnswer, refreshAnswer, toAuthError } from '../answers.ts'
import { profileNames, resolveApp } from '../app.ts'
import type { Deps } from '../deps.ts'
import { nextStep } from '../oauth/token-set.ts'
import { refreshToken } from '../refresh.ts'
import { type Command, print } from './io.ts'
import { expectOperands } from './run.ts'

/** Refreshes the token if it is due; with `--all` every profile that is due. */
export const refresh: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  if (options.all)
    return refreshAll(deps, options.force ?? false, (answer, text) => print(cli, options.json, answer, text))
  const answer = refreshAnswer(
    deps,
    profile,
    await refreshToken(deps, { profile, force: options.force ?? false }),
  )
  print(cli, options.json, answer, `${line(answer)}\n`)
  return 0
}

function line(answer: RefreshAnswer): string {
  const until = `valid until ${answer.access_token_expires_at}`
  return `${answer.profile}: ${answer.status.replaceAll('_', ' ')}, ${until}. ${answer.next_step}`
}

/** A day before its end a refresh token is used, even if the access token is not: a rest of a week must not kill it. */
const KEEP_ALIVE_MS = 86_400_000 * 6
/** Half of Feishu's 1,000 a minute for one app, with room for what the servers do. */
const PAUSE_MS = 150

async function refreshAll(
  deps: Deps,
  force: boolean,
  tell: (answer: object, text: string) => void,
): Promise<number> {
  const results: object[] = []
  const lines: string[] = []
  let exit = 0
  for (const profile of await profileNames(deps, deps.config.profile)) {
    try {
      if (!force && !(await isDue(deps, profile))) continue
      if (results.length > 0)
        await new Promise((resume) => setTimeout(resume, PAUSE_MS * (0.5 + Math.random())))
      const answer = refreshAnswer(deps, profile, await refreshToken(deps, { profile, force: true }))
      results.push(answer)
      lines.push(line(answer))
    } catch (error) {
      const known = toAuthError(error)
      if (known.code === 'not_authorized') continue
      results.push({ profile, ...errorAnswer(known) })
      lines.push(`${profile}: ${errorText(known)}`)
      exit = Math.max(exit, known.recovery === 'reauthorize' ? 3 : known.recovery === 'fix_config' ? 2 : 1)
    }
  }
  tell({ results }, lines.length > 0 ? `${lines.join('\n')}\n` : 'No profile is due.\n')
  return exit
}

/** Due: the access token needs it, or the refresh token was not used for a day. */
async function isDue(deps: Deps, profile: string): Promise<boolean> {
  const app = await resolveApp(deps, profile)
  const record = await deps.store.read(app.id)
  const { tokenSet } = record
  if (!tokenSet) return false
  const step = nextStep(tokenSet, deps.clock.remainingMs(record, app.key), deps.config.refreshMarginMs)
  if (step !== 'use') return step === 'refresh'
  const endsAt = tokenSet.refreshTokenExpiresAt
  return endsAt !== null && endsAt - deps.clock.now() < KEEP_ALIVE_MS
}
