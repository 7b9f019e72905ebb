// `token`: prints the access token and nothing else.

import { errorText, toTime } from '../answers.ts'
import { pullRecord, revealAccessToken } from '../hand-over/pull.ts'
import { say } from '../sentence.ts'
import type { Command } from './io.ts'
import { expectOperands } from './usage.ts'

/** Prints a valid access token and nothing else. The one place that shows a token. */
export const token: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  const { record, problem } = await pullRecord(deps, profile)
  if (problem)
    cli.stderr(say`The token is due and was not refreshed; it is still valid. ${errorText(problem)}\n`)
  const access_token = revealAccessToken(record)
  const document = () => {
    const access_token_expires_at = toTime(record.tokenSet?.accessTokenExpiresAt ?? null)
    return JSON.stringify({ access_token, access_token_expires_at, profile })
  }
  cli.stdout(`${options.json ? document() : access_token}\n`)
  return 0
}
