// The way to PostgreSQL: what each failure is told as, and what is left of a connection after it.

import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { Secret } from '../../../src/secret.ts'
import { say } from '../../../src/sentence.ts'
import { type Database, openDatabase } from '../../../src/store/postgres/database.ts'
import { failureOf } from '../../support/failure.ts'
import { makeFolder } from '../../support/folder.ts'
import { describeIf } from '../../support/needs.ts'
import { POSTGRES_MISSING, POSTGRES_PASSWORD, type Postgres, startPostgres } from '../../support/postgres.ts'

const COMMAND = 'npx -y feishu-token-mcp'

let server: Postgres
let name: string
beforeAll(async () => {
  if (POSTGRES_MISSING) return
  server = await startPostgres({ fsync: 'off' })
  name = await server.create()
  await server.sql(
    name,
    `create table notes (text text);
     create role agent login password '${POSTGRES_PASSWORD}';
     create role stranger nologin password '${POSTGRES_PASSWORD}'`,
  )
})
afterAll(() => server?.close())

function open(address: string = server.url(name)): Database {
  return openDatabase(new Secret(address), COMMAND)
}

const withNext = (nextStep: string) => ({ code: 'config_invalid', nextStep })
const AWAY = {
  code: 'store_not_writable',
  nextStep: 'Try again when the database answers; nothing is spent without it, and nothing was lost.',
}

test('a database is named without user and password, and its tables by the search path too', () => {
  const address = 'postgres://u:p@db.example/tokens?options=-csearch_path%3Da'
  expect(open(address)).toMatchObject({
    place: 'db.example:5432/tokens',
    identity: 'db.example:5432/tokens -csearch_path=a',
    command: COMMAND,
  })
  expect(open('postgres://db.example/tokens').identity).toBe('db.example:5432/tokens ')
  expect(open('no address')).toMatchObject({ place: '', identity: ' ' })
})

describeIf(POSTGRES_MISSING)('PostgreSQL', () => {
  const TLS_STEP =
    'Set sslmode, and sslrootcert for a certificate authority of your own, in FEISHU_TOKEN_STORE.'
  const READ_ONLY = 'options=-cdefault_transaction_read_only%3Don'

  test.each([
    [
      'refuses the password (28P01).',
      () => server.url(name, { user: 'agent' }).replace(POSTGRES_PASSWORD, 'other'),
      withNext('Correct the password in FEISHU_TOKEN_STORE.'),
    ],
    [
      'refuses this user (28000).',
      () => server.url(name, { user: 'stranger' }),
      withNext('Correct the user in FEISHU_TOKEN_STORE, or let it in in pg_hba.conf.'),
    ],
    [
      'has no such database (3D000).',
      () => server.url('nowhere'),
      withNext('Correct the name of the database in FEISHU_TOKEN_STORE.'),
    ],
    [
      'grants this user too little (42501).',
      () => server.url(name, { user: 'agent' }),
      withNext('Grant it what docs/teams.md names under Roles.'),
    ],
    [
      '(it speaks no TLS).',
      () => server.url(name, { search: 'sslmode=verify-full' }),
      { code: 'tls_error', nextStep: TLS_STEP },
    ],
    [
      '(ENOENT for a file of its certificates).',
      () => server.url(name, { search: `sslrootcert=${join(makeFolder(), 'none.pem')}` }),
      { code: 'tls_error', nextStep: TLS_STEP },
    ],
    ['cannot be reached (ECONNREFUSED).', () => server.url(name, { port: 1 }), AWAY],
    ['takes no writes: it is a standby (25006).', () => server.url(name, { search: READ_ONLY }), AWAY],
  ])('that %s', async (text, address, expected) => {
    const database = open(address())
    const error = await failureOf(() => database.query(`insert into notes values ('a')`))
    expect(error).toMatchObject(expected)
    expect(error.message).toContain(`PostgreSQL at ${database.place}`)
    expect(error.message).toContain(text)
    expect(database.outage()).toBe(expected.code === 'store_not_writable' ? error : null)
  })

  test('that has no tables names the command that makes them', async () => {
    expect(await failureOf(() => open().query('select 1 from feishu_token_store'))).toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('has no tables for tokens (42P01).'),
      nextStep: `Run \`${COMMAND} store init\` once, as the owner of the database.`,
    })
  })

  test.each([
    [new Error('Query read timeout'), 'cannot be reached (no answer in time).'],
    [new Error('Connection terminated unexpectedly'), 'cannot be reached (connection lost).'],
    ['timeout', 'cannot be reached (connection lost).'],
    [null, 'cannot be reached (connection lost).'],
  ])('that is lost by %s', async (thrown, text) => {
    const error = await failureOf(() => open().transaction(() => Promise.reject(thrown)))
    expect(error).toMatchObject({ ...AWAY, message: expect.stringContaining(text) })
  })

  test('that was away is taken to be for two seconds, unless it answers', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const database = open()
    const lose = () => failureOf(() => database.transaction(() => Promise.reject(new Error('lost'))))
    expect(database.outage()).toBeNull()
    const first = await lose()
    vi.advanceTimersByTime(1_999)
    expect(database.outage()).toBe(first)
    vi.advanceTimersByTime(1)
    expect(database.outage()).toBeNull()
    await lose()
    await database.query('select 1')
    expect(database.outage()).toBeNull()
  })

  test('keeps all of a transaction or nothing, and its connections are two, whatever happens on them', async () => {
    const database = open()
    const write = (text: string) =>
      database.transaction(async (query) => {
        await query('insert into notes values ($1)', [text])
        if (text === 'broken') throw new CodedError('store_locked', say`No.`, { nextStep: say`Wait.` })
        return (await query<{ pid: number }>('select pg_backend_pid() as pid'))[0]?.pid
      })
    for (let round = 0; round < 3; round += 1) {
      expect((await failureOf(() => write('broken'))).code).toBe('store_locked')
      await write('whole')
    }
    const texts = () => server.sql<{ text: string }>(name, 'select text from notes')
    expect((await texts()).map(({ text }) => text)).toEqual(['whole', 'whole', 'whole'])
    const pids = await Promise.all(Array.from({ length: 8 }, () => write('whole')))
    expect(new Set(pids).size).toBe(2)
    expect((await database.query('select $1::int as one', [1]))[0]).toEqual({ one: 1 })
  })

  test('may end a connection in the middle of a transaction', async () => {
    const lost = open().transaction(async (query) => {
      await server.disconnect()
      // The first may be told of it; the end of the connection is told to nobody's statement.
      await query('select 1').catch(() => undefined)
      await query('select 1')
    })
    expect(await failureOf(() => lost)).toMatchObject(AWAY)
  })

  test('may end a connection that nobody uses', async () => {
    const database = open()
    const pid = async () => (await database.query<{ pid: number }>('select pg_backend_pid() as pid'))[0]?.pid
    const first = await pid()
    await server.disconnect()
    await expect.poll(pid).not.toBe(first)
  })
})
