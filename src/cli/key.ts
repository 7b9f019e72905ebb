// `key --move-to`: another place for the key.

import { moveStoreKey } from '../profiles/key-move.ts'
import { say, type Value } from '../sentence.ts'
import type { KeySource } from '../store/envelope.ts'
import { type Command, print } from './io.ts'
import { expectOperands, usageError } from './usage.ts'

const PLACES: Readonly<Record<KeySource, Value>> = {
  keychain: say`the operating system's keychain`,
  file: say`a key file`,
  env: 'FEISHU_TOKEN_KEY',
}

/** Moves the key that the store is sealed with. */
export const key: Command = async ({ cli, deps, options, operands }) => {
  expectOperands(cli, operands, [])
  const to = (Object.keys(PLACES) as KeySource[]).find((source) => source === options['move-to'])
  if (!to) throw usageError(cli, say`key needs --move-to keychain, --move-to file or --move-to env`)
  const answer = await moveStoreKey(deps, to)
  const done =
    answer.status === 'moved'
      ? say`The key is in ${PLACES[to]} now; ${answer.resealed} files were encrypted again.`
      : answer.left.length > 0
        ? say`The key is not moved to ${PLACES[to]}.`
        : say`The key is in ${PLACES[to]} already.`
  print(cli, options.json, answer, say`${done} ${answer.next_step}\n`)
  return answer.left.length > 0 ? 1 : 0
}
