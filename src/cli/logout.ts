import { logout } from '../logout.ts'
import { type Command, print } from './io.ts'
import { expectOperands } from './run.ts'

/** Revokes the token at Feishu and deletes it here. */
export const logoutCommand: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  const answer = await logout(deps, profile)
  const revoked = answer.revoked
    ? 'revoked at Feishu and deleted'
    : 'deleted here (Feishu did not confirm a revocation)'
  print(cli, options.json, answer, `${profile}: logged out, the token was ${revoked}.\n`)
  return 0
}
