// `logout`: revokes and deletes.

import { type LogoutAnswer, logout } from '../profiles/logout.ts'
import { type Sentence, say } from '../sentence.ts'
import { type Command, print } from './io.ts'
import { expectOperands } from './usage.ts'

/** Revokes the token at Feishu and deletes it here. */
export const logoutCommand: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  const { answer, hadToken } = await logout(deps, profile, { force: options.force ?? false })
  const done = hadToken ? say`logged out, the token was ${fate(answer)}` : say`no token was stored`
  print(cli, options.json, answer, say`${profile}: ${done}.\n`)
  return 0
}

function fate({ revoked }: LogoutAnswer): Sentence {
  return revoked
    ? say`revoked at Feishu and deleted`
    : say`deleted here (Feishu did not confirm a revocation)`
}
