import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import type { ProxySettings } from '../../src/machine/proxy.ts'
import { createTransport } from '../../src/machine/transport.ts'
import type { HttpAnswer, HttpRequest } from '../../src/oauth/http.ts'
import { Secret } from '../../src/secret.ts'
import { say } from '../../src/sentence.ts'
import { redirectTo } from '../feishu-sandbox/fault-presets.ts'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { startSandbox } from '../feishu-sandbox/sandbox.ts'
import { NO_OPENSSL, selfSigned } from '../loopback/certificate.ts'
import { makeFolder } from '../support/folder.ts'

const NO_PROXY: ProxySettings = { proxy: null, noProxy: null }
const MIB = 1_048_576
const SECRET_BODY = 'grant_type=refresh_token&refresh_token=canary-refresh'

type Options = Partial<HttpRequest> & { proxy?: ProxySettings }

function ask(url: string, { proxy = NO_PROXY, ...changes }: Options = {}): Promise<HttpAnswer> {
  return createTransport(proxy).request({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: SECRET_BODY,
    deadlineMs: 5_000,
    account: { key: 'k', forced: false },
    ...changes,
  })
}

/** A consent to send that counts how often it is asked for. */
function countSends(): { onSend: () => void; sends: () => number } {
  let count = 0
  const onSend = (): void => {
    count += 1
  }
  return { onSend, sends: () => count }
}

function failureOf(answer: HttpAnswer): Extract<HttpAnswer, { kind: 'failure' }> {
  if (answer.kind === 'answer') throw new Error(`answered with ${answer.status}`)
  expect(`${answer.error.message} ${answer.error.nextStep}`).not.toContain('canary')
  return answer
}

function bodyOf(answer: HttpAnswer): string {
  if (answer.kind === 'failure') throw answer.error
  return answer.body.toString()
}

async function listen<T extends Server>(server: T, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)))
  server.listen(0, host)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** A server of bytes; it remembers what each connection sent. */
async function serveBytes(
  onRequest: (socket: Socket, connection: number) => void,
): Promise<{ url: string; received: string[]; closed: Promise<unknown> }> {
  const received: string[] = []
  let closed: (value?: unknown) => void = () => undefined
  const firstClosed = new Promise((resolve) => {
    closed = resolve
  })
  const server = createServer((socket) => {
    const index = received.push('') - 1
    socket.once('close', closed)
    socket.on('data', (chunk) => {
      const before = received[index] ?? ''
      received[index] = before + String(chunk)
      if (!before.includes('canary') && received[index]?.includes('canary')) onRequest(socket, index)
    })
  })
  const port = await listen(server)
  return { url: `http://127.0.0.1:${port}/token`, received, closed: firstClosed }
}

function http(body: string | Buffer, headers: Record<string, string> = {}, status = '200 OK'): Buffer {
  const lines = Object.entries({ 'content-length': String(Buffer.byteLength(body)), ...headers })
  const head = [`HTTP/1.1 ${status}`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''].join(
    '\r\n',
  )
  return Buffer.concat([Buffer.from(head), Buffer.from(body)])
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

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

describe('the consent to send', () => {
  test('is asked for once, before the first byte', async () => {
    let asked = 0
    const server = await serveBytes((socket) => socket.end(http('ok')))
    const onSend = () => {
      asked += 1
      expect(server.received.join('')).toBe('')
    }
    expect(bodyOf(await ask(server.url, { onSend }))).toBe('ok')
    expect([asked, server.received.length]).toEqual([1, 1])
  })

  test.each([
    ['of ours', new CodedError('store_not_writable', say`The disk is full.`, { nextStep: say`Make room.` })],
    ['of any kind', new TypeError('a mistake')],
  ])('that is refused with an error %s sends not a single byte', async (_kind, refusal) => {
    const server = await serveBytes((socket) => socket.end(http('ok')))
    const answer = failureOf(
      await ask(server.url, {
        onSend: () => {
          throw refusal
        },
      }),
    )
    await server.closed
    expect(server.received).toEqual([''])
    expect(answer.sent).toBe(false)
    if (refusal instanceof CodedError) expect(answer.error).toBe(refusal)
  })

  test('is asked for once by each of many requests at a time', async () => {
    const server = await serveBytes((socket) => socket.end(http('ok')))
    const counts = Array.from({ length: 30 }, countSends)
    const answers = await Promise.all(counts.map(({ onSend }) => ask(server.url, { onSend })))
    expect(answers.map(bodyOf)).toEqual(counts.map(() => 'ok'))
    expect(counts.map(({ sends }) => sends())).toEqual(counts.map(() => 1))
  })

  test.each<[string, (socket: Socket) => void]>([
    ['a reset', (socket) => socket.resetAndDestroy()],
    ['an end', (socket) => socket.end()],
    [
      'half an answer',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"refresh_token":"new"'),
    ],
    ['no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')],
  ])('is not asked for again after %s, and nothing is sent again', async (_what, misbehave) => {
    const { onSend, sends } = countSends()
    const server = await serveBytes(misbehave)
    const answer = failureOf(await ask(server.url, { onSend }))
    expect(answer).toMatchObject({ sent: true, error: { code: 'network_error', recovery: 'retry' } })
    expect([sends(), server.received.length]).toEqual([1, 1])
  })

  test('is asked for by every request, none of which shares a connection', async () => {
    const server = await serveBytes((socket) => socket.write(http('ok')))
    const { onSend, sends } = countSends()
    const transport = createTransport(NO_PROXY)
    for (let count = 1; count <= 3; count += 1) {
      const request = {
        method: 'POST',
        url: server.url,
        headers: {},
        body: SECRET_BODY,
        deadlineMs: 5_000,
      } as const
      const answer = await transport.request({ ...request, account: { key: 'k', forced: false }, onSend })
      expect([bodyOf(answer), sends(), server.received.length]).toEqual(['ok', count, count])
    }
  })
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

describe('the deadline', () => {
  test('stands over a server that never answers', async () => {
    const server = await serveBytes(() => undefined)
    const startedAt = performance.now()
    const answer = failureOf(await ask(server.url, { deadlineMs: 600 }))
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(590)
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    expect(answer).toMatchObject({ sent: true, error: { code: 'network_error' } })
    expect(answer.error.message).toContain('did not answer within 1 s')
    await server.closed
  })

  test('counts from the start, not from the last byte', async () => {
    const sandbox = await startSandbox()
    onTestFinished(() => sandbox.close())
    sandbox.faults.next({ kind: 'drip', everyMs: 20 })
    const startedAt = performance.now()
    const body = `grant_type=refresh_token&client_id=${sandbox.app.appId}&client_secret=${sandbox.app.appSecret}&refresh_token=${sandbox.issue().refresh_token}`
    const url = `${sandbox.url}/open-apis/authen/v2/oauth/token`
    const answer = failureOf(await ask(url, { body, deadlineMs: 300 }))
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    expect(answer.sent).toBe(true)
    expect(answer.partialBody.toString()).toMatch(/^\{"code"/)
  })

  test('is over a connection that is never accepted, too', async () => {
    const server = createServer({ pauseOnConnect: true })
    const port = await listen(server)
    const answer = failureOf(await ask(`http://127.0.0.1:${port}/`, { deadlineMs: 200 }))
    expect(answer.error.code).toBe('network_error')
  })

  test.each([450, 1_200])(
    'does not fire before what arrived while the process stood still for %d ms is read',
    async (ms) => {
      // A server of its own, which answers while this thread does nothing at all.
      const worker = new Worker(
        `const { parentPort } = require('node:worker_threads')
       const server = require('node:net').createServer((socket) => socket.once('data', () => setTimeout(() =>
         socket.end('HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok'), 100)))
       server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`,
        { eval: true },
      )
      onTestFinished(async () => void (await worker.terminate()))
      const [port] = await once(worker, 'message')
      const stand = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
      const onSend = () => void setImmediate(stand)
      expect(bodyOf(await ask(`http://127.0.0.1:${port}/`, { deadlineMs: 300, onSend }))).toBe('ok')
    },
  )
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
})

describe('over TLS', () => {
  test('a certificate that is not trusted is named as such, with the variable to set, at once', async (ctx) => {
    const certificate = selfSigned()
    if (!certificate) return ctx.skip(NO_OPENSSL)
    const port = await listen(createHttpsServer(certificate, (_request, response) => response.end('ok')))
    const { onSend, sends } = countSends()
    const startedAt = performance.now()
    const answer = failureOf(await ask(`https://127.0.0.1:${port}/`, { onSend }))
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    expect(answer).toMatchObject({ sent: false, error: { code: 'tls_error', recovery: 'fix_config' } })
    expect(answer.error.message).toContain('DEPTH_ZERO_SELF_SIGNED_CERT')
    expect(answer.error.nextStep).toContain('NODE_EXTRA_CA_CERTS')
    expect(sends()).toBe(0)
  })

  test('a server that speaks none is named as such', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const port = await listen(server)
    const answer = failureOf(await ask(`https://127.0.0.1:${port}/`))
    expect(answer).toMatchObject({ sent: false, error: { code: 'tls_error' } })
  })
})

/** A proxy that knows only CONNECT; every way through it leads to `target`. */
async function startProxy(
  target: number,
  refusal: string | null = null,
): Promise<{ port: number; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = []
  const server = createHttpServer((request, response) => {
    asked.push(request)
    response.writeHead(500).end()
  })
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    asked.push(request)
    if (refusal) return void client.end(`HTTP/1.1 ${refusal}\r\nconnection: close\r\n\r\n`)
    const through = connect(target, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      through.pipe(client).pipe(through)
    })
    through.on('error', () => client.destroy())
    client.on('error', () => through.destroy()).on('close', () => through.destroy())
  })
  return { port: await listen(server), asked }
}

const proxyAt = (port: number, noProxy: string | null = null, who = ''): ProxySettings => ({
  proxy: new Secret(`http://${who}127.0.0.1:${port}`),
  noProxy,
})

describe('through a proxy', () => {
  test.each(['127.0.0.1', 'localhost', '[::1]'])('nothing to %s ever goes', async (host) => {
    const port = await closedPort()
    const proxy = await startProxy(port)
    const answer = failureOf(await ask(`http://${host}:${port}/`, { proxy: proxyAt(proxy.port) }))
    expect(answer).toMatchObject({ sent: false, error: { code: 'network_error' } })
    expect(proxy.asked).toEqual([])
  })

  test('TLS is spoken with the host itself, whose certificate must be trusted', async (ctx) => {
    const certificate = selfSigned()
    if (!certificate) return ctx.skip(NO_OPENSSL)
    const target = await listen(createHttpsServer(certificate, (_request, response) => response.end('ok')))
    const proxy = await startProxy(target)
    const settings = proxyAt(proxy.port, null, 'kim:canary%20pw@')
    const answer = failureOf(await ask('https://open.feishu.test/token', { proxy: settings }))
    expect(answer).toMatchObject({ sent: false, error: { code: 'tls_error' } })
    expect(proxy.asked.map(({ method, url }) => `${method} ${url}`)).toEqual(['CONNECT open.feishu.test:443'])
    const credentials = Buffer.from('kim:canary pw').toString('base64')
    expect(proxy.asked[0]?.headers['proxy-authorization']).toBe(`Basic ${credentials}`)
  })

  test('and with NODE_EXTRA_CA_CERTS a request arrives', async (ctx) => {
    const certificate = selfSigned()
    if (!certificate) return ctx.skip(NO_OPENSSL)
    const target = await listen(
      createHttpsServer(certificate, (_request, response) => response.end('arrived')),
    )
    const proxy = await startProxy(target)
    const file = join(makeFolder(), 'ca.pem')
    writeFileSync(file, certificate.cert)
    const run = async (url: string, env: NodeJS.ProcessEnv) => {
      const args = ['test/machine/transport-process.ts', url, `http://127.0.0.1:${proxy.port}`]
      const child = fork('scripts/run.mjs', args, { env: { ...process.env, ...env } })
      onTestFinished(() => void child.kill('SIGKILL'))
      return (await once(child, 'message'))[0]
    }
    const arrived = { status: 200, body: 'arrived' }
    expect(await run(`https://localhost:${target}/`, { NODE_EXTRA_CA_CERTS: file })).toEqual(arrived)
    expect(proxy.asked).toEqual([])
    // The same name to TLS, and not one of the three that are always reached directly.
    const url = `https://localhost.:${target}/`
    expect(await run(url, { NODE_EXTRA_CA_CERTS: file })).toEqual(arrived)
    expect(await run(url, { NODE_EXTRA_CA_CERTS: '' })).toMatchObject({ code: 'tls_error' })
    expect(proxy.asked.map(({ url: to }) => to)).toEqual([`localhost.:${target}`, `localhost.:${target}`])
  })

  test.each([
    ['407 Proxy Authentication Required', /asks for a user name and password/],
    ['502 Bad Gateway', /answered 502/],
  ])('%s is named, with the variable to set and without its password', async (refusal, message) => {
    const proxy = await startProxy(0, refusal)
    const settings = proxyAt(proxy.port, null, 'kim:canary@')
    const answer = failureOf(await ask('https://open.feishu.test/token', { proxy: settings }))
    expect(answer).toMatchObject({ sent: false, error: { code: 'network_error' } })
    expect(answer.error.message).toMatch(message)
    expect(answer.error.nextStep).toContain('HTTPS_PROXY')
  })

  test('that hangs up without an answer is asked once, not without end', async () => {
    const asked: string[] = []
    const server = createHttpServer().on('connect', (request: IncomingMessage, client: Socket) => {
      asked.push(String(request.url))
      client.destroy()
    })
    const settings = proxyAt(await listen(server))
    const startedAt = performance.now()
    const answer = failureOf(await ask('https://open.feishu.test/token', { proxy: settings }))
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    expect(answer).toMatchObject({ sent: false, error: { code: 'network_error' } })
    expect(asked).toEqual(['open.feishu.test:443'])
  })

  test('that is down is told as unreachable', async () => {
    const port = await closedPort()
    const answer = failureOf(await ask('https://open.feishu.test/token', { proxy: proxyAt(port) }))
    expect(answer).toMatchObject({ sent: false, error: { code: 'network_error' } })
    expect(answer.error.message).toContain('ECONNREFUSED')
    expect(answer.error.nextStep).toContain('HTTPS_PROXY')
  })

  test.each<[string, RegExp]>([
    ['socks5://127.0.0.1:7890', /socks is not supported.*Write http:\/\//],
    ['socks4a://kim:canary@proxy', /socks is not supported/],
    ['http://', /no address of a proxy.*http:\/\/proxy\.example:8080/],
    ['ftp://proxy', /no address of a proxy/],
  ])('%s is named where a request needs it, and by no other request', async (value, said) => {
    const proxy = { proxy: new Secret(value), noProxy: 'exempt.test' }
    const answer = failureOf(await ask('https://open.feishu.test/token', { proxy }))
    expect([answer.sent, answer.error.code]).toEqual([false, 'config_invalid'])
    expect(`${answer.error.message} ${answer.error.nextStep}`).toMatch(said)
    expect(JSON.stringify(answer.error)).not.toContain('canary')
    const server = createHttpServer((_request, response) => response.end('direct'))
    const direct = await ask(`http://127.0.0.1:${await listen(server)}/`, { proxy })
    expect(bodyOf(direct)).toBe('direct')
    expect(failureOf(await ask('https://exempt.test/', { proxy })).error.code).toBe('network_error')
  })

  test.each(['127.0.0.1:PORT', 'kim:50%@127.0.0.1:PORT', 'http://kim:50%25@127.0.0.1:PORT'])(
    'a value as curl takes it is taken: %s',
    async (value) => {
      const proxy = await startProxy(0, '502 Bad Gateway')
      const settings = { proxy: new Secret(value.replace('PORT', String(proxy.port))), noProxy: null }
      await ask('https://open.feishu.test/token', { proxy: settings })
      const credentials = value.includes('@')
        ? `Basic ${Buffer.from('kim:50%').toString('base64')}`
        : undefined
      expect(proxy.asked.map(({ headers }) => headers['proxy-authorization'])).toEqual([credentials])
    },
  )

  test('an exempted host does not go', async (ctx) => {
    const direct = createHttpServer((_request, response) => response.end('direct'))
    const port = await listen(direct, '127.0.0.2').catch(() => null)
    if (port === null) return ctx.skip('127.0.0.2 is no address of this machine')
    const proxy = await startProxy(port, '502 Bad Gateway')
    const url = `http://127.0.0.2:${port}/`
    for (const list of ['127.0.0.2', 'example.com;127.0.0.2', 'example.com *', '127.0.0.2:1, *']) {
      expect(bodyOf(await ask(url, { proxy: proxyAt(proxy.port, list) })), list).toBe('direct')
    }
    expect(proxy.asked).toEqual([])
    expect(failureOf(await ask(url, { proxy: proxyAt(proxy.port, 'example.com') })).sent).toBe(false)
    expect(proxy.asked).toHaveLength(1)
  })
})
