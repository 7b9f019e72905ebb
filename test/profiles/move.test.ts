import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { TokenRecord } from '../../src/oauth/token-set.ts'
import { moveRecord } from '../../src/profiles/move.ts'
import { Secret } from '../../src/secret.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { changing, ID, LONG_MS, makeRecord, refreshTokenOf } from '../store/fixture.ts'
import { makeFilePlace, makePostgresPlace, type Place } from '../store/places.ts'
import { failureOf } from '../support/failure.ts'
import { POSTGRES_MISSING, type Postgres, startPostgres } from '../support/postgres.ts'

const WORK = { ...ID, profile: 'work' }

let server: Postgres
const files = async () => makeFilePlace()
const postgres = () => makePostgresPlace(server)
beforeAll(async () => {
  if (!POSTGRES_MISSING) server = await startPostgres({ fsync: 'off' })
})
afterEach(() => server?.disconnect())
afterAll(() => server?.close())

/** What the system says the machine is called, from now on. */
function renameMachine(name: string): void {
  const { hostname } = os
  const call = (tell: typeof hostname) => {
    os.hostname = tell
    syncBuiltinESMExports()
  }
  call(() => name)
  onTestFinished(() => call(hostname))
}

type Make = () => Promise<Place>
const WAYS: [name: string, missing: string | null, from: Make, to: Make | null][] = [
  ['to another name in files', null, files, null],
  ['to another name in PostgreSQL', POSTGRES_MISSING, postgres, null],
  ['from files to files', null, files, files],
  ['from files to PostgreSQL', POSTGRES_MISSING, files, postgres],
  ['from PostgreSQL to files', POSTGRES_MISSING, postgres, files],
]

describe.each(WAYS)('a record that moves %s', (_name, missing, makeFrom, makeTo) => {
  let from: Place
  let to: Place
  const there = makeTo ? ID : WORK
  beforeEach(async (context) => {
    if (missing) context.skip(missing)
    from = await makeFrom()
    to = makeTo ? await makeTo() : from
  })

  const move = (source = from.open(), target = makeTo ? to.open() : source) =>
    moveRecord({ store: source, id: ID }, { store: target, id: there }, LONG_MS)

  async function fill(store: TokenStore, id: typeof ID, generation: number): Promise<void> {
    await store.withLock(id, LONG_MS, async (locked) => {
      for (let next = 1; next <= generation; next += 1) await locked.commit(makeRecord(next), next - 1)
    })
  }

  /** The refresh tokens that someone would present, here and there. */
  async function inForce(): Promise<(string | undefined)[]> {
    const records = [await from.open().read(ID), await to.open().read(there)]
    return records.map(({ tokenSet }) => (tokenSet?.refusal ? undefined : tokenSet?.refreshToken?.reveal()))
  }

  /** A move that is killed before its nth change: the third is when it has arrived. */
  async function killedBefore(nth: number): Promise<void> {
    let changes = 0
    const kill = () => {
      changes += 1
      if (changes >= nth) throw new Error('killed')
    }
    const source = changing(from.open(), kill)
    await expect(move(source, makeTo ? changing(to.open(), kill) : source)).rejects.toThrow('killed')
  }

  const refreshThere = () =>
    to.open().withLock(there, LONG_MS, async (locked) => {
      const { tokenSet } = await locked.read()
      if (!tokenSet) throw new Error('nothing has arrived')
      const later = { ...tokenSet, issuedAt: tokenSet.issuedAt + 1, refreshToken: new Secret('canary-later') }
      await locked.commit({ generation: 2, tokenSet: later }, 1)
    })

  test('takes its tokens, its generation, the count and the pause of its refreshes along, and leaves none', async () => {
    await fill(from.open(), ID, 3)
    await from.open().withLock(ID, LONG_MS, async (locked) => {
      await locked.prepare(refreshTokenOf(3))
      locked.markSent()
    })
    await from.open().withLock(ID, LONG_MS, async (locked) => {
      await locked.prepare(refreshTokenOf(3))
      await locked.settle({ cooldownUntil: 7 })
    })
    const before = await from.open().readJournal(ID)
    expect(await move()).toBe(3)
    expect(await to.open().read(there)).toEqual(makeRecord(3))
    expect(await to.open().readJournal(there)).toMatchObject({
      ambiguous: 1,
      sentAt: before?.sentAt,
      cooldownUntil: 7,
    })
    const known = await to
      .open()
      .withLock(there, LONG_MS, (locked) => locked.presentations(refreshTokenOf(3)))
    expect(known.ambiguous).toBe(1)
    expect((await from.open().read(ID)).tokenSet).toBeNull()
    expect(await from.open().readJournal(ID)).toBeNull()
    expect(await from.open().profileNames(ID)).toEqual(makeTo ? [] : ['work'])
  })

  test('takes no count of another token along', async () => {
    await fill(from.open(), ID, 1)
    await from.open().withLock(ID, LONG_MS, async (locked) => {
      await locked.prepare(refreshTokenOf(9))
      locked.markSent()
    })
    await move()
    const known = await to
      .open()
      .withLock(there, LONG_MS, (locked) => locked.presentations(refreshTokenOf(1)))
    expect(known.ambiguous).toBe(0)
  })

  if (makeTo === postgres)
    test('stays in force where it is when its new place lacks the key', async () => {
      await fill(from.open(), ID, 1)
      expect(await failureOf(() => move(from.open(), to.openWithoutKey?.()))).toMatchObject({
        code: 'key_unavailable',
        message: expect.stringContaining('nothing was changed'),
      })
      expect(await inForce()).toEqual(['canary-refresh-1', undefined])
    })

  test('takes the place of no other token set', async () => {
    await fill(from.open(), ID, 1)
    await fill(to.open(), there, 2)
    expect(await failureOf(move)).toMatchObject({
      code: 'config_invalid',
      message: `There is another token set of "${there.profile}" already; nothing was moved.`,
    })
    expect(await inForce()).toEqual(['canary-refresh-1', 'canary-refresh-2'])
  })

  test('gets a generation that its new place has not had', async () => {
    await fill(from.open(), ID, 1)
    await fill(to.open(), there, 5)
    await to.open().withLock(there, LONG_MS, (locked) => locked.remove())
    expect(await move()).toBe(6)
    expect((await to.open().read(there)).generation).toBe(6)
  })

  test('and is refused for ever stays so', async () => {
    const refused: TokenRecord = makeRecord(1)
    if (!refused.tokenSet) throw new Error('no tokens')
    const refusal = { reason: 'refused', at: 1, code: 'not_authorized', feishuCode: 20064 } as const
    refused.tokenSet.refusal = { ...refusal, logId: null, lostAt: null }
    await from.open().withLock(ID, LONG_MS, (locked) => locked.commit(refused, 0))
    await move()
    expect((await to.open().read(there)).tokenSet?.refusal).toMatchObject(refusal)
  })

  test.each([1, 2, 3])(
    'killed before its change %i is in force once at most, and the same call completes it',
    async (at) => {
      await fill(from.open(), ID, 1)
      await from.open().withLock(ID, LONG_MS, async (locked) => {
        await locked.prepare(refreshTokenOf(1))
        locked.markSent()
      })
      await killedBefore(at)
      expect((await inForce()).filter((token) => token !== undefined).length).toBe(at === 2 ? 0 : 1)
      const halfway = (await from.open().read(ID)).tokenSet
      expect(halfway?.refreshToken?.reveal()).toBe('canary-refresh-1')
      expect(halfway?.refusal ?? {}).toMatchObject(
        at === 1 ? {} : { reason: 'leaving', way: makeTo ? {} : { renamedTo: 'work' } },
      )
      expect(await move()).toBe(1)
      expect(await inForce()).toEqual([undefined, 'canary-refresh-1'])
      expect((await to.open().readJournal(there))?.ambiguous).toBe(1)
    },
  )

  test('and was refreshed in its new place before the old one let go is left there as it is', async () => {
    await fill(from.open(), ID, 1)
    await killedBefore(3)
    await refreshThere()
    expect(await move()).toBe(2)
    expect(await inForce()).toEqual([undefined, 'canary-later'])
  })

  test('is not sent elsewhere when it is on its way', async () => {
    await fill(from.open(), ID, 1)
    await killedBefore(2)
    const store = from.open()
    const elsewhere = moveRecord({ store, id: ID }, { store, id: { ...ID, profile: 'home' } }, LONG_MS)
    expect(await failureOf(() => elsewhere)).toMatchObject({
      code: 'config_invalid',
      nextStep: makeTo
        ? 'Run the same `feishu-token-mcp store copy` again.'
        : 'Run the same `feishu-token-mcp profile rename` again.',
    })
    expect(await move()).toBe(1)
  })

  const HOME = { ...ID, profile: 'home' }
  const GONE: [how: string, go: (store: TokenStore) => Promise<unknown>][] = [
    ['renamed', (store) => moveRecord({ store, id: there }, { store, id: HOME }, LONG_MS)],
    [
      'moved to a third store',
      (store) => moveRecord({ store, id: there }, { store: makeFilePlace().open(), id: there }, LONG_MS),
    ],
    [
      'logged out',
      (store) =>
        store.withLock(there, LONG_MS, async (locked) => {
          const { generation } = await locked.read()
          await locked.commit({ generation: generation + 1, tokenSet: null }, generation)
        }),
    ],
    ['removed', (store) => store.withLock(there, LONG_MS, (locked) => locked.remove())],
    [
      'replaced by another login',
      (store) =>
        store.withLock(there, LONG_MS, async (locked) => {
          await locked.commit(makeRecord(9), (await locked.read()).generation)
        }),
    ],
  ]

  test.each(GONE)('and was %s in its new place is not brought there again', async (_how, go) => {
    await fill(from.open(), ID, 1)
    await killedBefore(3)
    await go(to.open())
    expect(await failureOf(move)).toMatchObject({
      code: 'config_invalid',
      message:
        '"default" may have come to its new place already, and is not there any more; nothing was moved.',
      nextStep: expect.stringMatching(
        /^Choose: `feishu-token-mcp logout --profile default --force` revokes it at Feishu/,
      ),
    })
    const [here, arrived] = await inForce()
    expect(here).toBeUndefined()
    expect(arrived).not.toBe('canary-refresh-1')
  })

  if (makeTo)
    test('and has come to its new store is not sent to a third one as well', async () => {
      await fill(from.open(), ID, 1)
      await killedBefore(3)
      const third = makeFilePlace()
      expect(await failureOf(() => move(from.open(), third.open()))).toMatchObject({
        code: 'config_invalid',
        message:
          'The token was being moved to another store when that was interrupted. It was not this store, so nothing was moved.',
        nextStep: expect.stringMatching(
          /^Run `feishu-token-mcp store copy` on the machine where it was begun, with the FEISHU_TOKEN_DIR of/,
        ),
      })
      expect((await third.open().read(ID)).tokenSet).toBeNull()
      expect(await move()).toBe(1)
    })

  if (makeTo)
    test.each([2, 3])(
      'killed before its change %i is completed by the same call after the machine was given another name',
      async (at) => {
        await fill(from.open(), ID, 1)
        await killedBefore(at)
        renameMachine('another-name')
        expect(await move()).toBe(1)
        expect(await inForce()).toEqual([undefined, 'canary-refresh-1'])
      },
    )

  if (makeTo)
    test.each([
      ['as it came', 0],
      ['refreshed since', 1],
    ])('goes back where it was left half way, %s', async (_how, refreshed) => {
      await fill(from.open(), ID, 1)
      await killedBefore(3)
      if (refreshed > 0) await refreshThere()
      const back = { store: to.open(), id: there }
      expect(await moveRecord(back, { store: from.open(), id: ID }, LONG_MS)).toBe(2)
      expect(await inForce()).toEqual([refreshed > 0 ? 'canary-later' : 'canary-refresh-1', undefined])
    })
})
