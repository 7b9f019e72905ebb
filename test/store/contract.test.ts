// What every store promises (token-store.ts), wherever it keeps the sealed bytes. What is about files alone, or about
// rows alone, is in the tests of those.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LockedProfile, TokenStore } from '../../src/store/token-store.ts'
import { failureOf } from '../support/failure.ts'
import { POSTGRES_MISSING, type Postgres, startPostgres } from '../support/postgres.ts'
import { ISSUED_AT } from '../support/token-set.ts'
import { ID, LONG_MS, makeRecord, present, refreshTokenOf } from './fixture.ts'
import { makeFilePlace, makePostgresPlace, type Place } from './places.ts'

let server: Postgres
const PLACES: [name: string, missing: string | null, make: () => Promise<Place>][] = [
  ['files', null, async () => makeFilePlace()],
  ['PostgreSQL', POSTGRES_MISSING, () => makePostgresPlace(server)],
]
beforeAll(async () => {
  if (!POSTGRES_MISSING) server = await startPostgres({ fsync: 'off' })
})
afterEach(() => server?.disconnect())
afterAll(() => server?.close())

const NEVER = { ambiguous: 0, sentAt: null }
const WORK = { ...ID, profile: 'work' }

describe.each(PLACES)('in %s', (_name, missing, make) => {
  let place: Place
  let store: TokenStore
  beforeEach(async (ctx) => {
    if (missing) ctx.skip(missing)
    place = await make()
    store = place.open()
  })

  function locked<T>(work: (profile: LockedProfile) => Promise<T>, at = place): Promise<T> {
    return at.open().withLock(ID, LONG_MS, work)
  }

  async function storeUpTo(generation: number): Promise<void> {
    await locked(async (profile) => {
      for (let next = (await profile.read()).generation + 1; next <= generation; next += 1) {
        await profile.commit(makeRecord(next), next - 1)
      }
    })
  }

  describe('a store that nobody has used yet', () => {
    test('holds nothing', async () => {
      expect(await store.read(ID)).toEqual({ generation: 0, tokenSet: null })
      expect(await store.readJournal(ID)).toBeNull()
      expect(await store.readPending(ID)).toBeNull()
      expect(await store.readApps()).toBeNull()
      expect(await store.profileNames(ID)).toEqual([])
      expect(await store.otherApps(ID)).toEqual([])
      expect([store.isUnsaved(ID), store.outage()]).toEqual([false, null])
    })
  })

  describe('the lock of a profile', () => {
    test('lets one process after the other at it: no generation is lost', async () => {
      const stores = [place.open(), place.open(), place.open()]
      const increment = (of: TokenStore) =>
        of.withLock(ID, LONG_MS, async (profile) => {
          const { generation } = await profile.read()
          await profile.commit(makeRecord(generation + 1), generation)
        })
      await Promise.all(stores.flatMap((of) => [of, of, of, of].map(increment)))
      expect(await place.open().read(ID)).toEqual(makeRecord(12))
    })

    test('names its holder to whoever does not get it in time', async () => {
      await locked(async () => {
        const error = await failureOf(() => place.open().withLock(ID, 0, async () => undefined))
        expect(error).toMatchObject({ code: 'store_locked', recovery: 'wait' })
        expect(error.message).toContain(`process ${process.pid} on `)
      })
    })

    test('is given back when the work fails', async () => {
      await storeUpTo(1)
      const work = locked(async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        throw new Error('in the middle')
      })
      await expect(work).rejects.toThrow('in the middle')
      await place.open().withLock(ID, 0, async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        expect(await profile.presentations(refreshTokenOf(1))).toEqual(NEVER)
      })
    })

    test('is not that of another profile', async () => {
      await locked(async () => {
        await place.open().withLock(WORK, 0, (profile) => profile.commit(makeRecord(1), 0))
        expect((await place.open().read(WORK)).generation).toBe(1)
      })
    })

    test('is free for the next process when its holder has crashed', async () => {
      await storeUpTo(1)
      const crashed = await locked(() => place.crash())
      await crashed
        .open()
        .withLock(ID, 0, async (profile) => expect(await profile.read()).toEqual(makeRecord(1)))
    })

    test('of the authorization is held by one, who is named to the others', async () => {
      const first = await store.holdAuthorization(ID)
      expect(first?.kind).toBe('held')
      if (first?.kind !== 'held') return
      first.describe({ addresses: ['127.0.0.1:9000'] })
      expect(await place.open().holdAuthorization(ID)).toMatchObject({ kind: 'holder', pid: process.pid })
      await place.open().withLock(ID, 0, async () => undefined)
      first.release()
      const second = await place.open().holdAuthorization(ID)
      expect(second).toMatchObject({ kind: 'held', left: { note: { addresses: ['127.0.0.1:9000'] } } })
      if (second?.kind === 'held') second.release()
    })
  })

  describe('a presentation', () => {
    beforeEach(() => storeUpTo(1))

    test('is counted when its first byte goes out, whatever happens then', async () => {
      await locked(async (profile) => {
        await present(profile)
        const counted = { ambiguous: 1, sentAt: ISSUED_AT }
        expect(await profile.presentations(refreshTokenOf(1))).toEqual(counted)
        const crashed = await place.crash()
        await locked(async (later) => {
          expect(await later.presentations(refreshTokenOf(1))).toEqual(counted)
        }, crashed)
      })
    })

    test('is about one token: another one was never presented', async () => {
      await locked(async (profile) => {
        await present(profile)
        expect(await profile.presentations(refreshTokenOf(2))).toEqual(NEVER)
      })
    })

    test('adds up with those of earlier crashes', async () => {
      for (let crash = 1; crash <= 3; crash += 1) {
        place = await locked(async (profile) => {
          await present(profile)
          return place.crash()
        })
        await locked(async (profile) => {
          expect((await profile.presentations(refreshTokenOf(1))).ambiguous).toBe(crash)
        })
      }
    })

    test('that was prepared and not sent when its process crashed counts nothing', async () => {
      place = await locked(async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        return place.crash()
      })
      await locked(async (profile) => {
        expect(await profile.presentations(refreshTokenOf(1))).toEqual(NEVER)
        expect(await profile.read()).toEqual(makeRecord(1))
      })
    })

    test('that is not followed by a commit is told to everybody', async () => {
      await locked(async (profile) => {
        await present(profile)
      })
      expect((await place.open().readJournal(ID))?.ambiguous).toBe(1)
    })
  })

  describe('an answer that consumed nothing', () => {
    beforeEach(() => storeUpTo(1))

    test('takes the count back and leaves nothing', async () => {
      await locked(async (profile) => {
        await present(profile)
        await profile.settle({})
        expect(await profile.presentations(refreshTokenOf(1))).toEqual(NEVER)
      })
      expect(await store.readJournal(ID)).toBeNull()
    })

    test('of a request that was never sent takes back nothing that was counted before', async () => {
      await locked(async (profile) => {
        await present(profile)
      })
      await locked(async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        await profile.settle({})
        expect((await profile.presentations(refreshTokenOf(1))).ambiguous).toBe(1)
      })
    })

    test('twice takes back once', async () => {
      await locked(async (profile) => {
        await present(profile)
      })
      await locked(async (profile) => {
        await present(profile)
        await profile.settle({})
        await profile.settle({})
        expect((await profile.presentations(refreshTokenOf(1))).ambiguous).toBe(1)
      })
    })

    test('of someone who is not Feishu is remembered with the token, also where its process then crashes', async () => {
      await locked(async (profile) => {
        await present(profile)
        await profile.settle({ refusedByOthers: true })
        expect(await profile.presentations(refreshTokenOf(1))).toEqual({ ...NEVER, refusedByOthers: true })
        await present(profile)
      })
      await locked(async (profile) => {
        const counted = { ambiguous: 1, sentAt: ISSUED_AT, refusedByOthers: true }
        expect(await profile.presentations(refreshTokenOf(1))).toEqual(counted)
      })
    })

    test('to nothing that was prepared is nothing', async () => {
      await locked(async (profile) => {
        profile.markSent()
        await profile.settle({ cooldownUntil: ISSUED_AT + 60_000 })
      })
      expect(await store.readJournal(ID)).toBeNull()
    })

    test('that asks for a pause binds every process, without the lock', async () => {
      await locked(async (profile) => {
        await present(profile)
        await profile.settle({ cooldownUntil: ISSUED_AT + 60_000 })
      })
      expect(await place.open().readJournal(ID)).toMatchObject({
        cooldownUntil: ISSUED_AT + 60_000,
        ambiguous: 0,
      })
      await locked((profile) => profile.prepare(refreshTokenOf(1)))
      expect(await place.open().readJournal(ID)).toMatchObject({ cooldownUntil: null })
    })
  })

  describe('a commit', () => {
    beforeEach(() => storeUpTo(1))

    test('puts the next record in place, and what was counted ends with it', async () => {
      await locked(async (profile) => {
        await present(profile)
        expect(await profile.commit(makeRecord(2), 1)).toBe(true)
      })
      expect(await store.read(ID)).toEqual(makeRecord(2))
      expect(await store.readJournal(ID)).toBeNull()
    })

    test('may follow another under the same lock', async () => {
      await locked(async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        await profile.commit(makeRecord(2), 1)
        await profile.commit(makeRecord(2), 2)
        await profile.prepare(refreshTokenOf(2))
        await profile.commit(makeRecord(3), 2)
      })
      expect(await store.read(ID)).toEqual(makeRecord(3))
    })

    test('on a record that has moved on is refused, and the newer one stays', async () => {
      await locked((profile) => profile.commit(makeRecord(2), 1))
      const error = await failureOf(() => locked((profile) => profile.commit(makeRecord(2), 1)))
      expect(error).toMatchObject({ code: 'store_locked', recovery: 'wait' })
      expect(await store.read(ID)).toEqual(makeRecord(2))
    })

    test('of no token set keeps the counter', async () => {
      await locked((profile) => profile.commit({ generation: 2, tokenSet: null }, 1))
      expect(await store.read(ID)).toEqual({ generation: 2, tokenSet: null })
    })
  })

  test('a record that was set aside is gone, and the next one goes on from its generation', async () => {
    await storeUpTo(1)
    await locked(async (profile) => {
      expect(await profile.setAside()).toBe(1)
      expect(await profile.read()).toEqual({ generation: 1, tokenSet: null })
      await profile.commit(makeRecord(2), 1)
    })
    expect(await store.read(ID)).toEqual(makeRecord(2))
  })

  test('removing takes everything of the profile but the counter', async () => {
    await storeUpTo(1)
    await locked(async (profile) => {
      await profile.writePending({})
      await profile.prepare(refreshTokenOf(1))
    })
    await locked((profile) => profile.remove())
    expect(await store.read(ID)).toEqual({ generation: 1, tokenSet: null })
    expect([await store.readPending(ID), await store.readJournal(ID)]).toEqual([null, null])
    expect(await store.profileNames(ID)).toEqual([])
  })

  test('every process reads the pending authorization, which is no record', async () => {
    await locked((profile) => profile.writePending({ state: 'canary-state' }))
    expect(await place.open().readPending(ID)).toEqual({ state: 'canary-state' })
    await locked(async (profile) => expect(await profile.readPending()).toEqual({ state: 'canary-state' }))
    expect(await store.profileNames(ID)).toEqual([])
  })

  test('the names of the profiles are those of one app that have a record, in order', async () => {
    for (const profile of ['work', 'a.b', 'default']) {
      await store.withLock({ ...ID, profile }, LONG_MS, (of) => of.commit(makeRecord(1), 0))
    }
    await store.withLock({ ...ID, profile: 'pending' }, LONG_MS, (of) => of.writePending({}))
    await store.withLock({ ...ID, appId: 'cli_b2' }, LONG_MS, (of) => of.commit(makeRecord(1), 0))
    expect(await store.profileNames({ brand: 'feishu', appId: 'cli_a1' })).toEqual(['a.b', 'default', 'work'])
    expect(await store.profileNames({ brand: 'feishu', appId: 'cli_b2' })).toEqual(['default'])
    expect(await store.profileNames({ brand: 'lark', appId: 'cli_a1' })).toEqual([])
    expect(await store.otherApps(ID)).toEqual(['feishu-cli_b2'])
  })
})
