// `headers`: the token as a header, for hooks that ask for headers.

import { tokenHeaders } from '../hand-over/headers.ts'
import { say } from '../sentence.ts'
import type { Command } from './io.ts'
import { usageError } from './usage.ts'

/** Prints the headers with which the hosted MCP server takes the token, for hooks that ask for headers. */
export const headers: Command = async ({ cli, deps, profile, operands }) => {
  const [address, ...rest] = operands
  if (rest.length > 0) throw usageError(cli, say`This command takes one address, or none`)
  const answer = await tokenHeaders(deps, profile, address)
  if (answer.problem) {
    const { said } = answer.problem
    cli.stderr(say`The token is due and was not refreshed; it is still valid. ${said}\n`)
  }
  cli.stdout(`${JSON.stringify(answer.headers)}\n`)
  return 0
}
