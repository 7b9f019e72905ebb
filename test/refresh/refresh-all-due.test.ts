import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import type { Deps } from '../../src/deps.ts'
import { CodedError } from '../../src/errors.ts'
import type { TokenSet } from '../../src/oauth/token-set.ts'
import { refreshAll, takeSlot } from '../../src/refresh/refresh-all.ts'
import { say } from '../../src/sentence.ts'
import { acquireLock } from '../../src/store/lock.ts'
import { afterAnswer, makeDeps, presented, seed, type World } from '../support/deps.ts'

const DAY = 86_400_000

/** A world with one profile, its token set changed. */
async function worldWith(changes: (now: number) => Partial<TokenSet> = () => ({})): Promise<World> {
  const world = await makeDeps({ hurried: true })
  const { app, record } = await seed(world)
  await world.deps.store.withLock(app.id, 1_000, async (locked) => {
    if (!record.tokenSet) throw new Error('nothing is stored')
    const tokenSet = { ...record.tokenSet, ...changes(world.now()) }
    await locked.commit({ generation: 1, tokenSet }, 1)
  })
  return world
}

async function statuses(deps: Deps, force = false): Promise<unknown[]> {
  const { outcomes, left } = await refreshAll(deps, { force })
  expect(left).toBe(0)
  return outcomes.map(({ profile, result, error }) => [profile, result?.status ?? error?.code])
}

describe('a profile', () => {
  const REFRESHED = [['default', 'refreshed']]
  test.each<[string, (now: number) => Partial<TokenSet>, unknown[]]>([
    ['that has six days left', (now) => ({ refreshTokenExpiresAt: now + 6 * DAY }), []],
    ['that has less', (now) => ({ refreshTokenExpiresAt: now + 6 * DAY - 1 }), REFRESHED],
    ['whose end nobody knows', () => ({ refreshTokenExpiresAt: null }), []],
    ['whose access token ends', (now) => ({ accessTokenExpiresAt: now + 1 }), REFRESHED],
    ['that cannot be renewed', (now) => ({ accessTokenExpiresAt: now, refreshToken: null }), []],
  ])('%s', async (_what, changes, outcome) => {
    const world = await worldWith(changes)
    expect(await statuses(world.deps)).toEqual(outcome)
    expect(presented(world)).toBe(outcome.length)
  })

  test('that is not due is refreshed when that is asked for, one without a token never', async () => {
    const world = await worldWith()
    expect(await statuses(world.deps)).toEqual([])
    expect(await statuses(world.deps, true)).toEqual(REFRESHED)
    const { id } = await resolveApp(world.deps, 'default')
    await world.deps.store.withLock(id, 1_000, (locked) => locked.remove())
    expect(await statuses(world.deps, true)).toEqual([])
    expect(await statuses(world.deps)).toEqual([])
  })

  test('that another job refreshed meanwhile is left alone', async () => {
    const world = await worldWith((now) => ({ accessTokenExpiresAt: now + 1 }))
    const { deps } = world
    const sleep = async () => {
      await refreshAll(await world.sibling(), { force: false })
    }
    expect(await statuses({ ...deps, clock: { ...deps.clock, sleep } })).toEqual([])
    expect(presented(world)).toBe(1)
  })

  test('takes no slot where nothing is to be done', async () => {
    const { deps, now } = await worldWith()
    expect(await statuses(deps)).toEqual([])
    const { id } = await resolveApp(deps, 'default')
    await deps.store.withLock(id, 1_000, (locked) => locked.remove())
    for (const force of [false, true]) expect(await statuses(deps, force)).toEqual([])
    expect(await takeSlot(deps, id)).toBe(now())
    expect(await takeSlot(deps, id)).toBeGreaterThan(now())
  })

  test('whose logout was interrupted has no token to refresh', async () => {
    const { deps } = await worldWith(() => ({
      refusal: {
        reason: 'logout',
        at: 1,
        code: 'not_authorized',
        feishuCode: null,
        logId: null,
        lostAt: null,
      },
    }))
    expect(await statuses(deps, true)).toEqual([])
  })

  const stopped = new CodedError('unexpected_response', say`It ends.`, { nextStep: say`.` })

  test('is left where the process is to end, if it is due', async () => {
    const world = await worldWith()
    const deps = { ...world.deps, closing: AbortSignal.abort(stopped) }
    expect(await refreshAll(deps, { force: true })).toEqual({ outcomes: [], left: 1 })
    expect(await refreshAll(deps, { force: false })).toEqual({ outcomes: [], left: 0 })
    expect(presented(world)).toBe(0)
  })

  test('that was refreshed while the process was to end is told of', async () => {
    const world = await worldWith()
    const ending = new AbortController()
    world.intercept(afterAnswer(() => ending.abort(stopped)))
    expect(await statuses({ ...world.deps, closing: ending.signal }, true)).toEqual(REFRESHED)
  })
})

/** The same process, with forty more profiles that `setup` knows and no one has logged in. */
function withOthers({ deps, sandbox }: World): { deps: Deps; names: string[] } {
  const names = Array.from({ length: 40 }, (_, index) => `a${100 + index}`)
  const { appId, appSecret } = sandbox.app
  const kept = { app_id: appId, app_secret: appSecret, brand: 'feishu' }
  const apps = Object.fromEntries(names.map((name) => [name, kept]))
  return { deps: { ...deps, store: { ...deps.store, readApps: async () => apps } }, names }
}

test('two jobs go through the profiles in different orders', async () => {
  const { deps, names } = withOthers(await makeDeps())
  const seen: string[] = []
  const read: Deps['store']['read'] = (id) => {
    seen.push(id.profile)
    return deps.store.read(id)
  }
  await refreshAll({ ...deps, store: { ...deps.store, read } }, { force: true })
  const order = seen.filter((name) => name !== 'default')
  expect([...order].sort()).toEqual(names)
  expect(order).not.toEqual(names)
  expect(order).not.toEqual(names.toReversed())
})

test.each([
  ['', (world: World) => world.deps],
  [', whatever was not due between them', (world: World) => withOthers(world).deps],
])('ten failures that are not the profiles’ own end the run%s', async (_, depsOf) => {
  const world = await makeDeps({ hurried: true })
  for (let profile = 1; profile <= 16; profile += 1) await seed(world, `p${profile}`)
  const error = new CodedError('tls_error', say`No.`, { nextStep: say`.` })
  const release: (() => void)[] = []
  let requests = 0
  world.intercept(() => async () => {
    requests += 1
    // Three of the four at work wait until the last one fails for the tenth time.
    if (requests <= 3) await new Promise<void>((resolve) => release.push(resolve))
    if (requests === 13) for (const resolve of release) resolve()
    return { kind: 'failure', sent: false, partialBody: Buffer.alloc(0), error }
  })
  const { outcomes } = await refreshAll(depsOf(world), { force: true })
  expect(outcomes.map((outcome) => outcome.error)).toEqual(Array.from({ length: 13 }, () => error))
})

test('failures that a success comes between stop nothing', async () => {
  const world = await makeDeps({ hurried: true })
  for (let profile = 1; profile <= 18; profile += 1) await seed(world, `p${profile}`)
  const error = new CodedError('tls_error', say`No.`, { nextStep: say`.` })
  let requests = 0
  world.intercept((request) => async (options) => {
    requests += 1
    return requests % 6 === 0
      ? request(options)
      : { kind: 'failure', sent: false, partialBody: Buffer.alloc(0), error }
  })
  const { outcomes, left } = await refreshAll(world.deps, { force: true })
  expect([outcomes.length, left]).toEqual([18, 0])
  expect(outcomes.filter((outcome) => outcome.error === null)).toHaveLength(3)
})

describe('the slot of an app', () => {
  const id = { brand: 'feishu', appId: 'cli_a', profile: 'default' } as const

  /** As if this had been noted by another process. */
  async function note({ deps, directory, now }: World, nextAt: unknown): Promise<void> {
    await takeSlot(deps, id)
    const lock = await acquireLock(join(directory, 'pace-feishu-cli_a.lock'), 1_000, now)
    if (lock?.kind !== 'held') throw new Error('the pace file is locked')
    lock.describe({ nextAt })
    lock.release()
  }

  test('is followed by the next one after a quarter of a second, and at most half of that', async () => {
    const { deps, now } = await makeDeps()
    expect(await takeSlot(deps, id)).toBe(now())
    let last = now()
    for (let slot = 1; slot <= 40; slot += 1) {
      const at = await takeSlot(deps, id)
      expect(at - last).toBeGreaterThanOrEqual(250)
      expect(at - last).toBeLessThanOrEqual(375)
      last = at
    }
  })

  test.each([
    [60_000, 60_000],
    [60_001, 0],
    [-1, 0],
  ])('that is noted for %d ms from now begins in %d ms', async (notedMs, inMs) => {
    const world = await makeDeps()
    await note(world, world.now() + notedMs)
    expect(await takeSlot(world.deps, id)).toBe(world.now() + inMs)
  })

  test.each([
    ['cli_a', String(process.pid)],
    // No holder has told who it is.
    ['cli_b', 'unknown'],
  ])('of %s cannot be had while process %s keeps the pace file locked', async (appId, holder) => {
    const world = await makeDeps()
    await note(world, 0)
    const lock = await acquireLock(join(world.directory, `pace-feishu-${appId}.lock`), 1_000, world.now)
    if (lock?.kind !== 'held') throw new Error('the pace file is locked')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const refused = expect(takeSlot(world.deps, { ...id, appId })).rejects.toMatchObject({
        code: 'store_locked',
        message: `Process ${holder} keeps the pace file locked.`,
        nextStep: 'Check that process and end it, then try again.',
      })
      await vi.advanceTimersByTimeAsync(11_000)
      await refused
    } finally {
      vi.useRealTimers()
      lock.release()
    }
  })

  test('begins now where the note is none', async () => {
    const world = await makeDeps()
    await note(world, 'soon')
    expect(await takeSlot(world.deps, id)).toBe(world.now())
  })
})
