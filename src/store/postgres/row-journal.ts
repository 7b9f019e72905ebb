// What is read from a row, by those who have its lease and by those who only look.

import type { TokenRecord } from '../../oauth/token-set.ts'
import type { ProfileId } from '../../profile.ts'
import { type Sentence, say } from '../../sentence.ts'
import { hashRefreshToken, parseJournal, presentationsOf } from '../journal.ts'
import type { Key } from '../key.ts'
import type { Interrupted, Journal, Presentations } from '../token-store.ts'
import type { LocalCopy } from './local-copy.ts'
import type { Row } from './rows.ts'

/** A journal as it lies in a row: what it said before the attempt was counted stands beside. */
export type RowJournal = Journal & { attempt: string; before: Presentations }

/** The journal of a row; an attempt of which this machine knows that it consumed nothing is taken back. */
export function journalOf(row: Row, local: LocalCopy): RowJournal | null {
  if (row.journal === null) return null
  const journal = parseJournal(row.journal, placeOf(local.files.id)) as RowJournal
  return local.isUndone(journal.attempt) ? { ...journal, ...journal.before } : journal
}

/** What is known of a record's refresh token, as a row has it; of no attempt that this machine knows. */
export function journalFrom(
  interrupted: Interrupted | null,
  { tokenSet }: TokenRecord,
  key: Key,
): string | null {
  if (!interrupted || !tokenSet?.refreshToken) return null
  const tokenHash = hashRefreshToken(key, tokenSet.refreshToken)
  const before = presentationsOf(interrupted)
  return JSON.stringify({ ...interrupted, tokenHash, attempt: '', before } satisfies RowJournal)
}

/** How a row is called in an error's text. */
export function placeOf({ brand, appId, profile }: ProfileId): Sentence {
  return say`The row ${brand}-${appId}-${profile} in PostgreSQL`
}

/** Issued later: a generation alone does not tell where a standby that lagged behind took over. */
export function isNewer(known: TokenRecord, stored: TokenRecord): boolean {
  if (!known.tokenSet || !stored.tokenSet) return known.tokenSet === null
  return known.tokenSet.issuedAt >= stored.tokenSet.issuedAt
}
