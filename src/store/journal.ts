// What is noted of a refresh token's presentations, wherever it is kept.

import { createHmac } from 'node:crypto'
import { CodedError } from '../errors.ts'
import type { Secret } from '../secret.ts'
import { call, say, type Value } from '../sentence.ts'
import type { Key } from './key.ts'
import type { Journal, Presentations } from './token-store.ts'

/** Names a refresh token without telling anything about it to those who have not the key. */
export function hashRefreshToken(key: Key, refreshToken: Secret): string {
  return createHmac('sha256', key.bytes).update('refresh token\0').update(refreshToken.reveal()).digest('hex')
}

/** What is known of a refresh token that no journal is about. */
export const UNSENT: Presentations = { ambiguous: 0, sentAt: null }

/** What a journal says of the token that it is about. */
export function presentationsOf({ ambiguous, sentAt, refusedByOthers }: Presentations): Presentations {
  return { ambiguous, sentAt, ...(refusedByOthers && { refusedByOthers }) }
}

/** Whether a journal holds nothing that anyone must know. */
export function isNothing({ ambiguous, cooldownUntil, refusedByOthers }: Journal): boolean {
  return ambiguous === 0 && cooldownUntil === null && !refusedByOthers
}

function isJournal(journal: Journal): boolean {
  const { tokenHash, ambiguous, sentAt, cooldownUntil } = journal
  const instants = [sentAt, cooldownUntil].every((at) => at === null || typeof at === 'number')
  return typeof tokenHash === 'string' && Number.isInteger(ambiguous) && ambiguous >= 0 && instants
}

/** Reads a journal. Throws `store_unreadable`; `where` is for the error's text. */
export function parseJournal(text: string, where: Value): Journal {
  try {
    const journal = JSON.parse(text) as Journal
    if (isJournal(journal)) return journal
  } catch {
    // Damaged: told below.
  }
  throw new CodedError('store_unreadable', say`${where} is damaged; it was left as it is.`, {
    nextStep: say`${call('start_authorization')}; or remove it if you are sure that no refresh was interrupted lately.`,
  })
}
