import { type LogoutAnswer, logout } from '../profiles/logout.ts'
import { type Command, print } from './io.ts'
import { expectOperands } from './usage.ts'

/** Revokes the token at Feishu and deletes it here. */
export const logoutCommand: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  const { answer, hadToken } = await logout(deps, profile)
  const done = hadToken ? `logged out, the token was ${fate(answer)}` : 'no token was stored'
  print(cli, options.json, answer, `${profile}: ${done}.\n`)
  return 0
}

function fate({ revoked }: LogoutAnswer): string {
  return revoked ? 'revoked at Feishu and deleted' : 'deleted here (Feishu did not confirm a revocation)'
}
