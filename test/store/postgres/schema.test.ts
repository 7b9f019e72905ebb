// What `store init` does with the tables that it finds, and what is said of those that this program does not work with.

import { expect, test } from 'vitest'
import type { Key } from '../../../src/store/key.ts'
import type { Database, Query } from '../../../src/store/postgres/database.ts'
import { checkVersion, initSchema, SCHEMA_VERSION } from '../../../src/store/postgres/schema.ts'
import { failureOf } from '../../support/failure.ts'

const DATABASE = { place: 'db.example:5432/tokens', command: 'npx -y feishu-token-mcp' } as Database

test.each([
  [SCHEMA_VERSION - 1, 'an older', 'Run `npx -y feishu-token-mcp store init`.'],
  [SCHEMA_VERSION + 1, 'a newer', 'Update feishu-token-mcp on this machine.'],
])(
  'tables of version %i are %s: what to do names this program as it was started',
  async (version, age, nextStep) => {
    const error = await failureOf(() => checkVersion(DATABASE, version))
    expect(error).toMatchObject({ code: 'config_invalid', nextStep })
    expect(error.message).toContain(`of ${age} version (${version})`)
  },
)

/** A database with tables of that version, or without; it notes what it is asked for. */
function databaseAt(version: number | null): { database: Database; asked: [string, unknown[]?][] } {
  const asked: [string, unknown[]?][] = []
  const answers = async (text: string, values?: unknown[]) => {
    asked.push(values ? [text, values] : [text])
    if (text.includes('to_regclass')) return [{ exists: version !== null }]
    return text.startsWith('select version') ? [{ version, key_id: 'its-own' }] : []
  }
  const transaction: Database['transaction'] = (work) => work(answers as unknown as Query)
  return { database: { ...DATABASE, transaction }, asked }
}

const firstKey = async () => ({ id: 'first' }) as Key

test.each([
  [null, { status: 'created', version: SCHEMA_VERSION, keyId: 'first' }],
  [0, { status: 'migrated', version: SCHEMA_VERSION, keyId: 'its-own' }],
  [SCHEMA_VERSION, { status: 'unchanged', version: SCHEMA_VERSION, keyId: 'its-own' }],
])('tables of version %s are brought up to date by one process at a time', async (version, result) => {
  const { database, asked } = databaseAt(version)
  expect(await initSchema(database, firstKey)).toEqual(result)
  expect(asked[0]).toEqual(['select pg_advisory_xact_lock($1)', [expect.any(Number)]])
  const made = asked.filter(([text]) => text.startsWith('create table'))
  const noted = asked.filter(([text]) => text.startsWith('insert')).map(([, values]) => values)
  const changes = result.status !== 'unchanged'
  expect(made).toHaveLength(changes ? 1 : 0)
  expect(noted).toEqual(changes ? [[SCHEMA_VERSION, result.keyId]] : [])
})

test('tables that are newer are left as they are', async () => {
  const { database, asked } = databaseAt(SCHEMA_VERSION + 1)
  expect((await failureOf(() => initSchema(database, firstKey))).code).toBe('config_invalid')
  expect(asked.filter(([text]) => !text.startsWith('select'))).toEqual([])
})
