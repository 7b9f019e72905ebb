import { describe, expect, test } from 'vitest'
import { openListener, requestBytes, send } from './client.ts'

describe('the query of a navigation to the redirect URI', () => {
  test('is handed on as it was sent, repeated parameters repeated', async () => {
    const { port, queries } = await openListener()
    const target = '/callback?code=a%20b+c&state=s&code=second&error=%zz&%E5%80%BC=1&a?b#c'
    const answer = await send(port, requestBytes(port, target))
    expect(answer.status).toBe(200)
    expect(queries.map((query) => [...query])).toEqual([
      [
        ['code', 'a b c'],
        ['state', 's'],
        ['code', 'second'],
        ['error', '%zz'],
        ['值', '1'],
        ['a?b#c', ''],
      ],
    ])
  })

  test.each(['/callback', '/callback?'])('is handed on when it is empty (%s)', async (target) => {
    const { port, queries } = await openListener()
    await send(port, requestBytes(port, target))
    expect(queries.map(String)).toEqual([''])
  })

  test('is admitted with what browsers send along', async () => {
    const { port, queries } = await openListener()
    const headers = {
      Origin: 'null',
      'Sec-Fetch-Mode': 'navigate',
      'Sec-Fetch-Dest': 'document',
      'Sec-Fetch-Site': 'cross-site',
      Referer: 'https://accounts.feishu.cn/',
      Cookie: 'other=program',
      Upgrade: 'h2c',
      Expect: '100-continue',
    }
    const answer = await send(port, requestBytes(port, '/callback?state=s', headers))
    expect([answer.status, queries.length]).toEqual([200, 1])
  })
})

describe('Host', () => {
  test.each(['localhost', '127.0.0.1', '[::1]'])('may be %s for a redirect to localhost', async (name) => {
    const { port, queries } = await openListener()
    const answer = await send(port, requestBytes(port, '/callback', { Host: `${name}:${port}` }))
    expect([answer.status, queries.length]).toEqual([200, 1])
  })

  test.each([
    'evil.example:PORT',
    'evil.example',
    'localhost',
    '127.0.0.1',
    'localhost:1',
    'localhost:PORT0',
    'localhost.:PORT',
    'localhost.evil.example:PORT',
    'evil.localhost:PORT',
    'LOCALHOST:PORT',
    'user@localhost:PORT',
    '127.1:PORT',
    '2130706433:PORT',
    '0.0.0.0:PORT',
    '[::ffff:127.0.0.1]:PORT',
    '[::]:PORT',
    'localhost:PORT, evil.example',
    '',
  ])('%j is misdirected, and nothing happens', async (host) => {
    const { port, queries } = await openListener()
    const headers = { Host: host.replace('PORT', String(port)) }
    const answer = await send(port, requestBytes(port, '/callback?state=s', headers))
    expect([answer.status, queries.length]).toEqual([421, 0])
  })

  test.each([
    ['missing', ''],
    ['given twice', 'Host: localhost:PORT\r\nhost: localhost:PORT\r\n'],
    ['given twice, ours first', 'Host: localhost:PORT\r\nHost: evil.example\r\n'],
    ['given twice, ours last', 'Host: evil.example\r\nHost: localhost:PORT\r\n'],
  ])('that is %s is misdirected', async (_, lines) => {
    const { port, queries } = await openListener()
    const bytes = `GET /callback?state=s HTTP/1.1\r\n${lines.replaceAll('PORT', String(port))}\r\n`
    expect([(await send(port, bytes)).status, queries.length]).toEqual([421, 0])
    expect([(await send(port, bytes.replace('1.1', '1.0'))).status, queries.length]).toEqual([421, 0])
  })

  test('of a literal redirect URI is that literal alone', async () => {
    const { port, listener } = await openListener()
    await listener.close()
    const { queries } = await openListener(undefined, { redirectUri: `http://127.0.0.1:${port}/callback` })
    for (const host of [`localhost:${port}`, `[::1]:${port}`]) {
      expect((await send(port, requestBytes(port, '/callback', { Host: host }))).status).toBe(421)
    }
    expect(queries).toEqual([])
    expect((await send(port, requestBytes(port, '/callback', { Host: `127.0.0.1:${port}` }))).status).toBe(
      200,
    )
  })
})

describe("Node's own fetch, which calls itself a subresource without being a browser,", () => {
  const LABELS = { 'User-Agent': 'node', 'Sec-Fetch-Mode': 'cors' }

  test('may hand on the redirect for a person', async () => {
    const { port, queries } = await openListener()
    const answer = await fetch(`http://127.0.0.1:${port}/callback?state=s`)
    expect([answer.status, queries.length]).toEqual([200, 1])
    expect((await send(port, requestBytes(port, '/callback', LABELS))).status).toBe(200)
  })

  test.each([
    { ...LABELS, 'Sec-Fetch-Site': 'cross-site' },
    { ...LABELS, 'User-Agent': 'Mozilla/5.0 node' },
    { ...LABELS, Origin: 'http://evil.example' },
  ])('is no disguise for one: %j', async (headers: Record<string, string>) => {
    const { port, queries } = await openListener()
    expect((await send(port, requestBytes(port, '/callback', headers))).status).toBe(403)
    expect(queries).toEqual([])
  })
})

describe('a request of another page', () => {
  test.each([
    { Origin: 'http://evil.example' },
    { Origin: 'http://localhost:PORT' },
    { Origin: '' },
    { Origin: 'NULL' },
    { Origin: 'null, null' },
    { 'Sec-Fetch-Mode': 'cors' },
    { 'Sec-Fetch-Mode': 'no-cors' },
    { 'Sec-Fetch-Mode': 'same-origin' },
    { 'Sec-Fetch-Mode': 'websocket' },
    { 'Sec-Fetch-Mode': '' },
    { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' },
    { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'object' },
  ])('is forbidden: %j', async (headers: Record<string, string>) => {
    const { port, queries } = await openListener()
    const filled = Object.entries(headers).map(([name, value]) => [name, value.replace('PORT', String(port))])
    const answer = await send(port, requestBytes(port, '/callback?state=s', Object.fromEntries(filled)))
    expect([answer.status, queries.length]).toEqual([403, 0])
  })

  test('is forbidden when a header is repeated', async () => {
    const { port, queries } = await openListener()
    for (const line of ['Origin: null', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document']) {
      const bytes = requestBytes(port, '/callback').replace('\r\n\r\n', `\r\n${line}\r\n${line}\r\n\r\n`)
      expect((await send(port, bytes)).status, line).toBe(403)
    }
    expect(queries).toEqual([])
  })
})

describe('a method other than GET', () => {
  test.each(['HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'CONNECT'])(
    '%s is not allowed and has no effect',
    async (method) => {
      const { port, queries } = await openListener()
      const target = method === 'CONNECT' ? `localhost:${port}` : '/callback?state=s'
      const preflight = {
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Private-Network': 'true',
        'Content-Length': '0',
      }
      const answer = await send(port, requestBytes(port, target, preflight, method))
      expect([answer.status, queries.length]).toEqual([405, 0])
      expect(answer.headers.allow).toBe('GET')
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    },
  )
})

describe('a target other than the redirect URI', () => {
  test.each([
    '/',
    '/callback/',
    '/callback/x',
    '/Callback',
    '//callback',
    '/%63allback',
    '/./callback',
    '/x/../callback',
    '/callback;x',
    '/callback#?state=s',
    '/favicon.ico',
    'http://localhost/callback',
    'http://evil.example/callback',
  ])('%s is not found', async (path) => {
    const { port, queries } = await openListener()
    const answer = await send(port, requestBytes(port, `${path}?state=s`))
    expect([answer.status, queries.length]).toEqual([404, 0])
  })

  test('is refused when it is longer than 8 KiB', async () => {
    const { port, queries } = await openListener()
    const longest = `/callback?state=${'s'.repeat(8 * 1024 - '/callback?state='.length)}`
    expect((await send(port, requestBytes(port, longest))).status).toBe(200)
    expect((await send(port, requestBytes(port, `${longest}s`))).status).toBe(400)
    expect(queries).toHaveLength(1)
  })
})
