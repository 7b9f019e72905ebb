import { describe, expect, onTestFinished, test } from 'vitest'
import { startAutoRefresh } from '../../src/refresh/auto-refresh.ts'
import { force, makeDeps, presented, seed, type World, withSleep } from '../support/deps.ts'

const MINUTE_MS = 60_000
const MARGIN_MS = 300_000

type Loop = {
  /** How long it sleeps, once it does. */
  asleep: () => Promise<number>
  /** Lets that time pass, and resolves to how long it sleeps next. */
  wake: () => Promise<number>
  ticks: () => number
  stop: () => void
}

type Pause = { ms: number; end: () => void }

/** Auto-refresh that sleeps until the test wakes it. */
function startLoop(world: World, afterTick: () => Promise<void> = async () => undefined): Loop {
  const { deps, pass } = world
  let fallAsleep: (pause: Pause) => void
  const expectSleep = () => new Promise<Pause>((resolve) => (fallAsleep = resolve))
  let pause = expectSleep()
  let ticks = 0
  const sleep = (ms: number, signal?: AbortSignal) => {
    // A pause within a refresh.
    if (!signal || signal === deps.closing) return Promise.resolve(pass(ms))
    return new Promise<void>((end) => {
      signal.addEventListener('abort', () => end())
      fallAsleep({ ms, end })
    })
  }
  const stop = startAutoRefresh(withSleep(deps, sleep), () => {
    ticks += 1
    return afterTick()
  })
  onTestFinished(stop)
  const asleep = async () => (await pause).ms
  const wake = async () => {
    const { ms, end } = await pause
    pause = expectSleep()
    pass(ms)
    end()
    return asleep()
  }
  return { asleep, wake, ticks: () => ticks, stop }
}

/** Up to a tenth shorter, so that copies that were started together do not wake together. */
function expectPause(ms: number, wantedMs: number): void {
  expect(ms).toBeGreaterThan(0.9 * wantedMs)
  expect(ms).toBeLessThanOrEqual(wantedMs)
}

/** Lets all of the token's life pass but so much. */
function leave(world: World, remainingMs: number): void {
  world.pass(world.sandbox.knobs.accessTokenLifetimeMs - remainingMs)
}

test('a token that is due is renewed unasked, and the next look is within a minute', async () => {
  const world = await makeDeps()
  const { app } = await seed(world)
  leave(world, MARGIN_MS)
  expectPause(await startLoop(world).asleep(), MINUTE_MS)
  expect(presented(world)).toBe(1)
  expect((await world.deps.store.read(app.id)).generation).toBe(2)
})

test('a token is left alone up to the margin, looked at each minute, and renewed at the margin', async () => {
  const world = await makeDeps()
  await seed(world)
  leave(world, MARGIN_MS + 3 * MINUTE_MS)
  const loop = startLoop(world)
  const pauses = [await loop.asleep()]
  while (presented(world) === 0 && pauses.length < 20) pauses.push(await loop.wake())
  const slept = pauses.slice(0, -1)
  expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual(3 * MINUTE_MS)
  expect(Math.max(...slept)).toBeLessThanOrEqual(MINUTE_MS)
  expect(slept.length).toBeLessThan(9)
  expect(new Set(pauses).size).toBeGreaterThan(1)
})

test('a token that another process renews meanwhile is not renewed once more', async () => {
  const world = await makeDeps()
  await seed(world)
  leave(world, MARGIN_MS)
  const { store } = world.deps
  let reads = 0
  const read: typeof store.read = async (id) => {
    const record = await store.read(id)
    reads += 1
    if (reads === 1) await force(await world.sibling())
    return record
  }
  await startLoop({ ...world, deps: { ...world.deps, store: { ...store, read } } }).asleep()
  expect(presented(world)).toBe(1)
})

test('the last pause before the margin is no longer than what is left, and no busy loop', async () => {
  const world = await makeDeps()
  await seed(world)
  leave(world, MARGIN_MS + 10_000)
  const loop = startLoop(world)
  expectPause(await loop.asleep(), 10_000)
  expect(presented(world)).toBe(0)

  const other = await makeDeps()
  await seed(other)
  leave(other, MARGIN_MS + 1)
  expectPause(await startLoop(other).asleep(), 500)
})

test('a token of a second is looked at twice a second at most', async () => {
  const world = await makeDeps({ knobs: { accessTokenLifetimeMs: 1_000 } })
  await seed(world)
  const loop = startLoop(world)
  expectPause(await loop.asleep(), 500)
  expectPause(await loop.wake(), 500)
  expect(presented(world)).toBe(0)
  expectPause(await loop.wake(), 500)
  expect(presented(world)).toBe(1)
})

describe('after a failure', () => {
  test('the pause doubles up to a quarter of an hour, and is a minute again after a success', async () => {
    const world = await makeDeps()
    await seed(world)
    leave(world, 0)
    world.sandbox.faults.next({ kind: 'error', code: 20050 }, Number.POSITIVE_INFINITY)
    const loop = startLoop(world)
    const pauses = [await loop.asleep()]
    for (let wake = 1; wake < 7; wake += 1) pauses.push(await loop.wake())
    for (const [index, minutes] of [1, 2, 4, 8, 15, 15, 15].entries())
      expectPause(pauses[index] ?? 0, minutes * MINUTE_MS)
    world.sandbox.faults.clear()
    expectPause(await loop.wake(), MINUTE_MS)
    world.sandbox.faults.next({ kind: 'error', code: 20050 }, Number.POSITIVE_INFINITY)
    leave(world, 0)
    expectPause(await loop.wake(), MINUTE_MS)
    expectPause(await loop.wake(), 2 * MINUTE_MS)
  })

  test('the log says what failed', async () => {
    const world = await makeDeps()
    await seed(world)
    leave(world, 0)
    world.sandbox.faults.next({ kind: 'error', code: 20050 }, 2)
    await startLoop(world).asleep()
    expect(world.logs).toEqual([expect.stringMatching(/^warn auto-refresh: .*20050/)])
  })

  test('what is no error of ours is logged too', async () => {
    const world = await makeDeps()
    await seed(world)
    world.deps.store.read = () => Promise.reject(new TypeError('no such thing'))
    await startLoop(world).asleep()
    expect(world.logs).toEqual([expect.stringMatching(/^warn auto-refresh: .*TypeError/)])
  })

  test('that nothing is configured is no news', async () => {
    const world = await makeDeps({ env: { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' } })
    expectPause(await startLoop(world).asleep(), MINUTE_MS)
    expect(world.logs).toEqual([])
  })
})

test('a token that Feishu refused is not presented again; the next login is seen within a minute', async () => {
  const world = await makeDeps()
  await seed(world)
  leave(world, 0)
  world.sandbox.revoke()
  const loop = startLoop(world)
  await loop.asleep()
  expect(presented(world)).toBe(1)
  expectPause(await loop.wake(), MINUTE_MS)
  expectPause(await loop.wake(), MINUTE_MS)
  expect(presented(world)).toBe(1)
  const { app, record } = await seed(world)
  leave(world, 0)
  await loop.wake()
  expect(presented(world)).toBe(2)
  expect((await world.deps.store.read(app.id)).generation).toBe(record.generation + 1)
})

test('nobody is logged in: it looks each minute, and asks nothing', async () => {
  const world = await makeDeps()
  const loop = startLoop(world)
  expectPause(await loop.asleep(), MINUTE_MS)
  expectPause(await loop.wake(), MINUTE_MS)
  expect([presented(world), world.logs]).toEqual([0, []])
})

describe('what is to be done at each wake-up', () => {
  test('is done after the refresh, and after one that failed', async () => {
    const world = await makeDeps()
    const { app } = await seed(world)
    leave(world, 0)
    world.sandbox.faults.next({ kind: 'error', code: 20050 }, 2)
    const generations: number[] = []
    const loop = startLoop(world, async () => {
      generations.push((await world.deps.store.read(app.id)).generation)
    })
    await loop.asleep()
    await loop.wake()
    expect(generations).toEqual([1, 2])
  })

  test('is done although auto-refresh is off, which renews nothing', async () => {
    const world = await makeDeps({ env: { FEISHU_AUTO_REFRESH: 'false' } })
    await seed(world)
    leave(world, 0)
    const loop = startLoop(world)
    expectPause(await loop.asleep(), MINUTE_MS)
    expectPause(await loop.wake(), MINUTE_MS)
    expect([loop.ticks(), presented(world)]).toEqual([2, 0])
  })

  test('may fail, which is logged, and ends nothing', async () => {
    const world = await makeDeps()
    await seed(world)
    const loop = startLoop(world, () => Promise.reject(new TypeError('no such thing')))
    expectPause(await loop.asleep(), MINUTE_MS)
    expectPause(await loop.wake(), MINUTE_MS)
    expect(loop.ticks()).toBe(2)
    expect(world.logs[0]).toMatch(/^warn background: .*TypeError/)
  })
})

test('when it is stopped it wakes no more', async () => {
  const world = await makeDeps()
  await seed(world)
  const loop = startLoop(world)
  await loop.asleep()
  loop.stop()
  void loop.wake()
  // As long as another one takes for the same.
  await startLoop(world).asleep()
  expect(loop.ticks()).toBe(1)
})

test('what it renews counts as due, not as forced by somebody', async () => {
  const world = await makeDeps()
  await seed(world)
  leave(world, 0)
  const forced: boolean[] = []
  world.intercept((request) => (options) => {
    forced.push(options.account?.forced === true)
    return request(options)
  })
  await startLoop(world).asleep()
  expect(forced).toEqual([false])
})
