import { importTokens } from '../import.ts'
import { tokenStatus } from '../status.ts'
import { type Command, print } from './io.ts'
import { expectOperands } from './run.ts'
import { statusText } from './status.ts'

/** Takes over the token.json of the old script. */
export const importCommand: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, ['FILE'])
  const path = operands[0] ?? ''
  const record = await importTokens(deps, { profile, path, force: options.force ?? false })
  const answer = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  const due =
    answer.status === 'needs_refresh'
      ? 'A refresh is due now'
      : `A refresh is due before ${answer.access_token_expires_at}`
  cli.stderr(
    `Imported. ${due}. Delete ${path}: a second program that uses its refresh token ends this login.\n`,
  )
  if (!record.tokenSet?.refreshToken)
    cli.stderr('The file holds no refresh token: when the access token ends, log in.\n')
  print(cli, options.json, answer, statusText(answer))
  return 0
}
