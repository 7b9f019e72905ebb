import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import type { AccessToken } from '../../src/gateway/renewal.ts'
import { say } from '../../src/sentence.ts'
import { bearing, call, gate, reasonOf, startGatewayTo, startUpstream } from './fixture.ts'

const EXPIRED = { code: 99991677, msg: 'Authentication token expired.', error: { log_id: '20260611' } }
const INVALID = { code: 99991668, msg: 'user access token not support' }

/** An open host that takes the token of one generation only, and answers with the body it got. */
function accepting(generation: () => number, refusal: object = EXPIRED, status = 401) {
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    if (req.headers.authorization === `Bearer secret-token-${generation()}`) {
      res.end(Buffer.concat([Buffer.from('got '), ...chunks]))
    } else {
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(refusal))
    }
  }
}

/** A caller's cache: each renewal makes the next generation. */
function tokens() {
  let generation = 1
  const asked: number[] = []
  const token = (): AccessToken => ({ accessToken: `secret-token-${generation}`, generation })
  const renewToken = async (refused: number) => {
    asked.push(refused)
    generation = refused + 1
    return token()
  }
  return { asked, currentToken: async () => token(), renewToken }
}

test.each([
  [401, EXPIRED],
  [400, EXPIRED],
  [400, INVALID],
  [401, { code: 20005, msg: 'x' }],
])('a token refused with HTTP %i %j is renewed and the request sent again', async (status, refusal) => {
  const upstream = await startUpstream(accepting(() => 2, refusal, status))
  const source = tokens()
  const gateway = await startGatewayTo(upstream.origin, source)
  const answer = await call(gateway, { method: 'POST', body: 'the body' })
  expect([answer.status, answer.body.toString()]).toEqual([200, 'got the body'])
  expect(source.asked).toEqual([1])
  expect(upstream.requests).toHaveLength(2)
  expect(gateway.log.join()).toMatch(/^info .*has been renewed/)
})

test('a token that expires again and again is renewed each time', async () => {
  let wanted = 1
  const upstream = await startUpstream(accepting(() => wanted))
  const source = tokens()
  const gateway = await startGatewayTo(upstream.origin, source)
  for (wanted = 1; wanted <= 5; wanted++) expect((await call(gateway)).status).toBe(200)
  expect(source.asked).toEqual([1, 2, 3, 4])
})

test('user_info refuses with HTTP 200, and a packed refusal is understood', async () => {
  let wanted = 1
  const upstream = await startUpstream((req, res) => {
    if (req.headers.authorization === `Bearer secret-token-${wanted}`) return res.end('fine')
    const user = req.url === '/open-apis/authen/v1/user_info'
    const body = gzipSync(JSON.stringify(user ? { code: 20005, msg: 'token invalid' } : EXPIRED))
    return res.writeHead(user ? 200 : 401, { 'content-encoding': 'gzip' }).end(body)
  })
  const source = tokens()
  const gateway = await startGatewayTo(upstream.origin, source)
  wanted = 2
  expect((await call(gateway, { path: '/open-apis/authen/v1/user_info' })).body.toString()).toBe('fine')
  wanted = 3
  expect((await call(gateway)).body.toString()).toBe('fine')
  expect(source.asked).toEqual([1, 2])
})

test('fifty requests refused at once share one renewal, late ones included', async () => {
  let refused = 0
  const all = gate()
  const late = gate()
  const upstream = await startUpstream(async (req, res) => {
    if (req.headers.authorization === 'Bearer secret-token-2') return void res.end('fine')
    if (req.url === '/late') await late.opened
    if (++refused === 49) all.open()
    res.writeHead(401).end(JSON.stringify(EXPIRED))
  })
  let renewals = 0
  const gateway = await startGatewayTo(upstream.origin, {
    // The cache of the caller lags behind: it never shows the newer token.
    currentToken: async () => ({ accessToken: 'secret-token-1', generation: 1 }),
    renewToken: async () => {
      renewals++
      await all.opened
      return { accessToken: 'secret-token-2', generation: 2 }
    },
  })
  const lateCall = call(gateway, { path: '/late' })
  const answers = await Promise.all(
    Array.from({ length: 49 }, () => call(gateway, { method: 'POST', body: 'x' })),
  )
  late.open()
  answers.push(await lateCall)
  expect(answers.map((answer) => answer.status)).toEqual(Array(50).fill(200))
  expect(renewals).toBe(1)
})

test('a token that someone else renewed meanwhile is taken without a renewal', async () => {
  let generation = 1
  const upstream = await startUpstream((req, res) => {
    if (req.headers.authorization === 'Bearer secret-token-2') return res.end('fine')
    generation = 2
    return res.writeHead(401).end(JSON.stringify(EXPIRED))
  })
  const gateway = await startGatewayTo(upstream.origin, {
    currentToken: async () => ({ accessToken: `secret-token-${generation}`, generation }),
  })
  expect((await call(gateway)).body.toString()).toBe('fine')
})

test('a body too large to keep is not sent again: the token is renewed and the program told to repeat', async () => {
  const upstream = await startUpstream(accepting(() => 2))
  const source = tokens()
  const gateway = await startGatewayTo(upstream.origin, source)
  const body = Buffer.alloc(2_000_000)
  const answer = await call(gateway, { method: 'POST', body })
  expect(answer.status).toBe(503)
  expect(reasonOf(answer)).toBe('send_again')
  expect(answer.headers['retry-after']).toBe('1')
  expect(upstream.requests).toHaveLength(1)
  expect((await call(gateway, { method: 'POST', body })).status).toBe(200)
  expect(source.asked).toEqual([1])
})

test('a renewal that fails is told as the error it is, and tried again by the next request', async () => {
  const nextStep = 'Call start_authorization.'
  const error = new CodedError('invalid_grant', say`The refresh token was revoked.`, {
    nextStep: say`${nextStep}`,
    feishuCode: 20064,
    logId: 'L',
  })
  const upstream = await startUpstream(accepting(() => 2))
  let calls = 0
  const gateway = await startGatewayTo(upstream.origin, {
    renewToken: async () => {
      calls++
      throw error
    },
  })
  for (let i = 1; i <= 2; i++) {
    const answer = await call(gateway)
    expect(answer.status).toBe(401)
    expect(JSON.parse(answer.body.toString())).toEqual({
      code: 90000401,
      msg: `The refresh token was revoked. ${nextStep}`,
      error: { reason: 'invalid_grant', next_step: nextStep, feishu_code: 20064, log_id: 'L' },
    })
    expect(calls).toBe(i)
  }
})

test('no access token: 401 when a person must act, 503 when it passes by itself, and nothing is sent', async () => {
  const upstream = await startUpstream((_req, res) => res.end())
  const cases = [
    [
      new CodedError('not_authorized', say`Nobody has authorized.`, { nextStep: say`Authorize.` }),
      401,
      'not_authorized',
    ],
    [new CodedError('store_locked', say`Busy.`, { nextStep: say`Wait.` }), 503, 'store_locked'],
    [new CodedError('network_error', say`No network.`, { nextStep: say`Look.` }), 503, 'network_error'],
    [new Error('secret-token-9 in a stranger’s text'), 503, 'internal_error'],
  ] as const
  for (const [error, status, reason] of cases) {
    const gateway = await startGatewayTo(upstream.origin, { currentToken: () => Promise.reject(error) })
    for (const body of ['small', Buffer.alloc(3_000_000)]) {
      const answer = await call(gateway, { method: 'POST', body })
      expect([answer.status, reasonOf(answer)]).toEqual([status, reason])
    }
  }
  expect(upstream.requests).toHaveLength(0)
})

test('a renewed token that is refused, too, is told with Feishu’s words and costs one renewal, not one per call', async () => {
  const upstream = await startUpstream(accepting(() => 99, INVALID, 400))
  const source = tokens()
  const gateway = await startGatewayTo(upstream.origin, source)
  for (let i = 0; i < 3; i++) {
    const answer = await call(gateway)
    expect([answer.status, reasonOf(answer)]).toEqual([401, 'token_refused'])
    expect(answer.body.toString()).toMatch(/user access token not support \(99991668\)/)
  }
  expect(source.asked).toEqual([1])
})

test('an API that refuses each request once costs one renewal, not one per call', async () => {
  let requests = 0
  const upstream = await startUpstream((_, res) => {
    requests += 1
    if (requests % 2 === 0) return void res.end('{}')
    res.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(INVALID))
  })
  const source = tokens()
  const gateway = await startGatewayTo(upstream.origin, source)
  for (let i = 0; i < 4; i++) await call(gateway)
  expect(source.asked).toEqual([1])
})

test('a refusal of anything but our token is none of the gateway’s business', async () => {
  const upstream = await startUpstream(accepting(() => 99))
  const gateway = await startGatewayTo(upstream.origin)
  for (const headers of [{ authorization: 'Bearer t-g1044' }, {}]) {
    const answer = await call(gateway, { headers, path: '/open-apis/auth/v3/app_access_token' })
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([401, EXPIRED])
  }
})

test.each([
  [400, JSON.stringify({ code: 99991679, msg: 'Unauthorized.' })],
  [400, 'not JSON'],
  [401, ''],
  [400, JSON.stringify({ ...EXPIRED, pad: 'x'.repeat(200_000) })],
])('any other answer with HTTP %i is handed on byte for byte', async (status, text) => {
  const upstream = await startUpstream((_req, res) => res.writeHead(status, { 'x-tt-logid': 'L' }).end(text))
  const gateway = await startGatewayTo(upstream.origin)
  const answer = await call(gateway, { headers: bearing(gateway) })
  expect([answer.status, answer.headers['x-tt-logid']]).toEqual([status, 'L'])
  expect(answer.body.toString()).toBe(text)
})
