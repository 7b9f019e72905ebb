// What those are told who only look: of the row, of what this machine keeps, and while the database is away.

import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { localFolder } from '../../../src/store/postgres/postgres-store.ts'
import type { TokenStore } from '../../../src/store/token-store.ts'
import { failureOf } from '../../support/failure.ts'
import { makeFolder } from '../../support/folder.ts'
import { describeIf } from '../../support/needs.ts'
import { POSTGRES_MISSING, type Postgres, startPostgres } from '../../support/postgres.ts'
import { ID, LONG_MS, makeRecord, refreshTokenOf } from '../fixture.ts'
import { openPostgresStore } from '../places.ts'

const WORK = { ...ID, profile: 'work' }

let server: Postgres
beforeAll(async () => {
  if (!POSTGRES_MISSING) server = await startPostgres({ fsync: 'off' })
})
afterAll(() => server?.close())

test('each database has a folder of its own, named by its identity', () => {
  const name = createHash('sha256').update('db:5432/tokens ').digest('hex').slice(0, 16)
  expect(localFolder('tokens', 'db:5432/tokens ')).toBe(join('tokens', 'postgres', name))
})

describeIf(POSTGRES_MISSING)('a shared store', () => {
  let name: string
  let directory: string
  let store: TokenStore
  beforeEach(async () => {
    name = await server.create()
    directory = join(makeFolder(), 'tokens')
    store = open()
    await store.init()
    onTestFinished(() => server.disconnect())
  })

  const open = (at = directory): TokenStore => openPostgresStore(server.url(name), at)
  const sql = <T extends object>(text: string) => server.sql<T>(name, text)
  const storeIn = (of: TokenStore, generation: number, id = ID) =>
    of.withLock(id, LONG_MS, (profile) => profile.commit(makeRecord(generation), generation - 1))

  /** Another machine: its own directory, with the key that was copied to it. */
  function elsewhere(): TokenStore {
    const other = join(makeFolder(), 'tokens')
    cpSync(join(directory, 'key'), join(other, 'key'), { recursive: true })
    return open(other)
  }

  /** Nobody gets to the database until the function that is given back was called. */
  async function goAway(): Promise<() => Promise<void>> {
    const allow = (allowed: boolean) =>
      server.sql('postgres', `alter database ${name} with allow_connections ${allowed}`)
    await allow(false)
    await server.disconnect()
    return async () => void (await allow(true))
  }

  test('that is away is served from what this machine has seen, and tells why', async () => {
    await storeIn(store, 1)
    await storeIn(store, 1, WORK)
    await storeIn(store, 1, { ...ID, appId: 'cli_b2' })
    await storeIn(elsewhere(), 1, { ...ID, profile: 'far' })
    expect(await store.profileNames(ID)).toEqual(['default', 'far', 'work'])
    expect(await store.otherApps(ID)).toEqual(['feishu-cli_b2'])
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const comeBack = await goAway()
    for (const of of [store, open()]) {
      expect(await of.read(ID)).toEqual(makeRecord(1))
      expect(of.outage()?.code).toBe('store_not_writable')
      expect(await of.profileNames(ID)).toEqual(['default', 'work'])
      expect(await of.otherApps(ID)).toEqual([])
      for (const ask of [() => of.read({ ...ID, profile: 'far' }), () => of.readPending(ID)]) {
        expect(await failureOf(ask)).toBe(of.outage())
      }
    }
    expect(await open().profileNames(ID)).toEqual(['default', 'work'])
    expect(await open().otherApps(ID)).toEqual([])
    await comeBack()
    // A moment ago it was away: nobody who only looks waits for it again.
    await storeIn(elsewhere(), 2)
    expect(await store.read(ID)).toEqual(makeRecord(1))
    expect(await store.profileNames(ID)).toEqual(['default', 'work'])
    vi.advanceTimersByTime(2_000)
    expect(await store.read(ID)).toEqual(makeRecord(2))
    expect(await store.profileNames(ID)).toEqual(['default', 'far', 'work'])
    expect(store.outage()).toBeNull()
  })

  test('that is refused is not away: what is wrong is told', async () => {
    await storeIn(store, 1)
    await sql('alter table feishu_token_profiles rename to elsewhere')
    for (const ask of [
      () => store.read(ID),
      () => store.profileNames(ID),
      () => store.otherApps(ID),
      () => store.readPending(ID),
    ]) {
      expect((await failureOf(ask)).code).toBe('config_invalid')
    }
  })

  test('that lags behind hides nothing newer that this machine has seen', async () => {
    await storeIn(store, 1)
    const [before] = await sql<{ record: string }>('select record from feishu_token_profiles')
    await storeIn(store, 2)
    const lag = (columns: string) => sql(`update feishu_token_profiles set ${columns}`)
    await lag(`record = '${before?.record}', generation = 1`)
    expect(await store.read(ID)).toEqual(makeRecord(2))
    expect(await open().read(ID)).toEqual(makeRecord(2))
    // Who has seen nothing newer tells what is there.
    expect(await elsewhere().read(ID)).toEqual(makeRecord(1))
    // A record that was removed is no older one.
    await lag('record = null')
    expect(await store.read(ID)).toEqual({ generation: 1, tokenSet: null })
  })

  test('that was written again on the same generation is told as it is now', async () => {
    await storeIn(store, 1)
    const { generation, tokenSet } = makeRecord(1)
    const marked = { generation, tokenSet: tokenSet && { ...tokenSet, refreshTokenDoubtful: true } }
    await elsewhere().withLock(ID, LONG_MS, (profile) => profile.commit(marked, 1))
    expect(await store.read(ID)).toEqual(marked)
  })

  test('that has not confirmed a record is told with it on this machine until it has', async () => {
    await storeIn(store, 1)
    await store.withLock(ID, LONG_MS, async (profile) => {
      await profile.prepare(refreshTokenOf(1))
      await sql('alter table feishu_token_profiles rename to away')
      expect(await profile.commit(makeRecord(2), 1)).toBe(false)
    })
    expect([await store.read(ID), store.isUnsaved(ID)]).toEqual([makeRecord(2), true])
    await sql('alter table away rename to feishu_token_profiles')
    await store.flush()
    expect([await elsewhere().read(ID), store.isUnsaved(ID)]).toEqual([makeRecord(2), false])
  })

  test('is asked once for each profile in one look around', async () => {
    await storeIn(store, 1)
    await storeIn(store, 1, WORK)
    const look = store.glance()
    expect(await look.read(ID)).toEqual(makeRecord(1))
    await storeIn(elsewhere(), 2)
    await storeIn(elsewhere(), 2, WORK)
    expect(await look.read(ID)).toEqual(makeRecord(1))
    expect(await look.read(WORK)).toEqual(makeRecord(2))
    for (const of of [store, look.glance()]) expect(await of.read(ID)).toEqual(makeRecord(2))
  })

  test('describes itself, and has no key that is moved from here', async () => {
    expect(store.description).toMatchObject({ kind: 'postgres', folder: null, keychain: false })
    expect(store.description.identity()).toContain(`/${name} `)
    expect(store.description.moveAgain('it').texts.join('it')).toBe('Run it with the address of then')
    expect(store.description.unsaved.place.texts).toEqual(['on this machine only, sealed'])
    expect(await failureOf(() => store.moveKey('file'))).toMatchObject({
      code: 'config_invalid',
      message: 'The key of a shared store is not moved from here: all machines have it.',
      nextStep: expect.stringContaining('`feishu-token-mcp store init`'),
    })
  })

  test('tells who sets it up where this machine has its key, if it has', async () => {
    const made = await store.init()
    expect(made).toMatchObject({ status: 'unchanged', keySource: 'file' })
    expect(store.keySource(ID)).toBe('file')
    const keyless = open(join(makeFolder(), 'tokens'))
    expect(await keyless.init()).toEqual({ ...made, keySource: null })
  })

  test('has what is pending, for every machine', async () => {
    expect(await store.readPending(ID)).toBeNull()
    await store.withLock(ID, LONG_MS, (profile) => profile.writePending({ state: 's' }))
    expect(await elsewhere().readPending(ID)).toEqual({ state: 's' })
  })

  test('needs a folder on this machine for its locks', async () => {
    const other = elsewhere()
    rmSync(directory, { recursive: true })
    mkdirSync(directory)
    writeFileSync(join(directory, 'postgres'), '')
    expect((await failureOf(() => storeIn(store, 1))).code).toBe('store_not_writable')
    expect((await failureOf(() => store.holdAuthorization(ID))).code).toBe('store_not_writable')
    await storeIn(other, 1)
  })
})
