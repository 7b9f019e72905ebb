// `import`: takes over the tokens of another program.

import { statSync } from 'node:fs'
import { localTime } from '../moment.ts'
import type { TokenRecord } from '../oauth/token-set.ts'
import { importTokens } from '../profiles/import.ts'
import { type Sentence, say } from '../sentence.ts'
import type { TokenStatus } from '../status/fields.ts'
import { tokenStatus } from '../status/status.ts'
import { type Command, print } from './io.ts'
import { statusText } from './status.ts'
import { expectOperands } from './usage.ts'

/** The names of standard input. */
const INPUT = ['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']

/** Takes over the token.json of the old script. */
export const importCommand: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, ['FILE'])
  const path = operands[0] ?? ''
  const fromInput = INPUT.includes(path)
  const source = fromInput ? { path: say`standard input`, input: cli.stdin } : { path }
  const record = await importTokens(deps, { profile, ...source, force: options.force ?? false })
  const answer = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  // A pipe (`import <(…)`) is gone already.
  const isFile = !fromInput && statSync(path, { throwIfNoEntry: false })?.isFile()
  const what = isFile ? path : say`what they came from`
  cli.stderr(
    say`Imported; ${dueText(answer, record)}. Delete ${what}: a second program that uses its refresh token ends this login.\n`,
  )
  print(cli, options.json, answer, statusText(answer))
  return 0
}

function dueText(answer: TokenStatus, record: TokenRecord): Sentence {
  const ends = answer.access_token_expires_at
  const until = ends === null ? '' : localTime(ends)
  if (!record.tokenSet?.refreshToken) {
    return say`the file holds no refresh token, so log in again ${answer.status === 'valid' ? say`by ${until}` : say`now`}`
  }
  return answer.status === 'needs_refresh' ? say`a refresh is due now` : say`a refresh is due before ${until}`
}
