import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { type Listener, type ListenerOptions, listenForCallback } from '../../src/loopback/listener.ts'
import type { Page } from '../../src/loopback/page-text.ts'
import { freePort } from '../support/port.ts'
import { holdTimers } from '../support/timers.ts'
import { getSecurely, NO_OPENSSL, selfSigned } from './certificate.ts'
import { closeServer, hasIPv6, holdPort, openListener, readAnswer, requestBytes, send } from './client.ts'

const NO_IPV6 = 'no IPv6 loopback here: enable it to run this test'

async function open(redirectUri: string, options: Partial<ListenerOptions> = {}): Promise<Listener> {
  const listener = await listenForCallback({
    redirectUri,
    listen: null,
    tls: null,
    language: null,
    onResponse: async () => ({ kind: 'denied' }),
    ...options,
  })
  onTestFinished(() => listener.close())
  return listener
}

async function refusal(opening: Promise<Listener>): Promise<CodedError> {
  const error = await opening.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error instanceof CodedError) return error
  throw new Error('the listener opened')
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = await holdPort(host, port).catch(() => null)
  if (server !== null) await closeServer(server)
  return server !== null
}

describe('the port', () => {
  test('of a redirect to localhost is held on both families', async (ctx) => {
    if (!(await hasIPv6())) ctx.skip(NO_IPV6)
    const port = await freePort()
    const { addresses } = await open(`http://localhost:${port}/callback`)
    expect(addresses).toEqual([`127.0.0.1:${port}`, `[::1]:${port}`])
    for (const host of ['127.0.0.1', '::1']) {
      expect((await send(port, requestBytes(port, '/callback'), host)).status).toBe(200)
    }
  })

  test('of a redirect to 127.0.0.1 is held there alone', async (ctx) => {
    if (!(await hasIPv6())) ctx.skip(NO_IPV6)
    const port = await freePort()
    const { addresses } = await open(`http://127.0.0.1:${port}/callback`)
    expect(addresses).toEqual([`127.0.0.1:${port}`])
    expect(await isFree('::1', port)).toBe(true)
  })

  test('of a redirect to [::1] is held there alone', async (ctx) => {
    if (!(await hasIPv6())) ctx.skip(NO_IPV6)
    const port = await freePort()
    const { addresses } = await open(`http://[::1]:${port}/callback`)
    expect(addresses).toEqual([`[::1]:${port}`])
    expect(await isFree('127.0.0.1', port)).toBe(true)
    const bytes = requestBytes(port, '/callback', { Host: `[::1]:${port}` })
    expect((await send(port, bytes, '::1')).status).toBe(200)
  })

  test('cannot be reached from outside this machine', async (ctx) => {
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.internal === false && address.family === 'IPv4')
    if (outside === undefined) return ctx.skip('no other network interface to try')
    const { port } = await openListener()
    await expect(send(port, requestBytes(port, '/callback'), outside.address)).rejects.toThrow(/ECONNREFUSED/)
  })

  test.each([
    '0.0.0.0',
    '::',
    '[::]',
    '',
    '*',
    '192.168.0.1',
    '10.0.0.1',
    '127.0.0.2',
    'example.com',
    'localhost.example.com',
    'ip6-localhost',
  ])('is never opened on %j', async (host) => {
    const port = await freePort()
    const error = await refusal(open(`http://localhost:${port}/callback`, { listen: { host, port } }))
    expect(error.code).toBe('config_invalid')
    expect(error.nextStep).toContain('FEISHU_CALLBACK_LISTEN')
  })

  test('of a redirect URI that is not on loopback is not opened without a place to listen', async () => {
    expect((await refusal(open('https://feishu.example.com/callback'))).code).toBe('config_invalid')
  })

  test('can be had again at once after answers were sent from it', async () => {
    const port = await freePort()
    for (let round = 0; round < 5; round += 1) {
      const listener = await open(`http://localhost:${port}/callback`)
      expect((await send(port, requestBytes(port, '/callback'))).status).toBe(200)
      await listener.close()
    }
  })
})

describe('a port that somebody else holds', () => {
  const RIVALS = [
    ['127.0.0.1', 'localhost'],
    ['::1', 'localhost'],
    ['0.0.0.0', 'localhost'],
    ['::', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '[::1]'],
  ] as const

  test.for(RIVALS)('on %s is refused for %s, and nothing stays open', async ([rivalHost, host], ctx) => {
    if (!(await hasIPv6())) ctx.skip(NO_IPV6)
    const port = await freePort()
    const rival = await holdPort(rivalHost, port)
    const error = await refusal(open(`http://${host}:${port}/callback`))
    expect(error.code).toBe('callback_port_in_use')
    expect(error.message).toContain(String(port))
    expect(error.message).toContain('in use')
    expect(error.nextStep).toContain('FEISHU_REDIRECT_URI')
    await closeServer(rival)
    expect(await isFree('127.0.0.1', port)).toBe(true)
    expect(await isFree('::1', port)).toBe(true)
  })

  test('by another copy of ours is refused too', async () => {
    const { port } = await openListener()
    expect((await refusal(open(`http://localhost:${port}/callback`))).code).toBe('callback_port_in_use')
    expect((await send(port, requestBytes(port, '/callback'))).status).toBe(200)
  })

  test('names the setting of the listening address where that was set', async () => {
    const port = await freePort()
    const rival = await holdPort('127.0.0.1', port)
    const listen = { host: '127.0.0.1', port }
    const error = await refusal(open('https://feishu.example.com/callback', { listen }))
    expect(error.nextStep).toContain('FEISHU_CALLBACK_LISTEN')
    await closeServer(rival)
  })

  test('is told from one that cannot be opened for another reason', async () => {
    const listen = { host: '127.0.0.1', port: 65_536 }
    const error = await refusal(open('https://feishu.example.com/callback', { listen }))
    expect(error.code).toBe('callback_port_in_use')
    expect(error.message).toBe('Port 65536 on 127.0.0.1 cannot be opened (ERR_SOCKET_BAD_PORT).')
  })
})

test('without IPv6 the listener holds IPv4 alone', async (ctx) => {
  const inside = [
    '-rn',
    'sh',
    '-c',
    'ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && "$@"',
    'sh',
  ]
  if (spawnSync('unshare', [...inside, 'true']).status !== 0) {
    return ctx.skip('no network namespaces: run on Linux with unshare, ip and sysctl')
  }
  const port = await freePort()
  const child = spawn(
    'unshare',
    [...inside, process.execPath, 'scripts/run.mjs', 'test/loopback/listener-process.ts', String(port)],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  const [addresses] = await once(child, 'message')
  expect(addresses).toEqual([`127.0.0.1:${port}`])
  child.send('close')
  await once(child, 'exit')
})

describe('close', () => {
  test('frees the port before it returns and can be called again', async () => {
    const port = await freePort()
    const listener = await open(`http://localhost:${port}/callback`)
    const closing = listener.close()
    expect(await isFree('127.0.0.1', port)).toBe(true)
    await closing
    await listener.close()
    await expect(send(port, requestBytes(port, '/callback'))).rejects.toThrow(/ECONNREFUSED/)
  })

  test('lets an answer in flight arrive', async () => {
    let finish = (_: Page) => {}
    const { port, queries, listener } = await openListener(
      () =>
        new Promise((resolve) => {
          finish = resolve
        }),
    )
    const answer = send(port, requestBytes(port, '/callback'))
    await expect.poll(() => queries.length).toBe(1)
    const closing = listener.close()
    expect(await isFree('127.0.0.1', port)).toBe(true)
    finish({ kind: 'denied' })
    expect((await answer).status).toBe(200)
    await closing
  })

  test('may be called by the handler, whose own answer still arrives', async () => {
    let isPortFree: boolean | null = null
    const { port, listener } = await openListener(async () => {
      void listener.close()
      isPortFree = await isFree('127.0.0.1', port)
      return { kind: 'denied' }
    })
    expect((await send(port, requestBytes(port, '/callback'))).status).toBe(200)
    expect(isPortFree).toBe(true)
    await listener.close()
  })

  test('waits at most a second for an answer that does not come', async () => {
    const { port, queries, listener } = await openListener(() => new Promise(() => {}))
    const socket = connect({ port, host: '127.0.0.1' })
    socket.write(requestBytes(port, '/callback'))
    await expect.poll(() => queries.length).toBe(1)
    holdTimers()
    let closed = false
    const closing = listener.close().then(() => {
      closed = true
    })
    await vi.advanceTimersByTimeAsync(999)
    expect(closed).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    await closing
    expect((await readAnswer(socket).catch(() => null))?.body ?? '').toBe('')
  })

  test('does not wait for connections that have asked nothing', async () => {
    const { port, listener } = await openListener()
    const socket = connect({ port, host: '127.0.0.1' })
    await once(socket, 'connect')
    socket.on('error', () => {})
    // The time that an answer would have does not pass.
    holdTimers()
    await listener.close()
    expect(await isFree('127.0.0.1', port)).toBe(true)
    socket.resume()
    await once(socket, 'close')
  })

  test('leaves nothing that keeps the process alive', async () => {
    const port = await freePort()
    const child: ChildProcess = fork('scripts/run.mjs', ['test/loopback/listener-process.ts', String(port)])
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child, 'message')
    expect((await send(port, requestBytes(port, '/callback'))).status).toBe(400)
    const silent = connect({ port, host: '127.0.0.1' })
    await once(silent, 'connect')
    silent.on('error', () => {})
    child.send('close')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

describe('behind a proxy that ends TLS', () => {
  test('the Host is that of the redirect URI, and no other', async () => {
    const port = await freePort()
    const redirectUri = 'https://feishu.example.com/oauth/callback'
    const { addresses } = await open(redirectUri, { listen: { host: '127.0.0.1', port } })
    expect(addresses).toEqual([`127.0.0.1:${port}`])
    const status = async (host: string) =>
      (await send(port, requestBytes(port, '/oauth/callback', { Host: host }))).status
    expect(await status('feishu.example.com')).toBe(200)
    expect(await status('feishu.example.com:443')).toBe(200)
    expect(await status('feishu.example.com:80')).toBe(421)
    expect(await status(`feishu.example.com:${port}`)).toBe(421)
    expect(await status(`127.0.0.1:${port}`)).toBe(421)
    expect(await status(`localhost:${port}`)).toBe(421)
  })

  test('a port in the redirect URI belongs to the Host, not to the listener', async () => {
    const port = await freePort()
    await open('https://localhost:8443/callback', { listen: { host: 'localhost', port } })
    expect((await send(port, requestBytes(port, '/callback', { Host: 'localhost:8443' }))).status).toBe(200)
    expect((await send(port, requestBytes(port, '/callback'))).status).toBe(421)
  })
})

describe('with our own certificate', () => {
  test('the listener speaks https, and only https', async (ctx) => {
    const tls = selfSigned() ?? ctx.skip(NO_OPENSSL)
    const port = await freePort()
    const { queries } = await openListener(undefined, {
      redirectUri: `https://localhost:${port}/callback`,
      tls,
    })
    const answer = await getSecurely(port, '/callback?code=c&state=s', tls.cert)
    expect(answer.status).toBe(200)
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'")
    expect((await getSecurely(port, '/', tls.cert)).status).toBe(404)
    await send(port, requestBytes(port, '/callback?in=clear')).catch(() => null)
    expect(queries.map(String)).toEqual(['code=c&state=s'])
    expect((await getSecurely(port, '/callback?still=alive', tls.cert)).status).toBe(200)
  })
})
