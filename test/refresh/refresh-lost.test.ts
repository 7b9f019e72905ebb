import { createServer } from 'node:http'
import { describe, expect, test } from 'vitest'
import { tokenStatus } from '../../src/status/status.ts'
import { emptyAnswer, htmlPage } from '../feishu-sandbox/fault-presets.ts'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { force, makeDeps, presented, seed } from '../support/deps.ts'
import { describeLost } from './lost.ts'

// Nobody can tell whether the token was spent. What takes long to be lost is in refresh-lost.long.test.ts.
describeLost({
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
})

test('a server that replays its answer gives the grant back', async () => {
  const world = await makeDeps({ hurried: true, knobs: { graceWindowMs: 60_000 } })
  await seed(world)
  world.sandbox.faults.next({ kind: 'reset', when: 'after_processing' })
  expect(await force(world.deps)).toMatchObject({ status: 'refreshed', record: { generation: 2 } })
  expect(presented(world)).toBe(2)
})

test.each([20064, 20073] as const)(
  'after a crash the next refresh uses up the one replay: %d',
  async (rotatedCode) => {
    const world = await makeDeps({ hurried: true, knobs: { rotatedCode } })
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
    const failed = await force(await world.sibling()).catch((error) => error)
    expect(failed).toMatchObject({ code: 'refresh_uncertain', feishuCode: rotatedCode })
    expect(failed.message).toContain(new Date(crashedAt).toISOString().slice(0, 16))
    expect(presented(world)).toBe(2)
  },
)

test('after a crash that reached nobody the next refresh just works', async () => {
  const world = await makeDeps({ hurried: true })
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
  const world = await makeDeps({ hurried: true })
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
    const world = await makeDeps({ hurried: true })
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
    const world = await makeDeps({ hurried: true })
    await seed(world)
    world.intercept((request) => (options) => request({ ...options, url: 'http://127.0.0.1:1/token' }))
    for (let count = 1; count <= 3; count += 1) await force(world.deps).catch(() => undefined)
    world.intercept(null)
    for (let count = 1; count <= 57; count += 1) expect((await force(world.deps)).status).toBe('refreshed')
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'rate_limited' })
  })
})

describe('a refusal that is not Feishu’s', () => {
  const page = (processed: boolean): Fault => ({
    kind: 'answer',
    status: 403,
    headers: { 'content-type': 'text/html' },
    body: '<h1>Blocked</h1>',
    processed,
  })

  test('in place of an answer is not asked for again and again: from its second time on it counts', async () => {
    const world = await makeDeps({ hurried: true })
    await seed(world)
    world.sandbox.faults.next(page(true), Number.POSITIVE_INFINITY)
    const codes: string[] = []
    for (let call = 1; call <= 6; call += 1) {
      const deps = await world.sibling()
      codes.push(await force(deps).then(String, (error) => error.code))
    }
    expect(codes).toEqual([
      'unexpected_response',
      'unexpected_response',
      'refresh_uncertain',
      'refresh_uncertain',
      'refresh_uncertain',
      'refresh_uncertain',
    ])
    expect(presented(world)).toBe(3)
    const { warnings } = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
    expect(warnings.join(' ')).toContain('in its place came HTTP 403 without a token, as a captive portal')
  })

  test('that stands before Feishu once costs nothing, and Feishu’s answer wipes it out', async () => {
    const world = await makeDeps({ hurried: true })
    await seed(world)
    for (let round = 1; round <= 4; round += 1) {
      world.sandbox.faults.next(page(false))
      await expect(force(world.deps)).rejects.toMatchObject({ code: 'unexpected_response' })
      expect((await force(world.deps)).status).toBe('refreshed')
    }
    expect(presented(world)).toBe(8)
  })
})

test('after a captive portal’s pages the text says what came in place of the answer', async () => {
  const world = await makeDeps({ hurried: true })
  await seed(world)
  world.sandbox.faults.next({ ...htmlPage(200), processed: true } as Fault, 2)
  const error = await force(world.deps).catch((failed) => failed)
  expect(error).toMatchObject({
    code: 'refresh_uncertain',
    message: expect.stringContaining('in its place came HTTP 200 without a token'),
  })
})

test('a 100 Continue that nobody asked for does not lose the answer behind it', async () => {
  const world = await makeDeps({ hurried: true })
  await seed(world)
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {{length}}\r\n\r\n'
  const bytes = `HTTP/1.1 100 Continue\r\nserver: proxy\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${head}{{answer}}`
  world.sandbox.faults.next({ kind: 'raw', bytes, processed: true })
  expect((await force(world.deps)).status).toBe('refreshed')
  expect(presented(world)).toBe(1)
})
