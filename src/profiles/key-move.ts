// Moves the store's key to another place: the keychain, a key file, or the environment.

import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { type Sentence, say, series } from '../sentence.ts'
import type { KeySource } from '../store/envelope.ts'

export type KeyMoveAnswer = {
  status: 'moved' | 'unchanged'
  /** Where the key is now. */
  key_source: KeySource
  /** Where it was. */
  moved_from: KeySource[]
  resealed: number
  /** What could not be opened and was left as it is. */
  left: { path: string; why: string }[]
  old_keys_removed: boolean
  next_step: Sentence
}

/** Seals everything again with a key that `to` keeps; the old key is removed last. */
export async function moveStoreKey(deps: Deps, to: KeySource): Promise<KeyMoveAnswer> {
  const move = await deps.store.moveKey(to).catch((error) => {
    if (!(error instanceof CodedError) || error.code !== 'store_locked') throw error
    throw new CodedError(
      'store_locked',
      say`${error.said} The move stopped there; everything can be opened.`,
      {
        nextStep: say`Run the same command again in a minute: it goes on where it stopped.`,
      },
    )
  })
  const { from, resealed, left, oldKeys } = move
  return {
    status: resealed > 0 ? 'moved' : 'unchanged',
    key_source: to,
    moved_from: from,
    resealed,
    left,
    old_keys_removed: oldKeys === 'removed',
    next_step: nextStep(deps, to, move),
  }
}

function nextStep(deps: Deps, to: KeySource, move: Awaited<ReturnType<Deps['store']['moveKey']>>): Sentence {
  const { resealed, left, oldKeys } = move
  const steps: Sentence[] = []
  if (resealed === 0 && left.length === 0)
    steps.push(say`Nothing is needed: no file is encrypted with another key.`)
  if (left.length > 0) {
    steps.push(
      say`Check ${left.map(({ path }) => path).join(', ')}: they keep their key, which was not removed.`,
    )
  } else if (oldKeys === 'given') {
    steps.push(say`Remove FEISHU_TOKEN_KEY from the clients.`)
  } else if (oldKeys === 'needed') {
    steps.push(say`The old key stays where it is: other files of this machine are encrypted with it.`)
  } else if (oldKeys === 'stuck') {
    steps.push(say`The old key could not be removed; no file needs it any more.`)
  }
  if (to === 'env' && resealed > 0)
    steps.push(say`Every client must set FEISHU_TOKEN_KEY from now on: without it nothing can be opened.`)
  if (resealed > 0) steps.push(say`Backups made before need the old key. See \`${deps.command} status\`.`)
  return series(steps, ' ')
}
