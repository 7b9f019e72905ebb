// Leases and what this machine keeps, where the contract of all stores says nothing about them.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import type { Json } from '../../../src/oauth/answer.ts'
import { encodeRecord } from '../../../src/oauth/token-set.ts'
import { say } from '../../../src/sentence.ts'
import type { HeldLock } from '../../../src/store/lock.ts'
import { LeasedProfile } from '../../../src/store/postgres/leased-profile.ts'
import type { Row, Rows } from '../../../src/store/postgres/rows.ts'
import type { TokenStore } from '../../../src/store/token-store.ts'
import type { Save } from '../../../src/store/unsaved.ts'
import { failureOf } from '../../support/failure.ts'
import { makeFolder } from '../../support/folder.ts'
import { describeIf } from '../../support/needs.ts'
import { HANGS_MS } from '../../support/patience.ts'
import { POSTGRES_MISSING, type Postgres, startPostgres } from '../../support/postgres.ts'
import { ISSUED_AT } from '../../support/token-set.ts'
import { exposed, ID, LONG_MS, makeRecord, refreshTokenOf } from '../fixture.ts'
import { openPostgresStore } from '../places.ts'
import { type LocalPlace, makeLocalPlace } from './fixture.ts'

let server: Postgres
let schemas = 0
beforeAll(async () => {
  if (POSTGRES_MISSING) return
  server = await startPostgres({ fsync: 'off' })
  // For three seconds after its start a server lets nobody take over a lease.
  await vi.waitFor(
    async () => {
      const [row] = await server.sql<{ past: boolean }>(
        'postgres',
        `select pg_postmaster_start_time() + interval '3 seconds' < now() as past`,
      )
      expect(row?.past).toBe(true)
    },
    { timeout: HANGS_MS / 2 },
  )
})
afterEach(() => server?.disconnect())
afterAll(() => server?.close())

describeIf(POSTGRES_MISSING)('a lease', () => {
  let address: string
  let mine: string
  let store: TokenStore
  let now: number
  const readers: string[] = []
  beforeEach(async () => {
    schemas += 1
    const schema = `leases${schemas}`
    await server.sql('postgres', `create schema ${schema}`)
    address = server.url('postgres', { search: `options=-csearch_path%3D${schema}` })
    mine = join(makeFolder(), 'tokens')
    now = ISSUED_AT
    store = openPostgresStore(address, mine, () => now)
    await store.init()
    await store.withLock(ID, LONG_MS, (profile) => profile.commit(makeRecord(1), 0))
  })

  /** Another machine: its own directory, with the key that was copied to it. */
  function elsewhere(): TokenStore {
    const directory = join(makeFolder(), 'tokens')
    cpSync(join(mine, 'key'), join(directory, 'key'), { recursive: true })
    readers.push(directory)
    return openPostgresStore(address, directory, () => now)
  }

  const sql = (text: string) => server.sql('postgres', `set search_path = leases${schemas}; ${text}`)
  const endLease = () => sql(`update feishu_token_profiles set lease_until = now() - interval '1 second'`)

  test('lasts 45 seconds by the clock of the server, whatever this machine takes the time for', async () => {
    now = ISSUED_AT - 400 * 86_400_000
    await store.withLock(ID, LONG_MS, async () => {
      const [row] = await server.sql<{ left: number }>(
        'postgres',
        `select extract(epoch from lease_until - now())::float8 as left from leases${schemas}.feishu_token_profiles`,
      )
      expect(row?.left).toBeGreaterThan(40)
      expect(row?.left).toBeLessThanOrEqual(45)
      expect((await failureOf(() => elsewhere().withLock(ID, 0, async () => undefined))).code).toBe(
        'store_locked',
      )
    })
  })

  test('that ran out is taken by another machine, and its old holder changes nothing any more', async () => {
    let tried = false
    const error = await failureOf(() =>
      store.withLock(ID, LONG_MS, async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        await endLease()
        await elsewhere().withLock(ID, 0, (other) => other.commit(makeRecord(2), 1))
        for (const write of [
          () => profile.prepare(refreshTokenOf(1)),
          () => profile.writePending({}),
          () => profile.setAside(),
          () => profile.remove(),
          () => profile.commit(makeRecord(1), 1),
        ]) {
          expect((await failureOf(async () => write())).code).toBe('store_locked')
        }
        await profile.settle({ cooldownUntil: ISSUED_AT + 60_000 })
        tried = true
        await profile.commit(makeRecord(2), 1)
      }),
    )
    expect([tried, error.code]).toEqual([true, 'store_locked'])
    expect(await elsewhere().read(ID)).toEqual(makeRecord(2))
    expect(await store.readJournal(ID)).toBeNull()
  })

  test('that ran out still lets an answer in that was paid for, if nobody has a newer one', async () => {
    await store.withLock(ID, LONG_MS, async (profile) => {
      await profile.prepare(refreshTokenOf(1))
      profile.markSent()
      await endLease()
      await elsewhere().withLock(ID, 0, async (other) => {
        // The other one presents the token too, and marks it as refused on the same generation.
        await other.commit(makeRecord(1), 1)
        expect(await profile.commit(makeRecord(2), 1)).toBe(true)
        expect((await failureOf(() => other.commit(makeRecord(1), 1))).code).toBe('store_locked')
      })
    })
    expect(await elsewhere().read(ID)).toEqual(makeRecord(2))
  })

  test.each([
    ['on', 27_001],
    ['back', -27_001],
  ])('is not trusted for sending when the clock went %s, as after a suspend', async (_way, jumpMs) => {
    await store.withLock(ID, LONG_MS, async (profile) => {
      await profile.prepare(refreshTokenOf(1))
      now += jumpMs
      expect(() => profile.markSent()).toThrow('is in use by another process')
      now -= Math.sign(jumpMs)
      profile.markSent()
    })
  })

  test('of a process that died on this machine is over at once, and on another one after its time', async () => {
    const dead = await store.withLock(ID, LONG_MS, async () => {
      // As a kill leaves it: the lease in the row, and the lock file with its name.
      const [row] = await server.sql<{ lease_owner: string }>(
        'postgres',
        `select lease_owner from leases${schemas}.feishu_token_profiles`,
      )
      return row?.lease_owner
    })
    await sql(
      `update feishu_token_profiles set lease_owner = '${dead}', lease_until = now() + interval '45 seconds'`,
    )
    expect((await failureOf(() => elsewhere().withLock(ID, 0, async () => undefined))).code).toBe(
      'store_locked',
    )
    await openPostgresStore(address, mine, () => now).withLock(ID, 0, async () => undefined)
    await elsewhere().withLock(ID, 0, async () => undefined)
  })

  test('another machine counts a presentation that was prepared, because it cannot know', async () => {
    await store.withLock(ID, LONG_MS, async (profile) => {
      await profile.prepare(refreshTokenOf(1))
      expect((await profile.presentations(refreshTokenOf(1))).ambiguous).toBe(0)
      expect((await elsewhere().readJournal(ID))?.ambiguous).toBe(1)
      await profile.settle({})
      expect(await elsewhere().readJournal(ID)).toBeNull()
    })
  })

  describe('on this machine', () => {
    const localFiles = () => localFilesOf(mine).filter((name) => /\.json/.test(name))

    test('keeps nothing that others can read', async () => {
      await store.withLock(ID, LONG_MS, async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        profile.markSent()
        expect(exposed(mine)).toEqual([])
        await profile.commit(makeRecord(2), 1)
      })
      await store.read(ID)
      expect(exposed(mine)).toEqual([])
    })

    test('keeps what was read, though it never worked on the profile', async () => {
      const reader = elsewhere()
      await reader.read(ID)
      await reader.read({ ...ID, profile: 'work' })
      const files = localFilesOf(readers.at(-1) ?? '').filter((name) => /\.json/.test(name))
      expect(files).toEqual([expect.stringMatching(/store\/feishu-cli_a1-default\.json$/)])
      expect(exposed(readers.at(-1) ?? '').filter((name) => !name.startsWith('key'))).toEqual([])
    })

    test('leaves no rescue file when the database has confirmed', async () => {
      await store.withLock(ID, LONG_MS, async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        profile.markSent()
        expect(localFiles().some((name) => name.endsWith('.next'))).toBe(true)
        await profile.commit(makeRecord(2), 1)
      })
      expect(localFiles().filter((name) => !name.endsWith('.lock'))).toEqual([
        expect.stringMatching(/store\/feishu-cli_a1-default\.json$/),
      ])
    })

    test('a damaged copy, or a rescue file that was cut, is in nobody’s way', async () => {
      const folder = join(mine, 'postgres', readdirSync(join(mine, 'postgres'))[0] ?? '', 'store')
      const path = join(folder, 'feishu-cli_a1-default.json')
      const whole = readFileSync(path, 'utf8')
      writeFileSync(`${path}.next`, whole.slice(0, 100), { mode: 0o600 })
      writeFileSync(path, 'garbage')
      const next = openPostgresStore(address, mine, () => now)
      expect(await next.read(ID)).toEqual(makeRecord(1))
      await next.withLock(ID, LONG_MS, async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        await profile.commit(makeRecord(2), 1)
      })
      expect(await next.read(ID)).toEqual(makeRecord(2))
      expect(existsSync(`${path}.next`)).toBe(false)
    })

    test('a record that the database takes late ends the lease with the work, not before', async () => {
      await store.withLock(ID, LONG_MS, async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        profile.markSent()
        await sql('alter table feishu_token_profiles rename to away')
        expect(await profile.commit(makeRecord(2), 1)).toBe(false)
        await sql('alter table away rename to feishu_token_profiles')
        await store.flush()
        expect(store.isUnsaved(ID)).toBe(false)
        const error = await failureOf(() => elsewhere().withLock(ID, 0, async () => undefined))
        expect(error.code).toBe('store_locked')
      })
      await elsewhere().withLock(ID, 0, async (profile) =>
        expect(await profile.read()).toEqual(makeRecord(2)),
      )
    })

    test('a rescue file that cannot be removed keeps no record from being taken for saved', async () => {
      const folder = join(mine, 'postgres', readdirSync(join(mine, 'postgres'))[0] ?? '', 'store')
      const rescue = join(folder, 'feishu-cli_a1-default.json.next')
      await store.withLock(ID, LONG_MS, async (profile) => {
        await profile.prepare(refreshTokenOf(1))
        profile.markSent()
        await sql('alter table feishu_token_profiles rename to away')
        expect(await profile.commit(makeRecord(2), 1)).toBe(false)
      })
      rmSync(rescue)
      mkdirSync(rescue)
      await sql('alter table away rename to feishu_token_profiles')
      await store.flush()
      expect(store.isUnsaved(ID)).toBe(false)
      expect(await elsewhere().read(ID)).toEqual(makeRecord(2))
      const next = openPostgresStore(address, mine, () => now)
      expect((await failureOf(() => next.withLock(ID, 0, async () => undefined))).code).toBe(
        'store_not_writable',
      )
    })

    test('a full or broken disk is noticed before the token is presented', async () => {
      const folder = join(mine, 'postgres', readdirSync(join(mine, 'postgres'))[0] ?? '', 'store')
      const error = await failureOf(() =>
        store.withLock(ID, LONG_MS, async (profile) => {
          rmSync(folder, { recursive: true })
          await profile.prepare(refreshTokenOf(1))
        }),
      )
      expect(error.code).toBe('store_not_writable')
      expect(await elsewhere().readJournal(ID)).toBeNull()
    })
  })

  describe('a row', () => {
    test('that was changed, or moved to another profile, is unreadable, never absent, and stays', async () => {
      const [row] = await server.sql<{ record: string }>(
        'postgres',
        `select record from leases${schemas}.feishu_token_profiles`,
      )
      const record = row?.record ?? ''
      const put = (profile: string, text: string) =>
        server.sql(
          'postgres',
          `insert into leases${schemas}.feishu_token_profiles (brand, app_id, profile, record, generation)
           values ('feishu', 'cli_a1', $1, $2, 1)
           on conflict (brand, app_id, profile) do update set record = excluded.record`,
          [profile, text],
        )
      await put('work', record)
      expect((await failureOf(() => store.read({ ...ID, profile: 'work' }))).code).toBe('store_unreadable')
      for (const text of [
        '',
        '{}',
        record.slice(0, 80),
        record.replace(/"sealed":"..../, '"sealed":"AAAA'),
        record.replace('"generation":1', '"generation":9'),
      ]) {
        await put('default', text)
        expect((await failureOf(() => elsewhere().read(ID))).code).toBe('store_unreadable')
      }
    })

    test('that cannot be opened is kept on this machine when a new authorization takes its place', async () => {
      await sql(`update feishu_token_profiles set record = 'garbage'`)
      await store.withLock(ID, LONG_MS, async (profile) => {
        expect(await profile.setAside()).toBe(1)
        await profile.commit(makeRecord(2), 1)
      })
      expect(await elsewhere().read(ID)).toEqual(makeRecord(2))
      const aside = localFilesOf(mine).find((name) => name.includes('.corrupt-')) ?? ''
      expect(readFileSync(join(mine, 'postgres', aside), 'utf8')).toBe('garbage')
    })
  })
})

type Next = Parameters<Rows['commit']>[2]

/** A profile under a lease, with rows that say what the test says, and all that is done with it. */
function leasedProfile(
  { local, key }: LocalPlace,
  row: Partial<Row>,
  commit: (next: Next) => boolean = () => true,
): { profile: LeasedProfile; committed: Next[]; kept: Save[]; given: string[] } {
  const committed: Next[] = []
  const kept: Save[] = []
  const given: string[] = []
  const rows = {
    read: async () => ({ generation: 1, record: null, journal: null, pending: null, key_id: key.id, ...row }),
    write: async (_id, _owner, values) => Boolean(Object.assign(row, values)),
    giveLease: async () => void given.push('lease'),
    commit: async (_id, _owner, next) => {
      committed.push(next)
      return commit(next)
    },
  } as Partial<Rows> as Rows
  const release = () => void given.push('lock')
  const lock: HeldLock = { kind: 'held', left: null, describe: () => undefined, release }
  const since = { wall: ISSUED_AT, monotonic: performance.now() }
  const lease = { id: ID, owner: 'me', rows, local, lock, since, now: () => ISSUED_AT }
  const profile = new LeasedProfile(lease, (_record, save) => void kept.push(save))
  return { profile, committed, kept, given }
}

describe('a profile under a lease', () => {
  let place: LocalPlace
  let rescue: string
  beforeEach(() => {
    place = makeLocalPlace()
    mkdirSync(place.local.files.sealed.folder)
    rescue = place.local.files.nextPath
  })

  const away = (): never => {
    throw new CodedError('store_not_writable', say`Away.`, { nextStep: say`Wait.` })
  }

  test('of which nothing is stored has nothing', async () => {
    const { profile } = leasedProfile(place, {})
    expect(await profile.read()).toEqual({ generation: 1, tokenSet: null })
    expect([await profile.readJournal(), await profile.readPending()]).toEqual([null, null])
    expect(await profile.setAside()).toBe(1)
    expect(readdirSync(place.local.files.sealed.folder)).toEqual([])
  })

  test('leaves no room reserved that it did not use', async () => {
    const { profile, given } = leasedProfile(place, {})
    await profile.prepare(refreshTokenOf(1))
    expect(await profile.readJournal()).toMatchObject({ ambiguous: 0, pid: process.pid })
    expect(existsSync(rescue)).toBe(true)
    await profile.end()
    expect([existsSync(rescue), given]).toEqual([false, ['lease', 'lock']])
  })

  test('takes what was interrupted along with a record, once', async () => {
    const { profile, committed } = leasedProfile(place, {})
    const interrupted = { ambiguous: 2, sentAt: ISSUED_AT, pid: 1, host: 'h', cooldownUntil: null }
    expect(await profile.commit(makeRecord(2), 1, interrupted)).toBe(true)
    expect(committed).toHaveLength(1)
    expect(JSON.parse(committed[0]?.journal ?? '')).toMatchObject(interrupted)
  })

  test('commits once where no room can be reserved', async () => {
    mkdirSync(rescue)
    const { profile, committed, kept } = leasedProfile(place, {})
    expect(await profile.commit(makeRecord(2), 1)).toBe(true)
    expect([committed.length, kept.length]).toEqual([1, 0])
  })

  test('has committed what the database has, though its own copy cannot be put in place', async () => {
    const { path } = place.local.files
    const { profile, kept } = leasedProfile(place, {}, () =>
      Boolean(mkdirSync(join(path, 'full'), { recursive: true })),
    )
    expect(await profile.commit(makeRecord(2), 1)).toBe(true)
    expect(kept).toEqual([])
  })

  test('has committed what an earlier try has written, whose answer was lost', async () => {
    const row: Partial<Row> = {}
    const { profile, kept } = leasedProfile(place, row, ({ record }) => {
      row.record = record
      return false
    })
    expect(await profile.commit(makeRecord(2), 1)).toBe(true)
    expect(kept).toEqual([])
  })

  test.each([
    ['in a rescue file', () => undefined],
    ['alone in memory', () => mkdirSync(rescue)],
  ])(
    'keeps a record that the database does not confirm %s, and its lease until it does',
    async (_where, before) => {
      before()
      let answer: () => boolean = away
      const { profile, committed, kept, given } = leasedProfile(place, {}, () => answer())
      place.local.beginAttempt()
      expect(await profile.commit(makeRecord(2), 1)).toBe(false)
      await profile.end()
      expect([existsSync(rescue), given]).toEqual([true, []])
      const [save] = kept
      expect((await save?.())?.code).toBe('store_not_writable')
      answer = () => {
        throw new Error('nobody foresaw it')
      }
      expect((await save?.())?.code).toBe('store_not_writable')
      expect(given).toEqual([])
      answer = () => true
      expect(await save?.()).toBeNull()
      const text = committed[0]?.record ?? ''
      expect(committed.map(({ record }) => record)).toEqual([text, text, text, text])
      expect(place.local.has(text)).toBe(true)
      expect([existsSync(place.local.files.intentPath), given]).toEqual([false, ['lease', 'lock']])
    },
  )

  test('gives a record up where the row has a newer one meanwhile', async () => {
    let answer: () => boolean = away
    const { profile, committed, kept } = leasedProfile(place, {}, () => answer())
    expect(await profile.commit(makeRecord(2), 1)).toBe(false)
    answer = () => false
    expect(await kept[0]?.()).toBeNull()
    expect(place.local.has(committed[0]?.record ?? '')).toBe(false)
    expect(existsSync(rescue)).toBe(false)
  })
})

describe('a lease that begins', () => {
  const issued = (generation: number, laterMs = 0): Json => {
    const { tokenSet } = makeRecord(generation)
    return encodeRecord({ generation, tokenSet: tokenSet && { ...tokenSet, issuedAt: ISSUED_AT + laterMs } })
  }
  let place: LocalPlace
  beforeEach(() => {
    place = makeLocalPlace()
    mkdirSync(place.local.files.sealed.folder)
  })

  /** Begins with these files on this machine and that in the row. */
  async function begun(files: { rescue?: string; copy?: string }, row: Partial<Row>, commits = true) {
    const { path, nextPath } = place.local.files
    if (files.copy) writeFileSync(path, files.copy, { mode: 0o600 })
    if (files.rescue) writeFileSync(nextPath, files.rescue, { mode: 0o600 })
    const { profile, committed } = leasedProfile(place, row, () => commits)
    await profile.begin({ generation: 1, record: null, journal: null, pending: null, key_id: '', ...row })
    return { committed, isRescueLeft: existsSync(nextPath) }
  }

  test.each([
    ['a rescue file', { rescue: 2 }, 2],
    ['its copy', { copy: 2 }, 2],
    ['a rescue file before its copy', { rescue: 3, copy: 2 }, 3],
    ['its copy behind a rescue file that is older', { rescue: 1, copy: 2 }, 2],
  ])('brings into force what this machine alone has: %s', async (_which, known, restored) => {
    const files = Object.fromEntries(
      Object.entries(known).map(([name, generation]) => [name, place.sealed(generation)]),
    )
    place.local.beginAttempt()
    const { committed, isRescueLeft } = await begun(files, { record: place.sealed(1) })
    const text = Object.values(files).find((one) => one.includes(`"generation":${restored}`))
    expect(committed).toEqual([{ record: text, generation: restored, expected: restored - 1, journal: null }])
    expect([isRescueLeft, existsSync(place.local.files.intentPath)]).toEqual([false, false])
    expect(place.local.has(text ?? '')).toBe(true)
  })

  test.each([
    ['as new as the row', 2, 0, { generation: 2, sealed: 2 }],
    ['older than the row', 2, 0, { generation: 3, sealed: 3 }],
    ['issued before that of a row which counts less', 2, -1, { generation: 1, sealed: 1 }],
    ['for a row that was removed', 2, 0, { generation: 1, sealed: null }],
    ['for a row that cannot be opened', 2, 0, { generation: 1, sealed: 'garbage' }],
  ])('leaves the row as it is where what this machine has is %s', async (_which, own, laterMs, row) => {
    const rescue = place.sealed(own, issued(own, laterMs))
    const record = typeof row.sealed === 'number' ? place.sealed(row.sealed) : row.sealed
    const { committed, isRescueLeft } = await begun({ rescue }, { generation: row.generation, record })
    expect([committed, isRescueLeft]).toEqual([[], false])
  })

  test('and is lost meanwhile has changed nothing, and the rescue file stays', async () => {
    const error = await failureOf(() =>
      begun({ rescue: place.sealed(2) }, { record: place.sealed(1) }, false),
    )
    expect([error.code, existsSync(place.local.files.nextPath)]).toEqual(['store_locked', true])
  })

  test('without the key of its files leaves them, and tells nobody yet', async () => {
    const rescue = place.sealed(2)
    const record = place.sealed(1)
    rmSync(join(place.directory, 'key'), { recursive: true })
    expect(await begun({ rescue }, { record })).toEqual({ committed: [], isRescueLeft: true })
  })

  test('meets what nobody foresaw as it is', async () => {
    vi.spyOn(place.local, 'readRescue').mockRejectedValue(new Error('nobody foresaw it'))
    await expect(begun({}, {})).rejects.toThrow('nobody foresaw it')
  })
})

function localFilesOf(directory: string): string[] {
  return readdirSync(join(directory, 'postgres'), { recursive: true, encoding: 'utf8' })
}
