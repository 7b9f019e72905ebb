import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { refresh, userInfo } from './client.ts'
import { challenge, emptyAnswer, htmlPage, plainNotFound, rateLimited, redirectTo } from './fault-presets.ts'
import type { Fault } from './faults.ts'
import { TOKEN_ERRORS } from './feishu-codes.ts'
import { type Sandbox, startSandbox, type TokenResponse } from './sandbox.ts'

let sandbox: Sandbox
let tokens: TokenResponse

beforeEach(async () => {
  sandbox = await startSandbox()
  tokens = sandbox.issue()
})

afterEach(() => sandbox.close())

function status(): string | undefined {
  return sandbox.inspect(String(tokens.refresh_token))?.status
}

/** A refresh that shows everything `fetch` sees, without following redirects. */
function fetchRefresh(): Promise<Response> {
  return fetch(`${sandbox.url}/open-apis/authen/v2/oauth/token`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      grant_type: 'refresh_token',
      client_id: sandbox.app.appId,
      client_secret: sandbox.app.appSecret,
      refresh_token: tokens.refresh_token,
    }),
  })
}

describe("Feishu's errors (point 12)", () => {
  test.each(Object.keys(TOKEN_ERRORS).map(Number))(
    '%i comes on demand and consumes nothing',
    async (code) => {
      sandbox.faults.next({ kind: 'error', code })
      const reply = await refresh(sandbox, tokens.refresh_token)
      const known = TOKEN_ERRORS[code]
      expect(reply.status).toBe(known?.status)
      expect(reply.json).toEqual({ error: known?.error, error_description: known?.description, code })
      expect(sandbox.ledger).toMatchObject([{ outcome: 'unprocessed', fault: 'error', answered: true }])
      expect((await refresh(sandbox, tokens.refresh_token)).json.code).toBe(0)
    },
  )

  test('20050 is a 500, 20072 a 503', async () => {
    sandbox.faults.next({ kind: 'error', code: 20050 })
    sandbox.faults.next({ kind: 'error', code: 20072 })
    const replies = [await refresh(sandbox, 'x'), await refresh(sandbox, 'x')]
    expect(replies.map((reply) => reply.status)).toEqual([500, 503])
  })

  test('status, error, text and further fields can be overridden, the code left out', async () => {
    sandbox.faults.next({
      kind: 'error',
      code: 20064,
      status: 200,
      error: 'invalid_request',
      description: 'other',
      omitCode: true,
      fields: { more: 1 },
      headers: { 'x-more': '2' },
    })
    const reply = await refresh(sandbox, 'x')
    expect(reply.status).toBe(200)
    expect(reply.json).toEqual({ error: 'invalid_request', error_description: 'other', more: 1 })
    expect(reply.headers['x-more']).toBe('2')
  })

  test('rate limits, with any form of the headers', async () => {
    sandbox.faults.next(rateLimited())
    sandbox.faults.next(rateLimited({ retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' }))
    const first = await refresh(sandbox, tokens.refresh_token)
    expect([first.status, first.json.code]).toEqual([429, 99991400])
    expect(first.headers).toMatchObject({ 'x-ogw-ratelimit-reset': '7', 'x-ogw-ratelimit-limit': '1000' })
    const second = await refresh(sandbox, tokens.refresh_token)
    expect(second.headers['retry-after']).toBe('Wed, 21 Oct 2026 07:28:00 GMT')
    expect(second.headers).not.toHaveProperty('x-ogw-ratelimit-reset')
    expect(status()).toBe('live')
  })

  test('21000 carries its challenge', async () => {
    sandbox.faults.next(challenge('https://accounts.feishu.cn/challenge'))
    expect((await refresh(sandbox, 'x')).json).toMatchObject({
      code: 21000,
      challenge_url: 'https://accounts.feishu.cn/challenge',
    })
  })

  test('user_info fails in the shape of the gateway', async () => {
    sandbox.faults.next({ kind: 'error', code: 99991677, endpoint: 'user_info' })
    sandbox.faults.next({ kind: 'error', code: 20050, endpoint: 'user_info' })
    const expired = await userInfo(sandbox, tokens.access_token)
    expect(expired.status).toBe(401)
    expect(expired.json).toMatchObject({
      code: 99991677,
      error: { log_id: expired.headers['x-tt-logid'] },
    })
    expect((await userInfo(sandbox, tokens.access_token)).status).toBe(500)
    expect((await userInfo(sandbox, tokens.access_token)).status).toBe(200)
  })
})

describe('broken connections', () => {
  test.each([
    ['before_read', 'live', 0],
    ['before_processing', 'live', 1],
    ['after_processing', 'used', 1],
  ] as const)('a reset %s leaves the refresh token %s', async (when, expected, presentations) => {
    sandbox.faults.next({ kind: 'reset', when })
    await expect(refresh(sandbox, tokens.refresh_token)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(status()).toBe(expected)
    expect(sandbox.ledger).toHaveLength(presentations)
    expect(sandbox.ledger.every((entry) => !entry.answered)).toBe(true)
  })

  test('a reset of the connection itself', async () => {
    sandbox.faults.next({ kind: 'reset', when: 'connect' })
    await expect(refresh(sandbox, tokens.refresh_token)).rejects.toThrow()
    expect([status(), sandbox.ledger.length, sandbox.requests.length]).toEqual(['live', 0, 0])
    expect((await refresh(sandbox, tokens.refresh_token)).json.code).toBe(0)
  })

  test.each(['content_length', 'reset'] as const)('an answer cut by %s is rotated and lost', async (how) => {
    sandbox.faults.next({ kind: 'cut', how })
    await expect(fetchRefresh().then((response) => response.text())).rejects.toThrow('terminated')
    expect(status()).toBe('used')
    expect(sandbox.ledger).toMatchObject([{ outcome: 'rotated', answered: false, fault: 'cut' }])
  })

  test('half the JSON arrives as a whole answer', async () => {
    sandbox.faults.next({ kind: 'cut', how: 'json' })
    const reply = await refresh(sandbox, tokens.refresh_token)
    expect(reply.status).toBe(200)
    expect(() => JSON.parse(reply.body)).toThrow()
    expect(sandbox.ledger).toMatchObject([{ outcome: 'rotated', answered: false }])
  })

  test.each([
    [false, 'live'],
    [true, 'used'],
  ])('silence, processed %s', async (processed, expected) => {
    const fault = sandbox.faults.next({ kind: 'silence', processed })
    const controller = new AbortController()
    const refused = expect(
      fetch(`${sandbox.url}/open-apis/authen/v2/oauth/token`, {
        method: 'POST',
        signal: controller.signal,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: sandbox.app.appId,
          client_secret: sandbox.app.appSecret,
          refresh_token: String(tokens.refresh_token),
        }),
      }),
    ).rejects.toThrow('aborted')
    await fault.reached
    expect(sandbox.ledger).toHaveLength(1)
    controller.abort()
    await refused
    expect(status()).toBe(expected)
  })

  test('a drip is a true answer, slowly', async () => {
    sandbox.faults.next({ kind: 'drip', everyMs: 1 })
    const reply = await refresh(sandbox, 'unknown')
    expect(reply.json.code).toBe(20026)
    expect(sandbox.ledger).toMatchObject([{ outcome: 'rejected', answered: true, fault: 'drip' }])
  })

  test('an aborted drip does not go on', async () => {
    sandbox.faults.next({ kind: 'drip', everyMs: 1 })
    const response = await fetchRefresh()
    const reader = response.body?.getReader()
    const first = await reader?.read()
    expect(first?.value?.length).toBeGreaterThan(0)
    await reader?.cancel()
    expect(sandbox.ledger).toMatchObject([{ outcome: 'rotated', answered: false }])
  })
})

describe('holding an answer', () => {
  test.each([
    [false, 'live'],
    [true, 'used'],
  ])('until it is released, processed %s', async (processed, expected) => {
    const fault = sandbox.faults.next({ kind: 'hold', processed })
    const reply = refresh(sandbox, tokens.refresh_token)
    await fault.reached
    expect(sandbox.ledger).toMatchObject([{ answered: false }])
    expect(status()).toBe(expected)
    fault.release()
    expect((await reply).json.code).toBe(0)
    expect(sandbox.ledger).toMatchObject([{ outcome: 'rotated', answered: true, fault: 'hold' }])
  })

  test('a client that is gone by then is not counted as answered', async () => {
    const fault = sandbox.faults.next({ kind: 'hold', processed: true })
    const socket = connect(Number(new URL(sandbox.url).port), '127.0.0.1')
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: sandbox.app.appId,
      client_secret: sandbox.app.appSecret,
      refresh_token: String(tokens.refresh_token),
    }).toString()
    socket.write(
      `POST /open-apis/authen/v2/oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    await fault.reached
    expect(status()).toBe('used')
    socket.resetAndDestroy()
    // A later answer proves that the sandbox has seen the reset.
    await userInfo(sandbox, tokens.access_token)
    fault.release()
    await userInfo(sandbox, tokens.access_token)
    expect(sandbox.ledger).toMatchObject([{ outcome: 'rotated', answered: false }])
  })

  test('clear releases what is held and drops what waits', async () => {
    const held = sandbox.faults.next({ kind: 'hold' })
    sandbox.faults.next({ kind: 'error', code: 20050 }, Number.POSITIVE_INFINITY)
    const reply = refresh(sandbox, tokens.refresh_token)
    await held.reached
    sandbox.faults.clear()
    expect((await reply).json.code).toBe(0)
    expect((await refresh(sandbox, (await reply).json.refresh_token)).json.code).toBe(0)
  })
})

describe('foreign and odd answers', () => {
  test.each<[string, Fault, number, string | null, string]>([
    ['HTML 200', htmlPage(200), 200, 'text/html', '<html>'],
    ['HTML 502', htmlPage(502), 502, 'text/html', '<html>'],
    ['a plain 404', plainNotFound(), 404, 'text/plain', '404 page not found'],
    ['an empty 200', emptyAnswer(200), 200, 'application/json; charset=utf-8', ''],
    ['an empty 204', emptyAnswer(204), 204, 'application/json; charset=utf-8', ''],
  ])('%s', async (_, fault, expected, contentType, start) => {
    sandbox.faults.next(fault)
    const response = await fetchRefresh()
    expect([response.status, response.headers.get('content-type')]).toEqual([expected, contentType])
    expect((await response.text()).startsWith(start)).toBe(true)
    expect(response.headers.get('x-tt-logid')).toHaveLength(34)
    expect(status()).toBe('live')
  })

  test.each([301, 302, 303, 307, 308] as const)('a redirect %i', async (code) => {
    sandbox.faults.next(redirectTo('http://127.0.0.1:1/elsewhere', code))
    const response = await fetchRefresh()
    expect([response.status, response.headers.get('location')]).toEqual([
      code,
      'http://127.0.0.1:1/elsewhere',
    ])
    expect(status()).toBe('live')
  })

  test('a success with odd fields', async () => {
    sandbox.faults.next({
      kind: 'edit',
      set: { expires_in: '7200', token_type: 'MAC' },
      remove: ['refresh_token'],
      headers: { date: 'Thu, 01 Jan 1970 00:00:00 GMT' },
    })
    const reply = await refresh(sandbox, tokens.refresh_token)
    expect(reply.json).toMatchObject({ code: 0, expires_in: '7200', token_type: 'MAC', scope: tokens.scope })
    expect(reply.json).not.toHaveProperty('refresh_token')
    expect(reply.headers.date).toBe('Thu, 01 Jan 1970 00:00:00 GMT')
    expect(status()).toBe('used')
  })

  test('the true answer behind a BOM', async () => {
    sandbox.faults.next({ kind: 'answer', status: 200, body: '\ufeff{{answer}}', processed: true })
    const { body } = await refresh(sandbox, tokens.refresh_token)
    expect(JSON.parse(body.slice(1))).toMatchObject({ code: 0 })
    expect(body.charCodeAt(0)).toBe(0xfeff)
  })

  test('an echo of the request', async () => {
    sandbox.faults.next({ kind: 'answer', status: 500, body: '{"error":"echo","request":{{request}}}' })
    const reply = await refresh(sandbox, tokens.refresh_token)
    expect(reply.json.request).toMatchObject({ refresh_token: tokens.refresh_token })
  })

  test('bytes that are no UTF-8', async () => {
    sandbox.faults.next({ kind: 'answer', status: 200, body: '{"\xff\xfe"', encoding: 'latin1' })
    const bytes = Buffer.from(await (await fetchRefresh()).arrayBuffer())
    expect([...bytes.subarray(2, 4)]).toEqual([0xff, 0xfe])
  })

  test('a giant body streams until the client leaves', async () => {
    sandbox.faults.next({ kind: 'bulk', bytes: 1 << 30 })
    const response = await fetchRefresh()
    const reader = response.body?.getReader()
    const first = await reader?.read()
    expect(first?.value?.length).toBeGreaterThan(0)
    await reader?.cancel()
    expect(sandbox.requests.at(-1)?.status).toBeNull()
  })

  test('a gzip bomb decodes to many times what was sent', async () => {
    sandbox.faults.next({ kind: 'bulk', bytes: 32 << 20, gzip: true })
    const response = await fetchRefresh()
    let length = 0
    for await (const chunk of response.body ?? []) length += chunk.length
    expect(length).toBe(32 << 20)
  })

  test('raw bytes: two answers on one connection', async () => {
    const one =
      'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {{length}}\r\n\r\n{{answer}}'
    sandbox.faults.next({ kind: 'raw', bytes: one + one, processed: true })
    expect((await refresh(sandbox, tokens.refresh_token)).json.code).toBe(0)
  })

  test('a clock that is off shows in the Date header alone', async () => {
    sandbox.knobs.dateOffsetMs = -86_400_000
    const reply = await refresh(sandbox, tokens.refresh_token)
    expect(Date.parse(String(reply.headers.date))).toBeLessThan(sandbox.clock.now() - 86_000_000)
    expect(reply.json.expires_in).toBe(6_871)
  })
})

describe('the queue', () => {
  test('serves faults in order, as often as asked, to the endpoint they are for', async () => {
    sandbox.faults.next({ kind: 'error', code: 20050 }, 2)
    sandbox.faults.next({ kind: 'none' })
    sandbox.faults.next({ kind: 'error', code: 20072 })
    sandbox.faults.next({ kind: 'error', code: 20008, endpoint: 'user_info' })
    expect((await userInfo(sandbox, tokens.access_token)).json.code).toBe(20008)
    const codes = []
    for (let request = 0; request < 5; request += 1) codes.push((await refresh(sandbox, 'x')).json.code)
    expect(codes).toEqual([20050, 20050, 20026, 20072, 20026])
  })

  test('any endpoint', async () => {
    sandbox.faults.next({ kind: 'error', code: 20050, endpoint: 'any' })
    expect((await userInfo(sandbox, tokens.access_token)).status).toBe(500)
  })
})
