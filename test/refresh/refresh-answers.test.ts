import { createServer } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ErrorCode } from '../../src/errors.ts'
import { tokenStatus } from '../../src/status/status.ts'
import { htmlPage, plainNotFound, rateLimited, redirectTo } from '../feishu-sandbox/fault-presets.ts'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { force, makeDeps, presented, refreshDue, seed, type World } from '../support/deps.ts'

type Verdict = 'retry' | 'keep' | 'reauthorize'

/** The contract's mapping, written down a second time: docs/design.md, settled cases. */
const CODES: readonly [number, ErrorCode, Verdict][] = [
  [20001, 'unexpected_response', 'keep'],
  [20002, 'invalid_client', 'keep'],
  [20008, 'unauthorized_client', 'keep'],
  [20009, 'unauthorized_client', 'keep'],
  [20010, 'unauthorized_client', 'keep'],
  [20024, 'invalid_client', 'keep'],
  [20026, 'invalid_grant', 'reauthorize'],
  [20036, 'unexpected_response', 'keep'],
  [20037, 'invalid_grant', 'reauthorize'],
  [20048, 'invalid_client', 'keep'],
  [20050, 'server_error', 'retry'],
  [20063, 'unexpected_response', 'keep'],
  [20064, 'invalid_grant', 'reauthorize'],
  [20066, 'unauthorized_client', 'keep'],
  [20067, 'invalid_scope', 'keep'],
  [20068, 'invalid_scope', 'keep'],
  [20069, 'unauthorized_client', 'keep'],
  [20070, 'unexpected_response', 'keep'],
  [20072, 'temporarily_unavailable', 'retry'],
  [20073, 'invalid_grant', 'reauthorize'],
  [20074, 'refresh_not_allowed', 'keep'],
  [21000, 'challenge_required', 'keep'],
  [21001, 'challenge_required', 'keep'],
  [99991400, 'rate_limited', 'retry'],
  // Codes of the code grant that must never end a refresh token, and one that nobody knows.
  [20003, 'invalid_grant', 'keep'],
  [20004, 'invalid_grant', 'keep'],
  [20049, 'invalid_grant', 'keep'],
  [20065, 'invalid_grant', 'keep'],
  [20071, 'invalid_grant', 'keep'],
  [20999, 'unexpected_response', 'keep'],
]
const STATUSES = [200, 400, 401, 403, 500]

async function expectVerdict(world: World, profile: string, verdict: Verdict): Promise<void> {
  const { deps } = world
  const status = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  expect(status).toMatchObject({ status: 'valid', generation: 1 })
  if (verdict !== 'reauthorize') {
    expect((await force(deps, profile)).record.generation).toBe(2)
    return
  }
  const sent = presented(world)
  expect((await refreshDue(deps, profile)).status).toBe('still_valid')
  await expect(force(await world.sibling(), profile)).rejects.toMatchObject({ recovery: 'reauthorize' })
  expect(presented(world)).toBe(sent)
  expect(status.warnings.join(' ')).toMatch(
    /Feishu refused the refresh token with 20\d{3} at .*must authorize again/,
  )
}

describe.each(CODES)('Feishu answers %d', (number, code, verdict) => {
  test.each(STATUSES)(`with HTTP %d: ${code}, ${verdict}`, async (status) => {
    const world = await makeDeps({ hurried: true })
    await seed(world)
    world.sandbox.faults.next({ kind: 'error', code: number, status }, Number.POSITIVE_INFINITY)
    const failed = await force(world.deps).catch((error) => error)
    expect(failed).toMatchObject({ code, feishuCode: number, logId: expect.stringMatching(/^\d{14}/) })
    expect(failed.nextStep).toMatch(/\w+/)
    expect(presented(world)).toBe(verdict === 'retry' ? 2 : 1)
    world.sandbox.faults.clear()
    // A pause that was asked for is over by then.
    world.pass(60_000)
    await expectVerdict(world, 'default', verdict)
  })
})

test('a refused refresh token leaves the access token in use up to the margin', async () => {
  const world = await makeDeps({ hurried: true })
  await seed(world)
  world.sandbox.revoke()
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'invalid_grant' })
  world.pass(world.sandbox.knobs.accessTokenLifetimeMs - 299_000)
  const ended = await tokenStatus(await world.sibling(), {
    profile: 'default',
    verify: false,
    waitSeconds: 0,
  })
  expect(ended.status).toBe('expired')
  await expect(refreshDue(world.deps)).rejects.toMatchObject({ code: 'invalid_grant' })
  expect(presented(world)).toBe(1)
})

describe('a pause', () => {
  const at = (world: World, ms: number) => new Date(world.now() + ms).toUTCString()
  const forms: [string, (world: World) => Parameters<typeof rateLimited>[0], RegExp, number][] = [
    ["Feishu's own header", () => ({ reset: '7', retryAfter: '600' }), /^Wait 7 s/, 1],
    ['Retry-After in seconds', () => ({ retryAfter: '600' }), /^Wait 600 s/, 1],
    ['Retry-After as a date', (world) => ({ retryAfter: at(world, 600_000) }), /^Wait (600|599) s/, 1],
    ['a date that is over', (world) => ({ retryAfter: at(world, -600_000) }), /^Wait 1 s/, 2],
    ['a day and more', () => ({ retryAfter: '99999' }), /^Wait 3600 s/, 1],
    ['what is no number', () => ({ retryAfter: 'soon', reset: '-5' }), /^Wait 5 s/, 2],
    ['no header', () => ({}), /^Wait 5 s/, 2],
  ]
  test.each(forms)('as %s binds every process', async (_form, headers, wait, requests) => {
    const world = await makeDeps({ hurried: true })
    await seed(world)
    world.sandbox.faults.next(rateLimited(headers(world)), requests)
    const failed = await force(world.deps).catch((error) => error)
    expect(failed).toMatchObject({ code: 'rate_limited', recovery: 'wait', feishuCode: 99991400 })
    expect(failed.nextStep).toMatch(wait)
    expect(presented(world)).toBe(requests)
    const seconds = Number(/Wait (\d+)/.exec(failed.nextStep)?.[1])
    if (seconds > 2)
      await expect(force(await world.sibling())).rejects.toMatchObject({
        code: 'rate_limited',
        feishuCode: null,
      })
    expect(presented(world)).toBe(requests)
    world.pass(seconds * 1_000)
    expect((await force(await world.sibling())).status).toBe('refreshed')
  })

  test('that is short is waited for within the call', async () => {
    const world = await makeDeps({ hurried: true })
    await seed(world)
    world.sandbox.faults.next(rateLimited({ reset: '1' }))
    const startedAt = world.now()
    expect((await force(world.deps)).status).toBe('refreshed')
    expect(world.now() - startedAt).toBe(1_000)
    expect(presented(world)).toBe(2)
  })

  test('that 503 asks for binds every process too', async () => {
    const world = await makeDeps({ hurried: true })
    await seed(world)
    world.sandbox.faults.next({ ...htmlPage(503), headers: { 'retry-after': '60' } } as Fault)
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'temporarily_unavailable' })
    await expect(force(await world.sibling())).rejects.toMatchObject({ code: 'rate_limited' })
    world.pass(60_000)
    expect((await force(await world.sibling())).status).toBe('refreshed')
  })

  test('read by a server whose clock is off is as long as the server means it', async () => {
    const world = await makeDeps({ hurried: true, knobs: { dateOffsetMs: 3_000_000 } })
    await seed(world)
    world.sandbox.faults.next(rateLimited({ retryAfter: at(world, 3_000_000 + 30_000) }))
    await expect(force(world.deps)).rejects.toMatchObject({
      nextStep: expect.stringMatching(/^Wait (30|29) s/),
    })
  })

  test('ends when the clock is set back far', async () => {
    const world = await makeDeps({ hurried: true })
    await seed(world)
    world.sandbox.faults.next(rateLimited({ reset: '60' }))
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'rate_limited' })
    world.jump(-86_400_000)
    expect((await force(world.deps)).status).toBe('refreshed')
  })
})

describe('an answer that is none of the token endpoint', () => {
  test.each([301, 302, 303, 307, 308] as const)(
    'a redirect with %d is not followed and spends nothing',
    async (status) => {
      const world = await makeDeps({ hurried: true })
      await seed(world)
      let reached = 0
      const elsewhere = createServer((_request, response) => {
        reached += 1
        response.end('{}')
      }).listen(0, '127.0.0.1')
      await new Promise((resolve) => elsewhere.once('listening', resolve))
      onTestFinished(() => void elsewhere.close())
      const { port } = elsewhere.address() as { port: number }
      world.sandbox.faults.next(redirectTo(`http://127.0.0.1:${port}/token`, status))
      await expect(force(world.deps)).rejects.toMatchObject({
        code: 'unexpected_response',
        message: expect.stringContaining('redirect'),
      })
      expect([reached, presented(world)]).toEqual([0, 1])
      expect((await force(world.deps)).status).toBe('refreshed')
    },
  )

  test('a 404 of the gateway spends nothing', async () => {
    const world = await makeDeps({ hurried: true })
    await seed(world)
    world.sandbox.faults.next(plainNotFound())
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'unexpected_response' })
    expect((await force(world.deps)).status).toBe('refreshed')
    expect(presented(world)).toBe(2)
  })
})
