// What `refresh_token` and `refresh` answer, and the next step in words.

import { toSeconds, toTime } from '../answers.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Deps, RefreshResult } from '../deps.ts'
import { type Sentence, say } from '../sentence.ts'

/** The answer of `refresh_token`. */
export type RefreshAnswer = {
  next_step: Sentence
  status: RefreshResult['status']
  profile: string
  access_token_expires_at: string | null
  access_token_expires_in: number | null
  refresh_token_expires_at: string | null
  refresh_token_expires_in: number | null
  generation: number
  persisted: boolean
  deliveries: Delivery[]
}

export function refreshAnswer(deps: Deps, profile: string, result: RefreshResult): RefreshAnswer {
  const { tokenSet, generation } = result.record
  const refreshEndsAt = tokenSet?.refreshToken ? tokenSet.refreshTokenExpiresAt : null
  return {
    next_step: refreshNextStep(deps, result),
    status: result.status,
    profile,
    access_token_expires_at: toTime(tokenSet?.accessTokenExpiresAt ?? null),
    access_token_expires_in: toSeconds(result.remainingMs),
    refresh_token_expires_at: toTime(refreshEndsAt),
    refresh_token_expires_in: toSeconds(refreshEndsAt === null ? null : refreshEndsAt - deps.clock.now()),
    generation,
    persisted: result.persisted,
    deliveries: result.deliveries,
  }
}

function refreshNextStep(deps: Deps, result: RefreshResult): Sentence {
  if (!result.persisted) return deps.store.description.unsaved.nextStep
  if (result.deliveries.some(({ status }) => status !== 'delivered' && status !== 'unchanged')) {
    return say`Some copies were not written: fix what deliveries says about them, then run \`${deps.command} deliver\`.`
  }
  const restart = result.deliveries.find(
    (delivery) => delivery.restart_required && delivery.status === 'delivered',
  )
  if (restart?.restart_hint) return restart.restart_hint
  return say`Nothing is needed.`
}
