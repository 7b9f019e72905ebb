import { expect, test } from 'vitest'
import { hostsAt } from '../../src/gateway/proxy.ts'
import {
  bearing,
  call,
  reasonOf,
  type Setting,
  sendRaw,
  startGatewayTo,
  startUpstream,
  type Upstream,
} from './fixture.ts'

async function startBoth(): Promise<Setting & { upstream: Upstream }> {
  const upstream = await startUpstream((_req, res) => res.end('{"code":0}'))
  return { ...(await startGatewayTo(upstream.origin)), upstream }
}

test('listens on loopback only, with a key of 256 random bits that looks like a user token', async () => {
  const one = await startBoth()
  const two = await startBoth()
  expect(one.origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(one.key).toMatch(/^u-[\w-]{43}$/)
  expect(one.key).not.toBe(two.key)
})

test('the key becomes the access token, on the open host alone', async () => {
  const gateway = await startBoth()
  expect((await call(gateway)).status).toBe(200)
  const [req] = gateway.upstream.requests
  expect(req?.headers.authorization).toBe('Bearer secret-token-1')
  expect(req?.headers.host).toBe(new URL(gateway.upstream.origin).host)
  expect(req?.rawHeaders.join()).not.toContain(gateway.key)
})

test('the key in X-Lark-MCP-UAT becomes the access token, too', async () => {
  const gateway = await startBoth()
  await call(gateway, { headers: { 'X-Lark-MCP-UAT': gateway.key } })
  expect(gateway.upstream.requests[0]?.headers['x-lark-mcp-uat']).toBe('secret-token-1')
})

test('a tenant token passes unchanged, and so does no credential where an app fetches its own token', async () => {
  const upstream = await startUpstream((_req, res) => res.end())
  const currentToken = () => Promise.reject(new Error('not to be asked'))
  const gateway = await startGatewayTo(upstream.origin, { currentToken })
  await call(gateway, { headers: { authorization: 'Bearer t-g1044' } })
  await call(gateway, { headers: {}, path: '/open-apis/auth/v3/tenant_access_token/internal' })
  expect(upstream.requests.map((req) => req.headers.authorization)).toEqual(['Bearer t-g1044', undefined])
})

test.each([
  '/open-apis/any',
  '/open-apis/authen/v1/user_info',
  '/open-apis/auth',
  '/open-apis/auth/../docx/v1/documents',
  '/open-apis/auth/v3/..%2f..%2fdocx',
  '/?/open-apis/auth/',
])('a request without a credential to %s is refused', async (path) => {
  const gateway = await startBoth()
  for (const headers of [{}, { authorization: '' }, { cookie: 'session=1' }]) {
    expect(reasonOf(await call(gateway, { headers, path, method: 'POST', body: '{}' }))).toBe(
      'credential_refused',
    )
  }
  expect(gateway.upstream.requests).toHaveLength(0)
})

test('undici is loaded by the first request that goes on, and once', async () => {
  const gateway = await startBoth()
  await call(gateway, { headers: { authorization: 'Bearer wrong' } })
  expect(gateway.loads()).toBe(0)
  await Promise.all([call(gateway), call(gateway), call(gateway)])
  expect(gateway.loads()).toBe(1)
})

test("Node's own fetch is served: of a page's headers it sends only Sec-Fetch-Mode", async () => {
  const gateway = await startBoth()
  const answer = await fetch(`${gateway.origin}/open-apis/any`, { headers: bearing(gateway) })
  expect(answer.status).toBe(200)
})

test('localhost is as good a host as 127.0.0.1', async () => {
  const gateway = await startBoth()
  const host = gateway.origin.replace('http://127.0.0.1', 'LOCALHOST')
  expect((await call(gateway, { headers: { ...bearing(gateway), host } })).status).toBe(200)
})

test('on the port of http the host may stand alone, and on no other', () => {
  expect(hostsAt('127.0.0.2', 80)).toEqual(expect.arrayContaining(['localhost', 'localhost:80', '127.0.0.2']))
  expect(hostsAt('127.0.0.2', 8080)).not.toContain('localhost')
})

test.each([
  [401, 'credential_refused', { authorization: 'Bearer u-wrong' }],
  [401, 'credential_refused', { authorization: 'Bearer eyJhbGciOiJFUzI1NiIs.a.b' }],
  [401, 'credential_refused', { authorization: 'Basic dDp4' }],
  [401, 'credential_refused', { 'x-lark-mcp-uat': 'u-wrong' }],
  [403, 'origin_refused', { host: 'evil.example' }],
  [403, 'origin_refused', { host: '127.0.0.1' }],
  [403, 'origin_refused', { host: '127.0.0.1:1' }],
  [403, 'origin_refused', { host: '[::1]:9' }],
  [403, 'origin_refused', { origin: 'https://evil.example' }],
  [403, 'origin_refused', { origin: 'null' }],
  [403, 'origin_refused', { 'sec-fetch-site': 'same-origin' }],
  [501, 'not_supported', { connection: 'upgrade', upgrade: 'websocket' }],
])('refused with %i %s, and nothing goes on: %j', async (status, reason, headers) => {
  const gateway = await startBoth()
  const answer = await call(gateway, {
    method: 'POST',
    body: 'x',
    headers: { ...bearing(gateway), ...headers },
  })
  expect(answer.status).toBe(status)
  expect(reasonOf(answer)).toBe(reason)
  expect(Object.keys(answer.headers).join()).not.toMatch(/access-control/)
  expect(gateway.upstream.requests).toHaveLength(0)
  expect(gateway.log).toEqual([`warn refused a request: ${reason}`])
})

test('the preflight of a web page gets no leave', async () => {
  const gateway = await startBoth()
  const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
  const answer = await call(gateway, { method: 'OPTIONS', headers })
  expect(answer.status).toBe(403)
  expect(answer.headers['access-control-allow-origin']).toBeUndefined()
})

test('an offer of h2c is ignored and not sent on', async () => {
  const gateway = await startBoth()
  const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' }
  expect((await call(gateway, { headers: { ...bearing(gateway), ...headers } })).status).toBe(200)
  expect(gateway.upstream.requests[0]?.headers.upgrade).toBeUndefined()
  expect(gateway.upstream.requests[0]?.headers['http2-settings']).toBeUndefined()
})

test('a path cannot change the host', async () => {
  const gateway = await startBoth()
  for (const path of [
    '//evil.example/x',
    '/@evil.example',
    '/http://evil.example/?a=//b#c',
    '/%2e%2e/../x',
  ]) {
    expect((await call(gateway, { path })).status).toBe(200)
    expect(gateway.upstream.requests.at(-1)?.url).toBe(path)
  }
})

test.each([
  [
    'GET http://evil.example/ HTTP/1.1\nHost: HOST\nConnection: close\n\n',
    /^HTTP\/1.1 400 .*target_refused/s,
  ],
  ['OPTIONS * HTTP/1.1\nHost: HOST\nConnection: close\n\n', /^HTTP\/1.1 400 .*target_refused/s],
  ['TRACE / HTTP/1.1\nHost: HOST\nConnection: close\n\n', /^HTTP\/1.1 501 .*not_supported/s],
  ['CONNECT evil.example:443 HTTP/1.1\nHost: HOST\n\n', /^$/],
  ['GET / HTTP/1.1\nConnection: close\n\n', /^HTTP\/1.1 400 /],
  ['GARBAGE\n\n', /^HTTP\/1.1 400 /],
  ['GET / HTTP/1.1\nHost: HOST\nHost evil\n\n', /^HTTP\/1.1 400 /],
  ['POST / HTTP/1.1\nHost: HOST\nContent-Length: 1\nTransfer-Encoding: chunked\n\n0\n\n', /^HTTP\/1.1 400 /],
  ['POST / HTTP/1.1\nHost: HOST\nContent-Length: -1\n\n', /^HTTP\/1.1 400 /],
  [`GET / HTTP/1.1\nHost: HOST\nX: ${'x'.repeat(20_000)}\n\n`, /^HTTP\/1.1 431 /],
])('%j is refused', async (text, expected) => {
  const gateway = await startBoth()
  expect(await sendRaw(gateway, text.replaceAll('HOST', new URL(gateway.origin).host))).toMatch(expected)
  expect(gateway.upstream.requests).toHaveLength(0)
  expect((await call(gateway)).status).toBe(200)
})
