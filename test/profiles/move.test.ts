import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
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
afterAll(() => server?.close())

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
      let changes = 0
      const kill = () => {
        changes += 1
        if (changes >= at) throw new Error('killed')
      }
      const source = changing(from.open(), kill)
      await expect(move(source, makeTo ? changing(to.open(), kill) : source)).rejects.toThrow('killed')
      expect((await inForce()).filter((token) => token !== undefined).length).toBe(at === 2 ? 0 : 1)
      const halfway = (await from.open().read(ID)).tokenSet
      expect(halfway?.refreshToken?.reveal()).toBe('canary-refresh-1')
      expect(halfway?.refusal ?? {}).toMatchObject(
        at === 1 ? {} : { reason: 'leaving', ...(makeTo ? {} : { renamedTo: 'work' }) },
      )
      expect(await move()).toBe(1)
      expect(await inForce()).toEqual([undefined, 'canary-refresh-1'])
      expect((await to.open().readJournal(there))?.ambiguous).toBe(1)
    },
  )

  test('and was refreshed in its new place before the old one let go is left there as it is', async () => {
    await fill(from.open(), ID, 1)
    let changes = 0
    const kill = () => {
      changes += 1
      if (changes === 3) throw new Error('killed')
    }
    const source = changing(from.open(), kill)
    await expect(move(source, makeTo ? changing(to.open(), kill) : source)).rejects.toThrow('killed')
    await to.open().withLock(there, LONG_MS, async (locked) => {
      const { tokenSet } = await locked.read()
      if (!tokenSet) throw new Error('nothing has arrived')
      const later = { ...tokenSet, issuedAt: tokenSet.issuedAt + 1, refreshToken: new Secret('canary-later') }
      await locked.commit({ generation: 2, tokenSet: later }, 1)
    })
    expect(await move()).toBe(2)
    expect(await inForce()).toEqual([undefined, 'canary-later'])
  })

  test('is not sent elsewhere when it is on its way', async () => {
    await fill(from.open(), ID, 1)
    let changes = 0
    const source = changing(from.open(), () => {
      changes += 1
      if (changes === 2) throw new Error('killed')
    })
    const target = changing(to.open(), () => {
      throw new Error('killed')
    })
    await expect(move(source, makeTo ? target : source)).rejects.toThrow('killed')
    const store = from.open()
    const elsewhere = moveRecord({ store, id: ID }, { store, id: { ...ID, profile: 'home' } }, LONG_MS)
    expect(await failureOf(() => elsewhere)).toMatchObject({
      code: 'config_invalid',
      nextStep: makeTo ? 'Run the same `store copy` again.' : 'Run the same `profile rename` again.',
    })
    expect(await move()).toBe(1)
  })
})
