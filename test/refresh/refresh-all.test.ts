import { expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { type RefreshAllResult, refreshAll, SLOT_MS, takeSlot } from '../../src/refresh/refresh-all.ts'
import { say } from '../../src/sentence.ts'
import { makeDeps, presented, seed, type World, withSleep } from '../support/deps.ts'
import { presentationsByToken } from '../support/invariants.ts'
import { age } from '../support/stored.ts'

const MINUTE_MS = 60_000
/** Feishu's limits for one app, and the half of them that is ours. */
const HALF = { second: 25, minute: 500 }

/** A world in which these profiles are logged in, and time passes where the program waits for a slot. */
async function worldWith(
  count: number,
): Promise<{ world: World; names: string[]; slots: number[]; all: typeof runAll }> {
  const world = await makeDeps()
  const names = Array.from({ length: count }, (_, index) => `p${String(index).padStart(4, '0')}`)
  for (const name of names) await seed(world, name)
  const slots: number[] = []
  const sleep = async (ms: number) => {
    slots.push(world.now() + ms)
    world.pass(Math.max(0, ms))
  }
  function runAll(force = false, deps = world.deps): Promise<RefreshAllResult> {
    return refreshAll(withSleep(deps, sleep), { force })
  }
  return { world, names, slots, all: runAll }
}

function expireAll(world: World): void {
  world.pass(world.sandbox.knobs.accessTokenLifetimeMs + 1_000)
}

/** The most of these instants within any stretch of this length. */
function busiest(times: number[], ms: number): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + ms).length))
}

function statuses({ outcomes }: RefreshAllResult): string[] {
  return outcomes.map(({ profile, result, error }) => `${profile} ${result?.status ?? error?.code}`)
}

test('every profile that is due is refreshed once, in the order of the names in the answer', async () => {
  const { world, names, all } = await worldWith(30)
  expect(await all()).toEqual({ outcomes: [], left: 0 })
  expect(presented(world)).toBe(0)
  expireAll(world)
  expect(statuses(await all())).toEqual(names.map((name) => `${name} refreshed`))
  expect(presented(world)).toBe(30)
  expect(await all()).toEqual({ outcomes: [], left: 0 })
})

test('no second and no minute has more slots than a quarter of what Feishu allows an app: each may take two requests', async () => {
  const { deps, sibling, sandbox, now, pass } = await makeDeps()
  const id = { brand: 'feishu', appId: sandbox.app.appId, profile: 'default' } as const
  const slots: number[] = []
  const job = async (deps: World['deps']) => {
    for (let request = 0; request < 400; request += 1) {
      const at = await takeSlot(deps, id)
      pass(Math.max(0, at - now()))
      slots.push(at)
    }
  }
  await Promise.all([job(deps), job(await sibling())])
  expect(Math.max(...slots) - Math.min(...slots)).toBeGreaterThan(3 * MINUTE_MS)
  expect(2 * busiest(slots, 1_000)).toBeLessThanOrEqual(HALF.second)
  expect(2 * busiest(slots, MINUTE_MS)).toBeLessThanOrEqual(HALF.minute)
  expect(busiest(slots, MINUTE_MS)).toBeGreaterThan(HALF.minute / 4)
})

test('the slots of one app are not those of another', async () => {
  const { deps, now } = await makeDeps()
  const [first, second] = ['cli_a', 'cli_b'].map((appId) => ({
    brand: 'feishu' as const,
    appId,
    profile: 'default',
  }))
  if (!first || !second) throw new Error('two apps')
  await takeSlot(deps, first)
  expect(await takeSlot(deps, first)).toBeGreaterThan(now())
  expect(await takeSlot(deps, second)).toBeLessThanOrEqual(now())
})

test('each request has a slot of its own, and hardly two pauses are alike', async () => {
  const { world, slots, all } = await worldWith(40)
  expireAll(world)
  await all()
  const times = slots.toSorted((a, b) => a - b)
  const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0))
  expect(pauses).toHaveLength(39)
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(SLOT_MS)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(1.5 * SLOT_MS)
  expect(new Set(pauses).size).toBeGreaterThan(20)
})

test('two jobs at once keep one pace, and spend each refresh token once', async () => {
  const { world, names, all } = await worldWith(40)
  expireAll(world)
  const [first, second] = await Promise.all([all(), all(false, await world.sibling())])
  const refreshed = [...statuses(first), ...statuses(second)].filter((text) => text.endsWith(' refreshed'))
  expect(refreshed.sort()).toEqual(names.map((name) => `${name} refreshed`))
  expect(first.outcomes.length).toBeGreaterThan(5)
  expect(second.outcomes.length).toBeGreaterThan(5)
  expect([...presentationsByToken(world.sandbox.ledger).values()].every(({ length }) => length === 1)).toBe(
    true,
  )
  const times = world.sandbox.ledger.map(({ at }) => at)
  expect(2 * busiest(times, 1_000)).toBeLessThanOrEqual(HALF.second)
})

test('a refresh token that was not used for a day is used, though the access token is valid', async () => {
  const { world, all } = await worldWith(1)
  const { app } = await seed(world, 'p0000')
  world.pass(world.sandbox.knobs.refreshTokenLifetimeMs - 6 * 86_400_000 + 1_000)
  await age(world.deps.store, app.id, world.sandbox.knobs.accessTokenLifetimeMs)
  expect(statuses(await all())).toEqual(['p0000 refreshed'])
})

test('one that fails does not stop the others', async () => {
  const { world, names, all } = await worldWith(6)
  expireAll(world)
  world.sandbox.revoke()
  await seed(world, 'p0003')
  const { outcomes, left } = await all(true)
  expect(left).toBe(0)
  expect(outcomes.map(({ result, error }) => result?.status ?? error?.code)).toEqual(
    names.map((name) => (name === 'p0003' ? 'refreshed' : 'invalid_grant')),
  )
})

test('where Feishu cannot be had, most of the profiles are left for the next run', async () => {
  const { world, all } = await worldWith(30)
  expireAll(world)
  const error = new CodedError('tls_error', say`The certificate was not accepted.`, {
    nextStep: say`Mend it.`,
  })
  world.intercept(() => async () => ({ kind: 'failure', sent: false, partialBody: Buffer.alloc(0), error }))
  const { outcomes, left } = await all()
  expect(outcomes.length).toBeGreaterThanOrEqual(10)
  expect(outcomes.length).toBeLessThan(20)
  // The default profile, which is not authorized, is one of those that were looked at or left.
  expect([30, 31]).toContain(outcomes.length + left)
  world.intercept(null)
  expect((await all()).outcomes).toHaveLength(30)
})

test('a slot that was noted by a clock which has been set back since is not waited for', async () => {
  const { world, all } = await worldWith(3)
  expireAll(world)
  await all()
  world.jump(-3_600_000)
  const before = world.now()
  await all(true)
  expect(presented(world)).toBe(6)
  expect(world.now() - before).toBeLessThan(MINUTE_MS)
})
