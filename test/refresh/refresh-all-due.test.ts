import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import type { Deps } from '../../src/deps.ts'
import { CodedError } from '../../src/errors.ts'
import type { TokenSet } from '../../src/oauth/token-set.ts'
import { refreshAll, takeSlot } from '../../src/refresh/refresh-all.ts'
import { say } from '../../src/sentence.ts'
import { acquireLock } from '../../src/store/lock.ts'
import { makeDeps, presented, seed, type World } from '../support/deps.ts'

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

  test('is left where the process is to end', async () => {
    const world = await worldWith()
    const stopped = new CodedError('unexpected_response', say`It ends.`, { nextStep: say`.` })
    const deps = { ...world.deps, closing: AbortSignal.abort(stopped) }
    expect(await refreshAll(deps, { force: true })).toEqual({ outcomes: [], left: 1 })
    expect(presented(world)).toBe(0)
  })
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

  test('begins now where the note is none', async () => {
    const world = await makeDeps()
    await note(world, 'soon')
    expect(await takeSlot(world.deps, id)).toBe(world.now())
  })
})
