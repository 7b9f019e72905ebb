import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../support/port.ts'
import { getSecurely, NO_OPENSSL, selfSigned } from './certificate.ts'
import { hasIPv6, openListener, requestBytes, send } from './client.ts'
import type { Measurement } from './listener-process.ts'

const HOSTILE_REQUESTS = 10_000
const HALF_OPEN_SOCKETS = 200
/** As many as a page and a script next to it could keep going at once. */
const AT_ONCE = 50
/** How often the page is loaded in the thick of it. */
const TIMES = 20

async function loopbackHosts(): Promise<string[]> {
  return (await hasIPv6()) ? ['127.0.0.1', '::1'] : ['127.0.0.1']
}

async function startListener(port: number): Promise<ChildProcess> {
  const child = fork('scripts/run.mjs', ['test/loopback/listener-process.ts', String(port)])
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}

async function measure(child: ChildProcess): Promise<Measurement> {
  child.send('measure')
  const [measurement] = await once(child, 'message')
  return measurement as Measurement
}

/** Half of them silent, half stopped within their headers; stubborn ones come back at once when they are dropped. */
function holdConnections(port: number, hosts: string[], isStubborn: boolean): () => void {
  const sockets = new Set<Socket>()
  let isOver = false
  const add = (number: number) => {
    const socket = connect({ port, host: hosts[number % hosts.length] ?? '127.0.0.1' })
    sockets.add(socket)
    if (number % 4 < 2) socket.write('GET /callback?state=wrong HTTP/1.1\r\nHost: localh')
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      if (isStubborn && !isOver) add(number)
    })
  }
  for (let number = 0; number < HALF_OPEN_SOCKETS; number += 1) add(number)
  const release = () => {
    isOver = true
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(release)
  return release
}

const HOSTILE: ((port: number) => string)[] = [
  (port) => requestBytes(port, '/callback?state=wrong&code=stolen'),
  (port) => requestBytes(port, '/callback?error=access_denied'),
  (port) => requestBytes(port, '/callback?state=right', { Host: 'evil.example' }),
  (port) => requestBytes(port, '/callback?state=right', { Origin: 'http://evil.example' }),
  (port) => requestBytes(port, '/callback?state=right', {}, 'POST'),
  (port) => requestBytes(port, '/other?state=right'),
  (port) => requestBytes(port, `/callback?state=right&x=${'x'.repeat(9_000)}`),
  (port) => requestBytes(port, '/callback?state=right', { Cookie: 'x'.repeat(17_000) }),
  () => '\u0016\u0003\u0001 not http\r\n\r\n',
]

/** Sends hostile requests and tells how many were answered; one that is dropped or reset is the sender's problem. */
async function attack(port: number, goesOn: (sent: number) => boolean): Promise<number> {
  let [sent, answered] = [0, 0]
  const sendSome = async () => {
    while (goesOn(sent)) {
      const bytes = HOSTILE[sent++ % HOSTILE.length]?.(port) ?? ''
      const answer = await send(port, bytes).catch(() => null)
      if (answer !== null && answer.status >= 400) answered += 1
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, sendSome))
  return answered
}

const upTo =
  (count: number) =>
  (sent: number): boolean =>
    sent < count

/** One request of a browser; 0: its connection ended before an answer. */
async function sendReal(port: number): Promise<number> {
  return (await send(port, requestBytes(port, '/callback?state=right')).catch(() => null))?.status || 0
}

/**
 * What a person sees who loads the page until it shows. Ours is late with its request now and then, because it shares a
 * thread with the attack, and is dropped as a silent one then.
 */
async function loadReal(port: number): Promise<number> {
  for (;;) {
    const status = await sendReal(port)
    if (status !== 0) return status
  }
}

describe('the person gets through', () => {
  test('after 10,000 hostile requests and past 200 half-open connections', async () => {
    const port = await freePort()
    const child = await startListener(port)
    // What is loaded and compiled with the first traffic stays.
    await attack(port, upTo(HOSTILE_REQUESTS / 2))
    const before = await measure(child)
    const release = holdConnections(port, await loopbackHosts(), false)
    const answered = await attack(port, upTo(HOSTILE_REQUESTS))
    expect(await loadReal(port)).toBe(200)
    // Those that come late with their bytes, from a thread that sends thousands, count as silent and are dropped.
    expect(answered).toBeGreaterThan(0.1 * HOSTILE_REQUESTS)
    release()
    await expect.poll(async () => (await measure(child)).descriptors).toBe(before.descriptors)
    const after = await measure(child)
    expect(after.heldMebibytes - before.heldMebibytes).toBeLessThan(2)
  })

  test('every time while all of it is going on', async () => {
    const port = await freePort()
    await startListener(port)
    holdConnections(port, await loopbackHosts(), true)
    let isOver = false
    const attacks = attack(port, () => !isOver)
    for (let time = 0; time < TIMES; time += 1) expect(await loadReal(port)).toBe(200)
    isOver = true
    expect(await attacks).toBeGreaterThan(0)
  })

  test('past 200 connections that never finish the TLS handshake', async (ctx) => {
    const tls = selfSigned() ?? ctx.skip(NO_OPENSSL)
    const port = await freePort()
    const { queries } = await openListener(undefined, {
      redirectUri: `https://localhost:${port}/callback`,
      tls,
    })
    holdConnections(port, ['127.0.0.1'], false)
    const { status } = await getSecurely(port, '/callback?state=right', tls.cert)
    expect([status, queries.length]).toEqual([200, 1])
  })

  test('and few connections stay, the youngest, when nobody speaks', async () => {
    const { port } = await openListener()
    const dropped: number[] = []
    for (let number = 0; number < HALF_OPEN_SOCKETS; number += 1) {
      const socket = connect({ port, host: '127.0.0.1' })
      socket.on('error', () => {})
      socket.on('close', () => dropped.push(number))
    }
    await expect.poll(() => dropped.length).toBe(HALF_OPEN_SOCKETS - 32)
    expect(Math.max(...dropped)).toBe(HALF_OPEN_SOCKETS - 32 - 1)
  })

  test('not, when connections are merely counted: the control', async () => {
    const server = createServer((_request, response) => response.end())
    server.maxConnections = 32
    server.listen({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    onTestFinished(() => server.closeAllConnections())
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    const sockets = Array.from({ length: 32 }, () => connect({ port, host: '127.0.0.1' }))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    expect(await sendReal(port)).not.toBe(200)
  })
})
