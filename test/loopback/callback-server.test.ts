import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createCallbackServer } from '../../src/loopback/callback-server.ts'
import { trackConnections } from '../../src/loopback/connections.ts'
import { createEndPages } from '../../src/loopback/end-pages.ts'
import type { Page } from '../../src/loopback/page-text.ts'
import { holdTimers } from '../support/timers.ts'
import { type Answer, openListener, requestBytes, send } from './client.ts'

function expectSafeHeaders({ headers, body }: Answer): void {
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-store',
    connection: 'close',
  })
  const policy = headers['content-security-policy'] ?? ''
  expect(policy).toMatch(/^default-src 'none'; /)
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toMatch(/unsafe|script-src|http|\*/)
  expect(Object.keys(headers).filter((name) => /^access-control|^set-cookie|^location/.test(name))).toEqual(
    [],
  )
  const style = /<style>(.*?)<\/style>/s.exec(body)?.[1] ?? ''
  if (body !== '') expect(policy).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`)
}

describe('every answer carries the security headers and closes the connection', () => {
  const Host = (port: number) => `Host: localhost:${port}\r\n`
  const CASES: [string, number, (port: number) => string][] = [
    ['a decided response', 200, (port) => requestBytes(port, '/callback')],
    ['a handler that rejects', 500, (port) => requestBytes(port, '/callback?throw=later')],
    ['a page that cannot be rendered', 500, (port) => requestBytes(port, '/callback?throw=render')],
    ['another path', 404, (port) => requestBytes(port, '/')],
    ['another method', 405, (port) => requestBytes(port, '/callback', {}, 'POST')],
    ['a HEAD request', 405, (port) => requestBytes(port, '/callback', {}, 'HEAD')],
    ['a CONNECT request', 405, (port) => requestBytes(port, 'evil.example:443', {}, 'CONNECT')],
    ['another Host', 421, (port) => requestBytes(port, '/callback', { Host: 'evil.example' })],
    ['no Host', 421, (port) => requestBytes(port, '/callback', { Host: null })],
    ['another Origin', 403, (port) => requestBytes(port, '/callback', { Origin: 'http://evil.example' })],
    ['an unknown expectation', 200, (port) => requestBytes(port, '/callback', { Expect: 'a-miracle' })],
    [
      'a wish to keep the connection',
      200,
      (port) => requestBytes(port, '/callback', { Connection: 'keep-alive' }),
    ],
    ['a URL that is too long', 400, (port) => requestBytes(port, `/callback?${'x'.repeat(9_000)}`)],
    [
      'headers that are too large',
      400,
      (port) => requestBytes(port, '/callback', { Cookie: 'x'.repeat(17_000) }),
    ],
    ['what is not HTTP', 400, () => '\u0016\u0003\u0001\u0002 not http\r\n\r\n'],
    ['HTTP/2', 400, () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['an unknown method', 400, (port) => `BREW /callback HTTP/1.1\r\n${Host(port)}\r\n`],
    ['an unknown version', 400, (port) => `GET /callback HTTP/7.0\r\n${Host(port)}\r\n`],
    ['a folded header', 400, (port) => `GET /callback HTTP/1.1\r\n folded\r\n${Host(port)}\r\n`],
    ['a NUL in a header', 400, (port) => `GET /callback HTTP/1.1\r\n${Host(port)}X: \u0000\r\n\r\n`],
    [
      'two lengths',
      400,
      (port) =>
        `GET /callback HTTP/1.1\r\n${Host(port)}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ],
  ]

  test.each(CASES)('%s → %d', async (_, status, bytes) => {
    const { port } = await openListener(async (query) => {
      if (query.get('throw') === 'later') throw new Error('secret')
      const accessTokenExpiresAt = query.get('throw') === 'render' ? Number.NaN : 0
      return {
        kind: 'succeeded',
        userName: null,
        profile: 'p',
        accessTokenExpiresAt,
        reauthorizeBy: null,
        notes: [],
        seat: 'assistant',
      }
    })
    const answer = await send(port, bytes(port))
    expect(answer.status).toBe(status)
    expectSafeHeaders(answer)
    expect(answer.body).not.toContain('secret')
  })

  test('a handler that throws at once leaves the listener alive', async () => {
    let calls = 0
    const { port } = await openListener(() => {
      calls += 1
      if (calls === 1) throw new Error('secret')
      return Promise.resolve({ kind: 'denied' })
    })
    const broken = await send(port, requestBytes(port, '/callback'))
    expect([broken.status, broken.body.includes('secret')]).toEqual([500, false])
    expect((await send(port, requestBytes(port, '/callback'))).status).toBe(200)
  })
})

describe('the language of the page', () => {
  test('follows Accept-Language unless it is set', async () => {
    const chinese = { 'Accept-Language': 'zh-CN,zh;q=0.9' }
    const { port } = await openListener()
    expect((await send(port, requestBytes(port, '/callback', chinese))).body).toContain('lang="zh-CN"')
    expect((await send(port, requestBytes(port, '/callback'))).body).toContain('lang="en"')
    const set = await openListener(undefined, { language: 'en' })
    expect((await send(set.port, requestBytes(set.port, '/callback', chinese))).body).toContain('lang="en"')
  })
})

/** Ways into a page that have worked somewhere: elements, attributes, URLs, templates, encodings, header splitting. */
const PAYLOADS = [
  '<script>alert(7319)</script>',
  '</script><script>alert(7319)</script>',
  '<ScRiPt src=//evil.example/x.js></sCrIpT>',
  '<img src=x onerror=alert(7319)>',
  '<svg/onload=alert(7319)>',
  '<svg><animate onbegin=alert(7319) attributeName=x>',
  '<body onload=alert(7319)>',
  '<iframe srcdoc="<script>alert(7319)</script>">',
  '<iframe src=javascript:alert(7319)>',
  '<a href="javascript:alert(7319)">x</a>',
  '<form action=//evil.example><input autofocus onfocus=alert(7319)>',
  '<details open ontoggle=alert(7319)>',
  '<math><mtext></form><form><mglyph><style></math><img src onerror=alert(7319)>',
  '<noscript><p title="</noscript><img src=x onerror=alert(7319)>">',
  '<meta http-equiv=refresh content="0;url=//evil.example">',
  '<base href=//evil.example>',
  '<link rel=stylesheet href=//evil.example/x.css>',
  '<style>@import"//evil.example"</style>',
  '</title><script>alert(7319)</script>',
  '</style><script>alert(7319)</script>',
  '--><script>alert(7319)</script>',
  ']]><script>alert(7319)</script>',
  '" onmouseover="alert(7319)',
  "' onmouseover='alert(7319)",
  '"><script>alert(7319)</script>',
  '`;alert(7319)//\u0024{alert(7319)}{{7*7319}}',
  'javascript:alert(7319)//',
  'data:text/html,<script>alert(7319)</script>',
  '\r\nX-Injected: 7319\r\n\r\n<script>alert(7319)</script>',
  '\u0000<script>alert(7319)\u0000</script>',
  '\u202e\u2066<script>alert(7319)</script>\u2069',
  '+ADw-script+AD4-alert(7319)+ADw-/script+AD4-',
  '&lt;script&gt;alert(7319)&#60;/script>',
  '\ufeff<script>alert(7319)</script>\uffff',
]

describe('nothing of a query is reflected', () => {
  const PAGES: Page[] = [
    { kind: 'ignored' },
    { kind: 'denied' },
    { kind: 'already_used' },
    {
      kind: 'failed',
      action: null,
      reason: { en: 'r', zh: 'r' },
      nextStep: { en: 'n', zh: 'n' },
      code: 'invalid_grant',
    },
  ]
  const PARAMETERS = ['code', 'state', 'error', 'error_description', 'error_uri', 'iss', 'scope', 'lang', 'x']

  test.each(PAGES)('by the page "$kind", whatever the parameter and however it is encoded', async (page) => {
    const { port, queries } = await openListener(async () => page)
    const plain = await send(port, requestBytes(port, '/callback?code=c&state=s'))
    for (const payload of PAYLOADS) {
      const once = encodeURIComponent(payload)
      const raw = payload.replace(/[\u0000-\u0020\u0080-\uffff#]/g, encodeURIComponent)
      const queryOf = (value: string) => PARAMETERS.map((name) => `${name}=${value}`).join('&')
      for (const value of [once, encodeURIComponent(once), raw]) {
        const answer = await send(port, requestBytes(port, `/callback?${queryOf(value)}&${value}`))
        expect(answer.headers['x-injected']).toBeUndefined()
        expect({ ...answer, headers: { ...answer.headers, date: '' } }).toEqual({
          ...plain,
          headers: { ...plain.headers, date: '' },
        })
      }
    }
    expect(queries).toHaveLength(1 + PAYLOADS.length * 3)
    expect(plain.body).not.toMatch(/7319|<script|evil|alert/)
  })

  test('by the refusals either, wherever the payload stands', async () => {
    const { port, queries } = await openListener()
    for (const payload of PAYLOADS) {
      const value = payload.replace(/[\u0000-\u0020\u0080-\uffff]/g, encodeURIComponent)
      for (const bytes of [
        requestBytes(port, `/${value}?${value}`),
        requestBytes(port, '/callback', { Host: value, 'Accept-Language': value }),
        requestBytes(port, '/callback', { Origin: value, Referer: value, 'User-Agent': value }),
        requestBytes(port, '/callback', { [value]: value, Host: 'x' }),
        `${value} /callback HTTP/1.1\r\n\r\n`,
      ]) {
        const answer = await send(port, bytes)
        expect([400, 403, 404, 421]).toContain(answer.status)
        expect(JSON.stringify(answer)).not.toMatch(/7319|<script|evil|alert/i)
      }
    }
    expect(queries).toEqual([])
  })
})

describe('one connection is one request', () => {
  test('a second request on the same connection is not looked at', async () => {
    const { port, queries } = await openListener()
    const bytes = requestBytes(port, '/callback?state=first') + requestBytes(port, '/callback?state=second')
    const answer = await send(port, bytes)
    expect(queries.map(String)).toEqual(['state=first'])
    expect(answer.body.match(/<!doctype/g)).toHaveLength(1)
  })

  test('garbage behind the request does not spoil the answer', async () => {
    const { port, queries } = await openListener()
    const answer = await send(port, `${requestBytes(port, '/callback?state=s')}\u0000garbage\r\n\r\n`)
    expect([answer.status, queries.length]).toEqual([200, 1])
    expect(answer.body.match(/<!doctype/g)).toHaveLength(1)
  })

  test('a tunnel that is asked for behind a request and then reset does no harm', async () => {
    const { port, queries } = await openListener(() => new Promise(() => {}))
    const socket = connect({ port, host: '127.0.0.1' })
    socket.write(requestBytes(port, '/callback') + requestBytes(port, 'x:1', {}, 'CONNECT'))
    await expect.poll(() => queries.length).toBe(1)
    socket.resetAndDestroy()
    await once(socket, 'close')
    expect((await send(port, requestBytes(port, '/'))).status).toBe(404)
  })

  test('a person who leaves before the answer does no harm', async () => {
    let finish = (_: Page) => {}
    const { port, queries } = await openListener(() => new Promise((resolve) => (finish = resolve)))
    const socket = connect({ port, host: '127.0.0.1' })
    socket.write(requestBytes(port, '/callback?state=s'))
    await expect.poll(() => queries.length).toBe(1)
    socket.resetAndDestroy()
    await once(socket, 'close')
    finish({ kind: 'denied' })
    expect((await send(port, requestBytes(port, '/'))).status).toBe(404)
  })
})

test('a connection that sends nothing, stops within its headers or announces a body that never comes is closed', async () => {
  const cases = [
    '',
    'GET /callback HTTP/1.1\r\nHost: local',
    'POST /callback HTTP/1.1\r\nContent-Length: 5\r\n\r\n',
  ]
  await Promise.all(
    cases.map(async (bytes) => {
      const { port, queries } = await openListener()
      const answer = await send(port, bytes)
      expect([400, 405], bytes).toContain(answer.status)
      expect(queries, bytes).toEqual([])
    }),
  )
})

function createServer() {
  const onResponse = async () => ({ kind: 'denied' }) as const
  const redirectUri = new URL('http://localhost:9000/callback')
  return createCallbackServer(
    { redirectUri, tls: null, language: null, onResponse, endPages: createEndPages() },
    trackConnections(),
  )
}

test('its time is four seconds', () => {
  expect(createServer()).toMatchObject({ headersTimeout: 4_000, requestTimeout: 4_000 })
})

test.each([
  ['is answered where it lies there unread', requestBytes(9000, '/callback'), 303],
  ['is refused a moment later where there is none', '', 400],
])(
  'a request whose time is over by the clock %s: the process may have stood still',
  async (_what, bytes, status) => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' })
    const [[accepted]] = await Promise.all([once(server, 'connection'), once(client, 'connect')])
    holdTimers()
    // As Node says it of a connection that it has read nothing from.
    server.emit('clientError', Object.assign(new Error(), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), accepted)
    client.write(bytes)
    if (bytes === '') await vi.advanceTimersByTimeAsync(1_000)
    const answer = String(Buffer.concat(await client.toArray()))
    expect(answer).toContain(`HTTP/1.1 ${status} `)
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1)
  },
)
