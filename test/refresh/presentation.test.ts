import { describe, expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import type { Deps } from '../../src/deps.ts'
import type { HttpRequest } from '../../src/oauth/http.ts'
import { forcedLately, timeLeftMs, waitStep } from '../../src/refresh/presentation.ts'
import { afterAnswer, presented, type World, withSleep } from '../support/deps.ts'
import { codeOf, LOST, makeWorld, present, SERVER_ERROR } from './fixture.ts'

/** Every request from now on; `change` may send it elsewhere. */
function watch(world: World, change: (options: HttpRequest) => HttpRequest = (options) => options) {
  const seen: HttpRequest[] = []
  world.intercept((request) => (options) => {
    seen.push(options)
    return request(change(options))
  })
  return seen
}

/** The way to a port where nobody listens. */
const nowhere = (options: HttpRequest) => ({ ...options, url: 'http://127.0.0.1:1/token' })

/** A process that is told to end. */
function ending(world: World): { deps: Deps; end: () => void } {
  const closing = new AbortController()
  return { deps: { ...world.deps, closing: closing.signal }, end: () => closing.abort() }
}

test('forced refreshes count for a minute, and none of the future', () => {
  const now = 1_000_000
  const at = [0, now - 60_000, now - 59_999, now, now + 1]
  expect(forcedLately(at, now)).toEqual([now - 59_999, now])
})

test('a wait is told in whole seconds, and never as none', () => {
  const texts = [0, 1, 1_000, 1_001, 60_000].map((ms) => String(waitStep(ms)))
  expect(texts).toEqual([1, 1, 1, 2, 60].map((s) => `Wait ${s} s, then call refresh_token again.`))
})

test('the time that is left is counted from the begin of the call', async () => {
  const world = await makeWorld()
  world.pass(10_000)
  expect(timeLeftMs(world.deps, 4_000)).toBe(20_000)
})

describe('the time limit of a request', () => {
  test.each([
    [26_000, 15_000],
    [20_999, 14_999],
    [12_001, 6_001],
    [12_000, 12_000],
    [6_000, 6_000],
    [3_000, 3_000],
  ])('in a call with %d ms left is %d ms', async (leftMs, deadlineMs) => {
    const world = await makeWorld()
    const seen = watch(world)
    expect(await present(world, { leftMs })).toMatchObject({ kind: 'kept', record: { generation: 2 } })
    expect(seen.map((options) => options.deadlineMs)).toEqual([deadlineMs])
  })
})

describe('a refresh token', () => {
  /** The time that passes between the begin of an attempt and the moment at which its first byte would go out. */
  const connecting = (world: World, ms: number) =>
    watch(world, (options) => ({
      ...options,
      onSend: () => {
        world.pass(ms)
        options.onSend?.()
      },
    }))

  test.each([
    [12_000, 26_000, 'kept', 1],
    // Once more, while the call has time for it.
    [12_001, 26_000, 'network_error', 0],
    [3_001, 6_000, 'network_error', 0],
    [0, 2_999, 'network_error', 0],
  ])(
    'that could be sent only after %d ms, in a call with %d ms left: %s',
    async (connectMs, leftMs, end, requests) => {
      const world = await makeWorld()
      connecting(world, connectMs)
      expect(codeOf(await present(world, { leftMs }))).toBe(end)
      expect(presented(world)).toBe(requests)
      const { id } = await resolveApp(world.deps, 'default')
      expect((await world.deps.store.readJournal(id))?.ambiguous ?? 0).toBe(0)
    },
  )

  test('that was lost and could be sent again only too late stays lost once, and may be sent again', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next(LOST)
    let requests = 0
    watch(world, (options) => {
      requests += 1
      if (requests === 1) return options
      const onSend = () => {
        world.pass(12_001)
        options.onSend?.()
      }
      return { ...options, onSend }
    })
    const end = await present(world)
    expect(end).toMatchObject({
      kind: 'failed',
      error: { code: 'network_error', message: "Too little time was left to wait for Feishu's answer." },
    })
    expect(presented(world)).toBe(1)
    const { id } = await resolveApp(world.deps, 'default')
    expect((await world.deps.store.readJournal(id))?.ambiguous).toBe(1)
  })
})

describe('the replay of a lost answer', () => {
  test.each([
    [6_000, 'kept', 2],
    [5_999, 'network_error', 1],
  ])('with %d ms left: %s', async (leftMs, end, requests) => {
    const world = await makeWorld()
    world.sandbox.faults.next(LOST)
    expect(codeOf(await present(world, { leftMs }))).toBe(end)
    expect(presented(world)).toBe(requests)
  })

  test('is never the third request of a call', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next(SERVER_ERROR)
    world.sandbox.faults.next(LOST)
    expect(codeOf(await present(world))).toBe('network_error')
    expect(presented(world)).toBe(2)
  })

  test('is made although the process is to end: it belongs to what was sent', async () => {
    const world = await makeWorld()
    const { deps, end } = ending(world)
    world.sandbox.faults.next(LOST)
    world.intercept(afterAnswer(end))
    expect(await present(world, { deps })).toMatchObject({ kind: 'kept' })
  })
})

test('nothing is begun in a process that is to end, and nothing is noted', async () => {
  const world = await makeWorld()
  const { deps, end } = ending(world)
  end()
  expect((await present(world, { deps })).kind).toBe('failed')
  expect(presented(world)).toBe(0)
  expect(await deps.store.readJournal((await resolveApp(deps, 'default')).id)).toBeNull()
})

describe('after an error that passes', () => {
  test.each([
    [6_401, 'kept', 2],
    [6_400, 'server_error', 1],
  ])('with %d ms left: %s', async (leftMs, end, requests) => {
    const world = await makeWorld()
    world.sandbox.faults.next(SERVER_ERROR)
    const before = world.now()
    expect(codeOf(await present(world, { leftMs }))).toBe(end)
    expect(presented(world)).toBe(requests)
    expect(world.now() - before).toBe(requests === 2 ? 400 : 0)
  })

  test('a call makes two requests and no more', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next(SERVER_ERROR, 3)
    expect(codeOf(await present(world))).toBe('server_error')
    expect(presented(world)).toBe(2)
  })

  test('a process that is to end does not wait for it', async () => {
    const world = await makeWorld()
    const { deps, end } = ending(world)
    world.sandbox.faults.next(SERVER_ERROR)
    world.intercept(afterAnswer(end))
    expect(codeOf(await present(world, { deps }))).toBe('server_error')
    expect(presented(world)).toBe(1)
  })

  test('a process that is told to end while it waits sends nothing more', async () => {
    const world = await makeWorld()
    const { deps, end } = ending(world)
    world.sandbox.faults.next(SERVER_ERROR)
    const waiting = withSleep(deps, async () => end())
    expect(codeOf(await present(world, { deps: waiting }))).toBe('server_error')
    expect(presented(world)).toBe(1)
  })
})

describe('without a connection', () => {
  test.each([
    [26_000, 3, 1_200],
    [12_000, 2, 400],
    [11_999, 1, 0],
  ])('in a call with %d ms left it is tried %d times', async (leftMs, tries, waitedMs) => {
    const world = await makeWorld()
    const before = world.now()
    const seen = watch(world, nowhere)
    expect(codeOf(await present(world, { leftMs }))).toBe('network_error')
    expect([seen.length, world.now() - before]).toEqual([tries, waitedMs])
  })

  test('another reason than the network is not tried again', async () => {
    const world = await makeWorld()
    const seen = watch(world, (options) => ({ ...options, url: options.url.replace('http:', 'https:') }))
    expect(codeOf(await present(world))).toBe('tls_error')
    expect(seen).toHaveLength(1)
  })

  test('a process that is to end does not try again', async () => {
    const world = await makeWorld()
    const { deps, end } = ending(world)
    const seen = watch(world, (options) => {
      end()
      return nowhere(options)
    })
    expect(codeOf(await present(world, { deps }))).toBe('network_error')
    expect(seen).toHaveLength(1)
  })
})

describe('what counts towards the limit of the minute', () => {
  test('is the first request of a call that was not needed', async () => {
    const world = await makeWorld()
    let tries = 0
    const seen = watch(world, (options) => (++tries === 1 ? nowhere(options) : options))
    world.sandbox.faults.next(SERVER_ERROR)
    expect(await present(world, { unneeded: true })).toMatchObject({ kind: 'kept' })
    expect(await present(world)).toMatchObject({ kind: 'kept' })
    expect(seen.map((options) => options.account?.forced)).toEqual([true, false, false, false])
  })

  test('is remembered with the token set for a minute', async () => {
    const world = await makeWorld()
    const begin = world.now()
    const kept: unknown[] = []
    for (const unneeded of [true, false, true, true]) {
      const outcome = await present(world, { unneeded })
      kept.push(outcome.kind === 'kept' && outcome.record.tokenSet)
      world.pass(30_000)
    }
    expect(kept).toMatchObject([
      { forcedAt: [begin], refreshedAt: begin },
      { forcedAt: [begin], refreshedAt: begin + 30_000 },
      { forcedAt: [begin + 60_000], refreshedAt: begin + 60_000 },
      { forcedAt: [begin + 60_000, begin + 90_000], refreshedAt: begin + 90_000 },
    ])
  })
})

test('an answer that was kept and is odd is told with its number, and what to do', async () => {
  const world = await makeWorld()
  world.sandbox.faults.next({ kind: 'edit', status: 500 })
  expect(await present(world)).toMatchObject({
    kind: 'failed',
    error: {
      code: 'unexpected_response',
      message: "Feishu's answer was stored, but it came with HTTP 500.",
      nextStep: 'Call refresh_token again: the new refresh token is safe.',
      logId: expect.stringMatching(/^\d{14}/),
    },
  })
})

test('no text of Feishu’s repeats what was sent', async () => {
  const world = await makeWorld()
  const { appSecret } = world.sandbox.app
  const msg = ['bad:', ...world.sandbox.secrets(), appSecret].join(' ').slice(0, 2_000)
  world.sandbox.faults.next({ kind: 'answer', status: 400, body: JSON.stringify({ code: 20001, msg }) })
  const outcome = await present(world)
  const said = outcome.kind === 'failed' ? outcome.error.message : ''
  expect(said).toContain('20001')
  for (const secret of [...world.sandbox.secrets(), appSecret]) expect(said).not.toContain(secret)
})
