import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import type { Deps } from '../../src/deps.ts'
import { CodedError } from '../../src/errors.ts'
import type { HttpAnswer } from '../../src/oauth/http.ts'
import { say } from '../../src/sentence.ts'
import { expire, force, makeDeps, presented, refreshDue, seed, type World } from '../support/deps.ts'

/** A process that loses patience with a busy profile at once; `first` happens before it gives up. */
function impatient(deps: Deps, first: () => Promise<unknown> = async () => undefined): Deps {
  const { store } = deps
  return {
    ...deps,
    store: {
      ...store,
      withLock: async (id, _deadlineMs, work) => {
        await first()
        return store.withLock(id, 20, work)
      },
    },
  }
}

/** Another process keeps the profile's lock until the test has ended. */
async function keepBusy(world: World): Promise<() => Promise<void>> {
  const other = await world.sibling()
  const { id } = await resolveApp(other, 'default')
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let holding: Promise<void> | undefined
  await new Promise<void>((locked) => {
    holding = other.store.withLock(id, 1_000, () => {
      locked()
      return released
    })
  })
  return async () => {
    release()
    await holding
  }
}

describe('a profile that somebody keeps busy', () => {
  /** So much is left of the access token. */
  async function withLife(leftMs: number): Promise<World> {
    const world = await makeDeps()
    await seed(world)
    world.pass(world.sandbox.knobs.accessTokenLifetimeMs - leftMs)
    return world
  }

  test('is not even waited for while nothing is due', async () => {
    const world = await withLife(1_000_000)
    const deps = impatient(world.deps, () => Promise.reject(new Error('it went for the lock')))
    expect(await refreshDue(deps)).toMatchObject({ status: 'still_valid', record: { generation: 1 } })
  })

  test('gives its access token while that lives', async () => {
    const world = await withLife(1)
    const free = await keepBusy(world)
    const result = await refreshDue(impatient(await world.sibling()))
    expect(result).toMatchObject({ status: 'still_valid', remainingMs: 1, record: { generation: 1 } })
    await free()
  })

  test.each([
    ['after the end of its access token', 0, refreshDue],
    ['when a new one is asked for', 200_000, force],
  ])('is an error %s', async (_when, leftMs, refresh) => {
    const world = await withLife(leftMs)
    const free = await keepBusy(world)
    await expect(refresh(impatient(await world.sibling()))).rejects.toMatchObject({ code: 'store_locked' })
    await free()
    expect(presented(world)).toBe(0)
  })

  test('and whose token is new meanwhile gives that one, also when a new one is asked for', async () => {
    const world = await withLife(200_000)
    let free = async () => {}
    const meanwhile = async () => {
      await force(await world.sibling())
      free = await keepBusy(world)
    }
    const result = await force(impatient(await world.sibling(), meanwhile))
    expect(result).toMatchObject({ status: 'refreshed_elsewhere', record: { generation: 2 } })
    await free()
  })
})

test('an error of the store that is no busy lock is told as it is', async () => {
  const world = await makeDeps()
  await seed(world)
  const { deps } = world
  const failure = new Error('disk')
  const store = { ...deps.store, withLock: () => Promise.reject(failure) }
  await expect(force({ ...deps, store })).rejects.toBe(failure)
})

test('an error of the store is told although the access token lives', async () => {
  const world = await makeDeps()
  await seed(world)
  world.pass(world.sandbox.knobs.accessTokenLifetimeMs - 1_000)
  const failure = new CodedError('store_not_writable', say`No.`, { nextStep: say`.` })
  const deps = impatient(world.deps, () => Promise.reject(failure))
  await expect(refreshDue(deps)).rejects.toBe(failure)
})

test('calls that meet in one process get the very same answer', async () => {
  const world = await makeDeps()
  await seed(world)
  const held = world.sandbox.faults.next({ kind: 'hold', processed: true })
  const first = force(world.deps)
  await held.reached
  const second = force(world.deps)
  held.release()
  expect(await second).toBe(await first)
  expect(await first).toMatchObject({ status: 'refreshed', persisted: true })
})

test('a forced call that meets one that nobody forced does not take the token that this one left', async () => {
  const world = await makeDeps()
  await seed(world)
  // Due, and good still.
  world.pass(world.sandbox.knobs.accessTokenLifetimeMs - 200_000)
  const free = await keepBusy(world)
  let second: ReturnType<typeof force> | undefined
  let calls = 0
  const deps = impatient(world.deps, async () => {
    calls += 1
    if (calls === 1) second = force(deps)
    else await free()
  })
  expect(await refreshDue(deps)).toMatchObject({ status: 'still_valid', record: { generation: 1 } })
  expect(await second).toMatchObject({ status: 'refreshed', record: { generation: 2 } })
  expect(presented(world)).toBe(1)
})

describe('a token set that is new since the call began', () => {
  /** Waits for the lock until `meanwhile` is over. */
  async function behind(world: World, meanwhile: () => Promise<unknown>) {
    return force(impatient(await world.sibling(), meanwhile))
  }

  test('is taken while its access token lives', async () => {
    const world = await makeDeps()
    await seed(world)
    const result = await behind(world, async () => force(await world.sibling()))
    expect(result).toMatchObject({ status: 'refreshed_elsewhere', deliveries: [], record: { generation: 2 } })
    expect(presented(world)).toBe(1)
  })

  test('is refreshed when that has ended already', async () => {
    const world = await makeDeps()
    await seed(world)
    const result = await behind(world, async () => {
      await force(await world.sibling())
      // The call itself has its seconds still.
      world.jump(world.sandbox.knobs.accessTokenLifetimeMs)
    })
    expect(result).toMatchObject({ status: 'refreshed', record: { generation: 3 } })
    expect(presented(world)).toBe(2)
  })
})

test('a token that is not due any more once the lock is held is left alone: the clock was mended meanwhile', async () => {
  const world = await makeDeps()
  await seed(world)
  expect((await refreshDue(world.deps)).status).toBe('still_valid')
  world.jump(world.sandbox.knobs.accessTokenLifetimeMs)
  const deps = impatient(world.deps, async () => world.jump(-world.sandbox.knobs.accessTokenLifetimeMs))
  expect((await refreshDue(deps)).status).toBe('still_valid')
  expect(presented(world)).toBe(0)
})

test('a process that is to end notes no intent', async () => {
  const world = await makeDeps()
  const { app } = await seed(world)
  const { store } = world.deps
  let prepared = 0
  const watched: Deps['store'] = {
    ...store,
    withLock: (id, deadlineMs, work) =>
      store.withLock(id, deadlineMs, (locked) => {
        const prepare = locked.prepare.bind(locked)
        locked.prepare = (token) => {
          prepared += 1
          return prepare(token)
        }
        return work(locked)
      }),
  }
  const ended = AbortSignal.abort(new Error('it ends'))
  await expect(force({ ...world.deps, store: watched, closing: ended })).rejects.toThrow('it ends')
  expect(prepared).toBe(0)
  expect(await store.readJournal(app.id)).toBeNull()
  expect((await force({ ...world.deps, store: watched })).status).toBe('refreshed')
  expect(prepared).toBe(1)
})

describe('the limit of sixty forced refreshes in a minute', () => {
  test.each([
    ['forced ones', force, true, 60, 'rate_limited'],
    ['one less', force, true, 59, 'refreshed'],
    ['as many that were due', force, false, 60, 'refreshed'],
    ['forced ones, where it is due', refreshDue, true, 60, 'refreshed'],
  ] as const)('counts those that failed: %s', async (_, refresh, forced, count, outcome) => {
    const world = await makeDeps()
    await seed(world)
    if (refresh === refreshDue) expire(world)
    const { deps } = world
    const at = new Date(world.now() - 1_000).toISOString()
    const call = {
      at,
      account: '',
      forced,
      endpoint: 'token',
      outcome: 'x',
      code: null,
      log_id: null,
      duration_ms: 1,
      pid: 1,
    }
    const callsSince: Deps['activity']['callsSince'] = (_account, since) => {
      expect(since).toBe(world.now() - 60_000)
      return Array.from({ length: count }, () => call)
    }
    const refreshed = refresh({ ...deps, activity: { ...deps.activity, callsSince } })
    expect(
      await refreshed.then(
        ({ status }) => status,
        ({ code }) => code,
      ),
    ).toBe(outcome)
  })

  test('says how long to wait: until the first of them is a minute old', async () => {
    const world = await makeDeps()
    await seed(world)
    for (let count = 1; count <= 60; count += 1) {
      await force(world.deps)
      if (count === 1) world.pass(20_000)
    }
    await expect(force(world.deps)).rejects.toMatchObject({
      code: 'rate_limited',
      message: 'Not refreshed: this profile was refreshed 60 times within a minute.',
      nextStep: 'Wait 40 s, then call refresh_token again.',
    })
    world.pass(39_999)
    await expect(force(world.deps)).rejects.toMatchObject({ nextStep: expect.stringMatching(/^Wait 1 s/) })
    world.pass(1)
    expect((await force(world.deps)).status).toBe('refreshed')
  })

  describe('holds where the activity log cannot be written', () => {
    const LIMITED = { code: 'rate_limited', message: expect.stringContaining('60 times within a minute') }

    async function unlogged(): Promise<World> {
      const world = await makeDeps()
      await seed(world)
      mkdirSync(join(world.deps.config.tokenDir, 'activity.jsonl'), { mode: 0o700 })
      return world
    }

    test('for what was kept, over all processes', async () => {
      const world = await unlogged()
      const processes = [world.deps, await world.sibling(), await world.sibling()]
      for (let count = 0; count < 60; count += 1) await force(processes[count % 3] as Deps)
      for (const deps of [...processes, await world.sibling()])
        await expect(force(deps)).rejects.toMatchObject(LIMITED)
      expect(presented(world)).toBe(60)
    })

    test('for what failed, in each process', async () => {
      const world = await unlogged()
      world.sandbox.faults.next({ kind: 'error', code: 20002 }, Number.POSITIVE_INFINITY)
      for (let count = 0; count < 60; count += 1)
        await expect(force(world.deps)).rejects.toMatchObject({ feishuCode: 20002 })
      await expect(force(world.deps)).rejects.toMatchObject(LIMITED)
      expect(presented(world)).toBe(60)
    })
  })
})

test('a pause of Feishu’s is told with what is left of it', async () => {
  const world = await makeDeps({ hurried: true })
  await seed(world)
  world.sandbox.faults.next({ kind: 'error', code: 99991400, status: 429, headers: { 'retry-after': '60' } })
  await expect(force(world.deps)).rejects.toMatchObject({ feishuCode: 99991400 })
  world.pass(59_999)
  await expect(force(world.deps)).rejects.toMatchObject({
    code: 'rate_limited',
    message: 'Not refreshed: Feishu asked for a pause.',
    nextStep: 'Wait 1 s, then call refresh_token again.',
  })
  expect(presented(world)).toBe(1)
  world.pass(1)
  expect((await force(world.deps)).status).toBe('refreshed')
})

test('a pause binds for an hour, and not where a clock that was set back makes it longer', async () => {
  const world = await makeDeps({ hurried: true })
  await seed(world)
  world.sandbox.faults.next({
    kind: 'error',
    code: 99991400,
    status: 429,
    headers: { 'retry-after': '9999' },
  })
  await expect(force(world.deps)).rejects.toMatchObject({ feishuCode: 99991400 })
  await expect(force(world.deps)).rejects.toMatchObject({ nextStep: expect.stringMatching(/^Wait 3600 s/) })
  expect(presented(world)).toBe(1)
  world.jump(-1)
  expect((await force(world.deps)).status).toBe('refreshed')
})

test('a person who is known is not asked for again', async () => {
  const world = await makeDeps()
  await seed(world)
  const urls: string[] = []
  world.intercept((request) => (options) => {
    urls.push(options.url)
    return request(options)
  })
  await force(world.deps)
  expect(urls).toEqual([expect.stringContaining('token')])
})

describe('a person who is not known yet', () => {
  /** The refresh after an authorization that brought no person, answered when so much is left of the call. */
  async function refreshWithin(leftMs: number, { userInfo, change }: Partial<Given> = {}) {
    const world = await makeDeps()
    const { app, record } = await seed(world)
    await world.deps.store.withLock(app.id, 1_000, async (locked) => {
      if (record.tokenSet) await locked.commit({ ...record, tokenSet: { ...record.tokenSet, user: null } }, 1)
    })
    let asked = 0
    world.intercept((request) => async (options) => {
      if (options.url.includes('user_info')) {
        asked += 1
        if (userInfo) return userInfo
      }
      const answer = await request(options)
      if (options.url.includes('token')) world.pass(26_000 - leftMs)
      return answer
    })
    const { status, record: after } = await force(change?.(world.deps) ?? world.deps)
    expect(status).toBe('refreshed')
    const stored = await (await world.sibling()).store.read(app.id)
    expect(stored.tokenSet?.user).toEqual(after.tokenSet?.user)
    return { asked, user: after.tokenSet?.user, known: world.sandbox.user }
  }

  test('is asked for while there is time', async () => {
    const { asked, user, known } = await refreshWithin(6_000)
    expect([asked, user]).toEqual([1, { openId: known.openId, name: known.name }])
  })

  test('is left for the next refresh when there is none', async () => {
    const { asked, user } = await refreshWithin(5_999)
    expect([asked, user]).toEqual([0, null])
  })

  test('stays unknown where Feishu does not say', async () => {
    const error = new CodedError('network_error', say`No.`, { nextStep: say`.` })
    const userInfo: HttpAnswer = { kind: 'failure', sent: true, partialBody: Buffer.alloc(0), error }
    const { asked, user } = await refreshWithin(20_000, { userInfo })
    expect(asked).toBeGreaterThan(0)
    expect(user).toBeNull()
  })

  test('is not asked for while the token is not stored', async () => {
    const change = (deps: Deps) => ({ ...deps, store: { ...deps.store, isUnsaved: () => true } })
    const { asked, user } = await refreshWithin(20_000, { change })
    expect([asked, user]).toEqual([0, null])
  })

  test('stays unknown where the store does not take the name any more', async () => {
    const change = (deps: Deps) => {
      const withLock: Deps['store']['withLock'] = (id, deadlineMs, work) =>
        deps.store.withLock(id, deadlineMs, (locked) => {
          const commit = locked.commit.bind(locked)
          locked.commit = (record, over) =>
            record.tokenSet?.user ? Promise.reject(new Error('disk')) : commit(record, over)
          return work(locked)
        })
      return { ...deps, store: { ...deps.store, withLock } }
    }
    const { asked, user } = await refreshWithin(20_000, { change })
    expect([asked, user]).toEqual([1, null])
  })

  type Given = { userInfo: HttpAnswer; change: (deps: Deps) => Deps }
})
