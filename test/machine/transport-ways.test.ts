import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDispatchers } from '../../src/machine/dispatchers.ts'
import type { ProxySettings } from '../../src/machine/proxy.ts'
import { Secret } from '../../src/secret.ts'
import { NO_OPENSSL, selfSigned } from '../loopback/certificate.ts'
import { makeFolder } from '../support/folder.ts'
import { ask, bodyOf, closedPort, countSends, failureOf, listen } from './transport-peers.ts'

describe('over TLS', () => {
  test('a certificate that is not trusted is named as such, with the variable to set', async (ctx) => {
    const certificate = selfSigned()
    if (!certificate) return ctx.skip(NO_OPENSSL)
    const port = await listen(createHttpsServer(certificate, (_request, response) => response.end('ok')))
    const { onSend, sends } = countSends()
    const answer = failureOf(await ask(`https://127.0.0.1:${port}/`, { onSend }))
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
    const answer = failureOf(await ask('https://open.feishu.test/token', { proxy: settings }))
    expect(answer).toMatchObject({ sent: false, error: { code: 'network_error' } })
    expect(asked).toEqual(['open.feishu.test:443'])
  })

  test('that takes a connection and never answers is no way, after the time that a connection may take', async () => {
    const port = await listen(createServer((socket) => void socket.resume()))
    const limits = { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 100 } }
    const dispatcher = await createDispatchers(proxyAt(port))('https://open.feishu.test/', limits)
    onTestFinished(() => dispatcher.destroy())
    const request = dispatcher.request({ origin: 'https://open.feishu.test', path: '/', method: 'GET' })
    await expect(request).rejects.toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' })
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
