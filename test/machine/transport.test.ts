import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { fetchThrough } from '../../src/machine/fetch.ts'
import { createTransport } from '../../src/machine/transport.ts'
import { redirectTo } from '../feishu-sandbox/fault-presets.ts'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { startSandbox } from '../feishu-sandbox/sandbox.ts'
import {
  ask,
  bodyOf,
  closedPort,
  countSends,
  failureOf,
  http,
  listen,
  MIB,
  NO_PROXY,
  serveBytes,
} from './transport-peers.ts'

test('an answer is given whole: status, headers by their lower-case names, bytes', async () => {
  const server = await serveBytes((socket) => {
    socket.end(http('{"code":0}', { 'X-Tt-Logid': 'l1', 'Set-Cookie': 'a=b' }, '418 Odd'))
  })
  const answer = await ask(server.url)
  expect(answer).toMatchObject({
    kind: 'answer',
    status: 418,
    headers: { 'x-tt-logid': 'l1', 'set-cookie': 'a=b' },
  })
  expect(bodyOf(answer)).toBe('{"code":0}')
  expect(server.received).toHaveLength(1)
  expect(server.received[0]).toMatch(/^POST \/token HTTP\/1\.1\r\n/)
})

test('a request without a body needs no consent', async () => {
  const server = createHttpServer((request, response) => response.end(request.headers.authorization))
  const port = await listen(server)
  const headers = { authorization: 'Bearer t1' }
  const url = `http://127.0.0.1:${port}/user_info`
  expect(bodyOf(await ask(url, { method: 'GET', body: null, headers }))).toBe('Bearer t1')
})

describe('before anything was sent', () => {
  test.each(['127.0.0.1', 'localhost'])('a refused connection to %s is told with its errno', async (host) => {
    const port = await closedPort()
    const { onSend, sends } = countSends()
    const answer = failureOf(await ask(`http://${host}:${port}/token?x=canary`, { onSend }))
    expect(answer).toMatchObject({ sent: false, error: { code: 'network_error' } })
    expect(answer.error.message).toBe(`${host}:${port} could not be reached (ECONNREFUSED).`)
    expect([sends(), answer.partialBody.length]).toEqual([0, 0])
  })

  test('a connection that is reset as soon as it stands is no attempt, or one that is known', async () => {
    const { onSend, sends } = countSends()
    const port = await listen(createServer((socket) => socket.resetAndDestroy()))
    const answer = failureOf(await ask(`http://127.0.0.1:${port}/`, { onSend }))
    expect(answer.sent).toBe(sends() === 1)
  })
})

describe('the answer', () => {
  test('may have a mebibyte and not a byte more', async () => {
    const server = await serveBytes((socket, connection) => socket.write(http('x'.repeat(MIB + connection))))
    expect(bodyOf(await ask(server.url))).toHaveLength(MIB)
    const answer = failureOf(await ask(server.url))
    expect(answer).toMatchObject({ sent: true, error: { code: 'unexpected_response' } })
    expect(answer.error.message).toContain(String(MIB))
  })

  test.each<[string, Fault]>([
    ['plain', { kind: 'bulk', bytes: 1_024 * MIB }],
    ['a gzip bomb', { kind: 'bulk', bytes: 1_024 * MIB, gzip: true }],
  ])('of a gibibyte, %s, takes little memory', async (_what, fault) => {
    const sandbox = await startSandbox()
    onTestFinished(() => sandbox.close())
    sandbox.faults.next(fault)
    const peak = () => process.resourceUsage().maxRSS / 1_024
    const before = peak()
    const answer = failureOf(await ask(`${sandbox.url}/open-apis/authen/v2/oauth/token`))
    expect(answer).toMatchObject({ sent: true, error: { code: 'unexpected_response' } })
    // In mebibytes: what waits for the garbage collector, far from a quarter of what was sent.
    expect(peak() - before).toBeLessThan(256)
  })

  test.each<[string, Buffer]>([
    ['gzip', gzipSync('{"code":0}')],
    ['GZIP', Buffer.concat([gzipSync('{"code"'), gzipSync(':0}')])],
    ['deflate', deflateSync('{"code":0}')],
    ['br', brotliCompressSync('{"code":0}')],
    ['identity', Buffer.from('{"code":0}')],
  ])('in the coding %s is read', async (coding, bytes) => {
    const server = await serveBytes((socket) => socket.end(http(bytes, { 'content-encoding': coding })))
    expect(bodyOf(await ask(server.url))).toBe('{"code":0}')
  })

  test.each<[string, Buffer]>([
    ['damaged', gzipSync('{"code":0}').subarray(0, 15)],
    ['too large', gzipSync(Buffer.alloc(MIB + 1))],
  ])('in a coding that is %s is given as the bytes it came in', async (_what, bytes) => {
    const server = await serveBytes((socket) => socket.end(http(bytes, { 'content-encoding': 'gzip' })))
    const answer = await ask(server.url)
    expect(answer.kind === 'answer' && answer.body.equals(bytes)).toBe(true)
  })

  test.each([301, 302, 303, 307, 308] as const)('%d is not followed', async (status) => {
    let reached = 0
    const elsewhere = createHttpServer((_request, response) => {
      reached += 1
      response.end()
    })
    const port = await listen(elsewhere)
    const sandbox = await startSandbox()
    onTestFinished(() => sandbox.close())
    sandbox.faults.next(redirectTo(`http://127.0.0.1:${port}/`, status))
    const answer = await ask(`${sandbox.url}/open-apis/authen/v2/oauth/token`)
    expect(answer).toMatchObject({ kind: 'answer', status })
    expect(reached).toBe(0)
  })

  test('that breaks off leaves what had arrived', async () => {
    const server = await serveBytes((socket) =>
      socket.end(http('{"refresh_token":"new"}', { 'content-length': '99' })),
    )
    const answer = failureOf(await ask(server.url))
    expect(answer).toMatchObject({ sent: true, error: { code: 'network_error' } })
    expect(answer.partialBody.toString()).toBe('{"refresh_token":"new"}')
  })

  test('is the first of two', async () => {
    const server = await serveBytes((socket) => socket.end(Buffer.concat([http('first'), http('second')])))
    expect(bodyOf(await ask(server.url))).toBe('first')
    expect(server.received).toHaveLength(1)
  })

  test.each<[string, string]>([
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    ['headers without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(50_000)}`],
    ['a header of a megabyte', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(MIB)}\r\n\r\n`],
    ['interim answers alone', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n'],
    ['a status that is none', 'HTTP/1.1 999999 Odd\r\n\r\n'],
  ])('with %s is a failure after it was sent', async (_what, bytes) => {
    const server = await serveBytes((socket) => socket.end(bytes))
    expect(failureOf(await ask(server.url))).toMatchObject({ sent: true, error: { code: 'network_error' } })
  })

  test('of any bytes is an answer or a failure', async () => {
    const piece = fc.constantFrom(
      ...[
        'HTTP/1.1 ',
        '200 OK',
        '204',
        '304',
        '\r\n',
        '\r\n\r\n',
        'content-length: 3',
        'transfer-encoding: chunked',
      ],
      ...[
        '3\r\nabc\r\n',
        '0\r\n\r\n',
        'abc',
        ': ',
        '\0',
        '\u00ff',
        'content-encoding: gzip',
        'location: /x',
        '{"code":0}',
      ],
    )
    let bytes = ''
    const server = await serveBytes((socket) => socket.end(bytes, 'latin1'))
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        bytes = pieces.join('')
        const answer = await ask(server.url)
        if (answer.kind === 'failure') expect(answer.sent).toBe(true)
        else expect(answer.status).toBeGreaterThanOrEqual(100)
      }),
      { numRuns: 100 },
    )
  })
})

describe('a 100 Continue that nobody asked for', () => {
  const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
  const whole = `HTTP/1.1 100 Continue\r\nx: y\r\n\r\n${ANSWER}`

  test.each([
    ['in one piece', [whole]],
    ['byte by byte', [...whole]],
    ['alone, and the answer later', [whole.slice(0, -ANSWER.length), ANSWER]],
    ['several of them', [`${whole.slice(0, -ANSWER.length)}${whole}`]],
    ['none', [ANSWER]],
    ['none, byte by byte', [...ANSWER]],
  ])('%s is read over', async (_name, pieces) => {
    const { url } = await serveBytes(async (socket) => {
      socket.setNoDelay(true)
      for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve))
      socket.end()
    })
    expect(bodyOf(await ask(url))).toBe('ok')
  })

  test('is read over on a connection that is kept, too, before each answer', async () => {
    let connections = 0
    const port = await listen(
      createServer((socket) => {
        connections += 1
        socket.on('data', () => socket.write(whole))
      }),
    )
    const url = `http://127.0.0.1:${port}`
    const dispatcher = await createTransport(NO_PROXY).upstream(url)
    onTestFinished(() => dispatcher.destroy())
    const fetch = fetchThrough(dispatcher)
    for (let nth = 0; nth < 8; nth += 1) expect(await (await fetch(url)).text()).toBe('ok')
    expect(connections).toBeLessThan(8)
  })
})
