// What is asked for at once goes into one statement; what the statements do is in the tests of leases and of all stores.

import { expect, test } from 'vitest'
import type { Database } from '../../../src/store/postgres/database.ts'
import { openRows } from '../../../src/store/postgres/rows.ts'
import { SCHEMA_VERSION } from '../../../src/store/postgres/schema.ts'
import { failureOf } from '../../support/failure.ts'
import { ID } from '../fixture.ts'

const WORK = { ...ID, profile: 'work' }
const NEXT = { record: 'r', generation: 2, expected: 1, journal: null }

/** A database that answers each statement with what is made of its values, and notes those. */
function databaseWith(answer: (values: string[][]) => object[]): { database: Database; asked: unknown[] } {
  const asked: unknown[] = []
  const query = async (_text: string, values: unknown[] = []) => {
    asked.push(values)
    return answer(values as string[][])
  }
  return { database: { place: 'db', command: 'c', query } as unknown as Database, asked }
}

const rowsOf = ([, , profiles = []]: string[][]) =>
  profiles.map((journal) => ({ journal, version: SCHEMA_VERSION }))

test('rows that are asked for in one turn share a statement, each profile once, and go to those who asked', async () => {
  const { database, asked } = databaseWith(rowsOf)
  const rows = openRows(database)
  const read = await Promise.all([rows.read(ID), rows.read(WORK), rows.read({ ...ID })])
  expect(read.map(({ journal }) => journal)).toEqual(['default', 'work', 'default'])
  expect((await rows.read(WORK)).journal).toBe('work')
  expect(asked).toEqual([
    [
      ['feishu', 'feishu'],
      ['cli_a1', 'cli_a1'],
      ['default', 'work'],
    ],
    [['feishu'], ['cli_a1'], ['work']],
  ])
})

test('a statement that failed is told to all who share it, and to nobody later', async () => {
  let isAway = true
  const { database } = databaseWith((values) => {
    if (isAway) throw new Error('away')
    return rowsOf(values)
  })
  const rows = openRows(database)
  const told = await Promise.allSettled([rows.read(ID), rows.read(WORK)])
  expect(told.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  isAway = false
  expect((await rows.read(ID)).journal).toBe('default')
})

test('a row that is not answered, or of another version, is an error', async () => {
  await expect(openRows(databaseWith(() => []).database).read(ID)).rejects.toThrow('not answered')
  const newer = openRows(databaseWith(() => [{ version: SCHEMA_VERSION + 1 }]).database)
  for (const ask of [() => newer.read(ID), () => newer.takeLease(ID, 'me', [], '{}')]) {
    expect((await failureOf(ask)).code).toBe('config_invalid')
  }
})

test('nobody who is asked for has an answer of nothing', async () => {
  const rows = openRows(databaseWith(() => []).database)
  expect(await rows.takeLease(ID, 'me', [], '{}')).toBeNull()
  expect(await rows.leaseHolder(ID)).toBeNull()
  expect(await rows.write(ID, 'me', { record: null })).toBe(false)
  expect(await rows.commit(ID, 'me', NEXT)).toBe(false)
})

test('what is asked for goes with its values in order, and so do the names that are answered', async () => {
  const answers = [{ profile: 'b' }, { profile: 'B' }, { profile: 'a' }]
  const { database, asked } = databaseWith(() => answers.map((row) => ({ ...row, app: row.profile })))
  const rows = openRows(database)
  expect(await rows.write(ID, 'me', { record: null, journal: 'j' })).toBe(true)
  expect(await rows.commit(ID, 'me', NEXT)).toBe(true)
  expect(await rows.names(ID)).toEqual(['B', 'a', 'b'])
  expect(await rows.otherApps(ID)).toEqual(['b', 'B', 'a'])
  expect(asked).toEqual([
    ['feishu', 'cli_a1', 'default', 'me', null, 'j'],
    ['feishu', 'cli_a1', 'default', 'me', 'r', 2, 1, null],
    ['feishu', 'cli_a1'],
    ['default', 'feishu', 'cli_a1'],
  ])
})
