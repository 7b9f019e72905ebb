import { createServer } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ErrorCode } from '../src/errors.ts'
import type { Request } from '../src/oauth/token-endpoint.ts'
import { tokenStatus } from '../src/status.ts'
import {
  emptyAnswer,
  htmlPage,
  plainNotFound,
  rateLimited,
  redirectTo,
} from './feishu-sandbox/fault-presets.ts'
import type { Fault } from './feishu-sandbox/faults.ts'
import { expire, force, makeDeps, presented, refreshDue, seed, type World } from './support/deps.ts'

type Verdict = 'retry' | 'keep' | 'reauthorize'

/** The contract's mapping, written down a second time: DESIGN, settled cases. */
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
  await expect(force(world.sibling(), profile)).rejects.toMatchObject({ recovery: 'reauthorize' })
  expect(presented(world)).toBe(sent)
  expect(status.warnings.join(' ')).toMatch(
    /Feishu refused the refresh token with 20\d{3} at .*must authorize again/,
  )
}

describe.each(CODES)('Feishu answers %d', (number, code, verdict) => {
  test.each(STATUSES)(`with HTTP %d: ${code}, ${verdict}`, async (status) => {
    const world = await makeDeps()
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
  const world = await makeDeps()
  await seed(world)
  world.sandbox.revoke({ kind: 'refresh_token' } as never)
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'invalid_grant' })
  world.pass(world.sandbox.knobs.accessTokenLifetimeMs - 299_000)
  const ended = await tokenStatus(world.sibling(), { profile: 'default', verify: false, waitSeconds: 0 })
  expect(ended.status).toBe('expired')
  await expect(refreshDue(world.deps)).rejects.toMatchObject({ code: 'invalid_grant' })
  expect(presented(world)).toBe(1)
})

/** The answer is lost, and nobody can tell whether the token was spent. */
const LOST: Record<string, Fault> = {
  'a reset before it is processed': { kind: 'reset', when: 'before_processing' },
  'a reset before it is read': { kind: 'reset', when: 'before_read' },
  'a reset after it was processed': { kind: 'reset', when: 'after_processing' },
  'a reset in mid-body': { kind: 'cut', how: 'reset' },
  'half of the JSON': {
    kind: 'answer',
    status: 200,
    body: '{"code":0,"access_token":"eyJh',
    processed: true,
  },
  'a login page of the network': htmlPage(200),
  'an HTML page with 502': htmlPage(502),
  'an HTML page with 504': htmlPage(504),
  'an empty 200': emptyAnswer(200, true),
  'an empty 204': emptyAnswer(204, true),
  'an empty 205': emptyAnswer(205, true),
  'an empty object': { kind: 'answer', status: 200, body: '{}', processed: true },
  'a 500 without a code': { kind: 'answer', status: 500, body: '{"message":"oops"}', processed: true },
  'our own request echoed': { kind: 'answer', status: 200, body: '{{request}}' },
  'what is not HTTP': { kind: 'raw', bytes: 'SSH-2.0-OpenSSH_9.2\r\n', processed: true },
  'two lengths': {
    kind: 'raw',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\n{{answer}}',
    processed: true,
  },
  'a giant body': { kind: 'bulk', bytes: 64 << 20, processed: true },
  'a gzip bomb': { kind: 'bulk', bytes: 256 << 20, gzip: true, processed: true },
  silence: { kind: 'silence', processed: true },
  'a byte a second': { kind: 'drip', everyMs: 1_000 },
}
/** Those that a replay cures, because the first request had no effect. */
const CURABLE = [
  'a reset before it is processed',
  'a reset before it is read',
  'a login page of the network',
  'an HTML page with 502',
  'an HTML page with 504',
  'our own request echoed',
]

/** The deadline of fifteen seconds, without fifteen seconds. */
const impatient = (request: Request): Request => {
  return (options) => request({ ...options, deadlineMs: Math.min(options.deadlineMs, 300) })
}

describe.each(Object.entries(LOST))('the answer is lost: %s', (name, fault) => {
  /** What Feishu never read is not in its ledger; here it counts all the same. */
  const unread = name === 'a reset before it is read' ? 1 : 0
  const curable = CURABLE.includes(name)
  test(curable ? 'one replay wins the grant back' : 'one replay, then a person is asked', async () => {
    const world = await makeDeps()
    await seed(world)
    world.intercept(impatient)
    world.sandbox.faults.next(fault)
    const startedAt = world.now()
    const rss = process.memoryUsage().rss
    const result = await force(world.deps).catch((error) => error)
    expect(presented(world)).toBe(2 - unread)
    expect(process.memoryUsage().rss - rss).toBeLessThan(100 << 20)
    if (curable) {
      expect(result).toMatchObject({ status: 'refreshed', record: { generation: 2 } })
      return
    }
    expect(result).toMatchObject({ code: 'refresh_uncertain', recovery: 'reauthorize', feishuCode: 20064 })
    const at = Date.parse(
      /The refresh of (\S+) was interrupted and its answer lost/.exec(result.message)?.[1] ?? '',
    )
    expect(at - startedAt).toBeGreaterThanOrEqual(0)
    expect(at - startedAt).toBeLessThan(5_000)
    expect((await refreshDue(world.deps)).status).toBe('still_valid')
  })

  test('twice: it is barred for good', async () => {
    const world = await makeDeps()
    await seed(world)
    world.intercept(impatient)
    world.sandbox.faults.next(fault, 2)
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'refresh_uncertain' })
    await expect(force(world.sibling())).rejects.toMatchObject({ code: 'refresh_uncertain' })
    expire(world)
    await expect(refreshDue(world.sibling())).rejects.toMatchObject({ code: 'refresh_uncertain' })
    expect(presented(world)).toBe(2 - 2 * unread)
  })
})

test('a server that replays its answer gives the grant back', async () => {
  const world = await makeDeps({ knobs: { graceWindowMs: 60_000 } })
  await seed(world)
  world.sandbox.faults.next({ kind: 'reset', when: 'after_processing' })
  expect(await force(world.deps)).toMatchObject({ status: 'refreshed', record: { generation: 2 } })
  expect(presented(world)).toBe(2)
})

test.each([20064, 20073] as const)(
  'after a crash the next refresh uses up the one replay: %d',
  async (rotatedCode) => {
    const world = await makeDeps({ knobs: { rotatedCode } })
    const { app, record } = await seed(world)
    const crashedAt = world.now()
    await world.deps.store.withLock(app.id, 1_000, async (locked) => {
      if (!record.tokenSet?.refreshToken) throw new Error('no token')
      await locked.prepare(record.tokenSet.refreshToken)
      locked.markSent()
    })
    const status = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
    expect(status).toMatchObject({ status: 'valid' })
    expect(status.warnings.join(' ')).toContain('was interrupted')
    // What the process that crashed had done at Feishu.
    const spent = await fetch(`${world.sandbox.url}/open-apis/authen/v2/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: world.sandbox.app.appId,
        client_secret: world.sandbox.app.appSecret,
        refresh_token: record.tokenSet?.refreshToken?.reveal() ?? '',
      }),
    })
    expect(spent.status).toBe(200)
    const failed = await force(world.sibling()).catch((error) => error)
    expect(failed).toMatchObject({ code: 'refresh_uncertain', feishuCode: rotatedCode })
    expect(failed.message).toContain(new Date(crashedAt).toISOString().slice(0, 16))
    expect(presented(world)).toBe(2)
  },
)

test('after a crash that reached nobody the next refresh just works', async () => {
  const world = await makeDeps()
  const { app, record } = await seed(world)
  await world.deps.store.withLock(app.id, 1_000, async (locked) => {
    if (!record.tokenSet?.refreshToken) throw new Error('no token')
    await locked.prepare(record.tokenSet.refreshToken)
    locked.markSent()
  })
  expect((await force(world.deps)).record.generation).toBe(2)
  const status = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
  expect(status.warnings).toEqual([])
})

test('a server error between two lost answers is not counted', async () => {
  const world = await makeDeps()
  await seed(world)
  const { faults } = world.sandbox
  faults.next({ kind: 'reset', when: 'before_processing' })
  faults.next({ kind: 'error', code: 20050 })
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'server_error' })
  faults.next({ kind: 'error', code: 20050 })
  faults.next({ kind: 'none' })
  expect((await force(world.deps)).status).toBe('refreshed')
})

describe('nothing was sent', () => {
  test('a refused connection is tried three times and counts as no presentation', async () => {
    const world = await makeDeps()
    const { app } = await seed(world)
    const nobody = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => nobody.once('listening', resolve))
    const { port } = nobody.address() as { port: number }
    await new Promise((resolve) => nobody.close(resolve))
    let attempts = 0
    let back = false
    world.intercept((request) => (options) => {
      attempts += 1
      return request(back ? options : { ...options, url: `http://127.0.0.1:${port}/token` })
    })
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'network_error', recovery: 'retry' })
    expect(attempts).toBe(3)
    expect(await world.deps.store.readJournal(app.id)).toBeNull()
    world.intercept((request) => (options) => {
      const url = back ? options.url : `http://127.0.0.1:${port}/token`
      back = true
      return request({ ...options, url })
    })
    expect((await force(world.deps)).status).toBe('refreshed')
    expect(presented(world)).toBe(1)
  })

  test('a call counts once towards the limit of the minute, however often it tried to connect', async () => {
    const world = await makeDeps()
    await seed(world)
    world.intercept((request) => (options) => request({ ...options, url: 'http://127.0.0.1:1/token' }))
    for (let count = 1; count <= 3; count += 1) await force(world.deps).catch(() => undefined)
    world.intercept(null)
    for (let count = 1; count <= 57; count += 1) expect((await force(world.deps)).status).toBe('refreshed')
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'rate_limited' })
  })
})

describe('a pause', () => {
  const at = (ms: number) => new Date(Date.now() + ms).toUTCString()
  const forms: [string, () => Parameters<typeof rateLimited>[0], RegExp, number][] = [
    ["Feishu's own header", () => ({ reset: '7', retryAfter: '600' }), /^Wait 7 s/, 1],
    ['Retry-After in seconds', () => ({ retryAfter: '600' }), /^Wait 600 s/, 1],
    ['Retry-After as a date', () => ({ retryAfter: at(600_000) }), /^Wait (600|59\d) s/, 1],
    ['a date that is over', () => ({ retryAfter: at(-600_000) }), /^Wait 1 s/, 2],
    ['a day and more', () => ({ retryAfter: '99999' }), /^Wait 3600 s/, 1],
    ['what is no number', () => ({ retryAfter: 'soon', reset: '-5' }), /^Wait 5 s/, 2],
    ['no header', () => ({}), /^Wait 5 s/, 2],
  ]
  test.each(forms)('as %s binds every process', async (_form, headers, wait, requests) => {
    const world = await makeDeps()
    await seed(world)
    world.sandbox.faults.next(rateLimited(headers()), requests)
    const failed = await force(world.deps).catch((error) => error)
    expect(failed).toMatchObject({ code: 'rate_limited', recovery: 'wait', feishuCode: 99991400 })
    expect(failed.nextStep).toMatch(wait)
    expect(presented(world)).toBe(requests)
    const seconds = Number(/Wait (\d+)/.exec(failed.nextStep)?.[1])
    if (seconds > 2)
      await expect(force(world.sibling())).rejects.toMatchObject({ code: 'rate_limited', feishuCode: null })
    expect(presented(world)).toBe(requests)
    world.pass(seconds * 1_000)
    expect((await force(world.sibling())).status).toBe('refreshed')
  })

  test('that is short is waited for within the call', async () => {
    const world = await makeDeps()
    await seed(world)
    world.sandbox.faults.next(rateLimited({ reset: '1' }))
    const startedAt = performance.now()
    expect((await force(world.deps)).status).toBe('refreshed')
    expect(performance.now() - startedAt).toBeGreaterThan(990)
    expect(presented(world)).toBe(2)
  })

  test('that 503 asks for binds every process too', async () => {
    const world = await makeDeps()
    await seed(world)
    world.sandbox.faults.next({ ...htmlPage(503), headers: { 'retry-after': '60' } } as Fault)
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'temporarily_unavailable' })
    expire(world)
    world.jump(-world.sandbox.knobs.accessTokenLifetimeMs)
    world.sandbox.clock.advance(0)
    await expect(refreshDue(world.sibling())).resolves.toMatchObject({ status: 'still_valid' })
    world.pass(60_000)
    expect((await force(world.sibling())).status).toBe('refreshed')
  })

  test('read by a server whose clock is off is as long as the server means it', async () => {
    const world = await makeDeps({ knobs: { dateOffsetMs: 3_000_000 } })
    await seed(world)
    world.sandbox.faults.next(rateLimited({ retryAfter: at(3_000_000 + 30_000) }))
    await expect(force(world.deps)).rejects.toMatchObject({
      nextStep: expect.stringMatching(/^Wait (30|29) s/),
    })
  })

  test('ends when the clock is set back far', async () => {
    const world = await makeDeps()
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
      const world = await makeDeps()
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
    const world = await makeDeps()
    await seed(world)
    world.sandbox.faults.next(plainNotFound())
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'unexpected_response' })
    expect((await force(world.deps)).status).toBe('refreshed')
    expect(presented(world)).toBe(2)
  })
})

/** A new refresh token came, and something beside it is wrong. */
const NONSENSE: Record<string, Fault> = {
  'no access token': { kind: 'edit', remove: ['access_token'] },
  'an access token that is a number': { kind: 'edit', set: { access_token: 7 } },
  'an access token with a line break': { kind: 'edit', set: { access_token: 'a\r\nb' } },
  'an empty access token': { kind: 'edit', set: { access_token: '' } },
  'an error': { kind: 'edit', set: { error: 'invalid_grant' } },
  'a code': { kind: 'edit', set: { code: 20064 } },
  'another token type': { kind: 'edit', set: { token_type: 'DPoP' } },
  'a byte order mark': { kind: 'answer', status: 200, body: '\uFEFF{{answer}}', processed: true },
  'a length that is too long': { kind: 'cut', how: 'content_length' },
  'an array around it': { kind: 'answer', status: 200, body: '[{{answer}}]', processed: true },
  'another HTTP status': { kind: 'edit', status: 500 },
  'HTTP 400': { kind: 'edit', status: 400 },
  'a tail that is missing': {
    kind: 'raw',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n{{answer}}',
    processed: true,
  },
}

describe.each(Object.entries(NONSENSE))('a new refresh token with %s', (_name, fault) => {
  test('is stored, the old one is not replayed, and the call says what was wrong', async () => {
    const world = await makeDeps()
    const { app, record } = await seed(world)
    world.sandbox.faults.next(fault)
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'unexpected_response', recovery: 'retry' })
    expect(presented(world)).toBe(1)
    const stored = await world.sibling().store.read(app.id)
    expect(stored.generation).toBe(2)
    expect(stored.tokenSet?.refreshToken?.reveal()).not.toBe(record.tokenSet?.refreshToken?.reveal())
    expect((await force(world.deps)).record.generation).toBe(3)
  })
})

describe('an answer that is good enough', () => {
  const good: Record<string, Fault> = {
    'no token_type': { kind: 'edit', remove: ['token_type'] },
    'token_type in capitals': { kind: 'edit', set: { token_type: 'BEARER' } },
    'the code as text': { kind: 'edit', set: { code: '0' } },
    'no code': { kind: 'edit', remove: ['code'] },
    'HTTP 201': { kind: 'edit', status: 201 },
    'a wrong content type': { kind: 'edit', headers: { 'content-type': 'text/html' } },
    'a second answer behind it': {
      kind: 'raw',
      bytes:
        'HTTP/1.1 200 OK\r\nContent-Length: {{length}}\r\n\r\n{{answer}}HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n',
      processed: true,
    },
    'interim answers before it': {
      kind: 'raw',
      bytes:
        'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {{length}}\r\n\r\n{{answer}}',
      processed: true,
    },
  }
  test.each(Object.entries(good))('%s', async (_name, fault) => {
    const world = await makeDeps()
    await seed(world)
    world.sandbox.faults.next(fault)
    expect(await force(world.deps)).toMatchObject({ status: 'refreshed', record: { generation: 2 } })
    expect(presented(world)).toBe(1)
  })

  const lifetimes: [unknown, number, boolean][] = [
    [3_600, 3_600, false],
    ['3600', 3_600, false],
    [1e12, 86_400, false],
    [0, 7_200, true],
    [-1, 7_200, true],
    ['soon', 7_200, true],
    [null, 7_200, true],
    [undefined, 7_200, true],
    [[3_600], 7_200, true],
  ]
  test.each(lifetimes)('expires_in %j is taken as %d s', async (expires_in, seconds, assumed) => {
    const world = await makeDeps()
    await seed(world)
    const change = expires_in === undefined ? { remove: ['expires_in'] } : { set: { expires_in } }
    world.sandbox.faults.next({ kind: 'edit', ...change })
    const { record, remainingMs } = await force(world.deps)
    expect(record.tokenSet).toMatchObject({ accessTokenLifetimeMs: seconds * 1000, lifetimeAssumed: assumed })
    expect(remainingMs).toBeGreaterThan(seconds * 1000 - 5_000)
    const { warnings } = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
    expect(warnings.some((warning) => warning.includes('two hours were assumed'))).toBe(assumed)
  })

  test.each([
    [60, true],
    ['60', true],
    [-1, false],
    [null, false],
  ])('refresh_token_expires_in %j', async (refresh_token_expires_in, known) => {
    const world = await makeDeps()
    await seed(world)
    world.sandbox.faults.next({ kind: 'edit', set: { refresh_token_expires_in } })
    const { record } = await force(world.deps)
    expect(record.tokenSet?.refreshTokenExpiresAt !== null).toBe(known)
  })
})

test('without a new refresh token the old one is kept, doubted, and asked about once', async () => {
  const world = await makeDeps()
  const { record } = await seed(world)
  world.sandbox.faults.next({ kind: 'edit', remove: ['refresh_token', 'refresh_token_expires_in'] })
  const result = await force(world.deps)
  expect(result.record.tokenSet?.refreshToken?.reveal()).toBe(record.tokenSet?.refreshToken?.reveal())
  expect(result.record.tokenSet).toMatchObject({ refreshTokenDoubtful: true, refusal: null })
  const { warnings } = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
  expect(warnings.join(' ')).toContain('brought no new refresh token')
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'invalid_grant', feishuCode: 20064 })
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'invalid_grant' })
  expect(presented(world)).toBe(2)
})

test('a refresh token that still works after an answer without one is renewed by the next refresh', async () => {
  const world = await makeDeps({ knobs: { omitRefreshToken: false } })
  await seed(world)
  world.sandbox.knobs.omitRefreshToken = true
  expect((await force(world.deps)).record.tokenSet?.refreshTokenDoubtful).toBe(true)
  world.sandbox.knobs.omitRefreshToken = false
  expect((await force(world.deps)).record.tokenSet?.refreshTokenDoubtful).toBe(false)
})
