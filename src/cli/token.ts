import { errorText } from '../answers.ts'
import { resolveApp } from '../app.ts'
import type { Deps } from '../deps.ts'
import { AuthError } from '../errors.ts'
import type { RefreshResult } from '../refresh.ts'
import { refreshToken } from '../refresh.ts'
import { toTime } from '../status.ts'
import type { Command } from './io.ts'
import { expectOperands } from './run.ts'

/** A token that is due is refreshed first; if that fails while it still lives, it is given all the same. */
async function freshRecord(
  deps: Deps,
  profile: string,
  warn: (text: string) => void,
): Promise<RefreshResult['record']> {
  try {
    return (await refreshToken(deps, { profile, force: false })).record
  } catch (error) {
    if (!(error instanceof AuthError)) throw error
    const app = await resolveApp(deps, profile)
    const record = await deps.store.read(app.id).catch(() => null)
    if (!record || deps.clock.remainingMs(record, app.key) <= 0) throw error
    warn(`The token is due but was not refreshed; the old one is still valid. ${errorText(error)}\n`)
    return record
  }
}

/** Prints a valid access token and nothing else. The one place that shows a token. */
export const token: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  const { tokenSet } = await freshRecord(deps, profile, cli.stderr)
  const accessToken = tokenSet?.accessToken?.reveal()
  if (!accessToken) {
    throw new AuthError('unexpected_response', 'Feishu gave no access token at the last refresh.', {
      nextStep: `Run \`${cli.command} refresh --force\`.`,
    })
  }
  const access_token_expires_at = toTime(tokenSet?.accessTokenExpiresAt ?? null)
  const document = JSON.stringify({ access_token: accessToken, access_token_expires_at, profile })
  cli.stdout(options.json ? `${document}\n` : `${accessToken}\n`)
  return 0
}
