import { expect, test } from 'vitest'
import { hashRefreshToken } from '../../../src/store/journal.ts'
import type { Key } from '../../../src/store/key.ts'
import type { LocalCopy } from '../../../src/store/postgres/local-copy.ts'
import { isNewer, journalFrom, journalOf, type RowJournal } from '../../../src/store/postgres/row-journal.ts'
import type { Row } from '../../../src/store/postgres/rows.ts'
import type { Interrupted } from '../../../src/store/token-store.ts'
import { failureOf } from '../../support/failure.ts'
import { ISSUED_AT, makeTokenSet } from '../../support/token-set.ts'
import { ID, makeRecord, refreshTokenOf } from '../fixture.ts'

const KEY: Key = { source: 'env', id: '0123456789abcdef', bytes: Buffer.alloc(32, 7) }
const INTERRUPTED: Interrupted = { ambiguous: 2, sentAt: ISSUED_AT, pid: 1, host: 'h', cooldownUntil: null }

/** What a machine noted of the attempts that it undid. */
function localThatUndid(...attempts: string[]): LocalCopy {
  return {
    files: { id: ID },
    isUndone: (attempt: string) => attempts.includes(attempt),
  } as unknown as LocalCopy
}

function rowWith(journal: object | string | null): Row {
  const text = typeof journal === 'object' && journal !== null ? JSON.stringify(journal) : journal
  return { generation: 1, record: null, journal: text, pending: null, key_id: KEY.id }
}

test('an attempt that this machine undid is taken back, one that it did not counts', () => {
  const journal: RowJournal = {
    tokenHash: 'hash',
    ambiguous: 2,
    sentAt: ISSUED_AT,
    cooldownUntil: null,
    pid: 1,
    host: 'h',
    attempt: 'a1',
    before: { ambiguous: 1, sentAt: null },
  }
  expect(journalOf(rowWith(journal), localThatUndid())).toEqual(journal)
  expect(journalOf(rowWith(journal), localThatUndid('a1'))).toEqual({
    ...journal,
    ambiguous: 1,
    sentAt: null,
  })
  expect(journalOf(rowWith(null), localThatUndid())).toBeNull()
})

test('a journal that is damaged is told with its row', async () => {
  expect(await failureOf(async () => journalOf(rowWith('{'), localThatUndid()))).toMatchObject({
    code: 'store_unreadable',
    message: 'The row feishu-cli_a1-default in PostgreSQL is damaged; it was left as it is.',
  })
})

test('what was interrupted elsewhere is kept with the token that it is about, if there is one', () => {
  const text = journalFrom(INTERRUPTED, makeRecord(3), KEY)
  expect(JSON.parse(text ?? '')).toEqual({
    ...INTERRUPTED,
    tokenHash: hashRefreshToken(KEY, refreshTokenOf(3)),
    attempt: '',
    before: { ambiguous: 2, sentAt: ISSUED_AT },
  })
  expect(journalFrom(null, makeRecord(3), KEY)).toBeNull()
  expect(journalFrom(INTERRUPTED, { generation: 3, tokenSet: null }, KEY)).toBeNull()
  const tokenSet = makeTokenSet({ refreshToken: null })
  expect(journalFrom(INTERRUPTED, { generation: 3, tokenSet }, KEY)).toBeNull()
})

test('of two records the newer was issued later; a logout is newer than any, and a token never than it', () => {
  const issued = (issuedAt: number) => ({ generation: 1, tokenSet: makeTokenSet({ issuedAt }) })
  const none = { generation: 1, tokenSet: null }
  expect(isNewer(issued(2), issued(1))).toBe(true)
  expect(isNewer(issued(1), issued(1))).toBe(true)
  expect(isNewer(issued(1), issued(2))).toBe(false)
  expect(isNewer(none, issued(2))).toBe(true)
  expect(isNewer(none, none)).toBe(true)
  expect(isNewer(issued(2), none)).toBe(false)
})
