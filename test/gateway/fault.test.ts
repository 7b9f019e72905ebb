import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect, createServer } from 'node:net'
import { Agent as UndiciAgent } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import type { Gateway } from '../../src/gateway/gateway.ts'
import { holdTimers } from '../support/timers.ts'
import { bearing, call, gate, originOf, reasonOf, sendRaw, startGatewayTo, startUpstream } from './fixture.ts'

/** Far longer than a loopback round trip on any machine, short enough to wait for. */
const SHORT_MS = 1_000

async function startRaw(answer: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return originOf(server)
}

test('an open host that cannot be reached is a 502, whatever the reason', async () => {
  const upstream = await startUpstream((_req, res) => res.end())
  const noName = new UndiciAgent({
    connect: {
      lookup: (_host, _options, done) => done(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), []),
    },
  })
  const cases = [
    [await startGatewayTo('http://127.0.0.1:1'), 'ECONNREFUSED'],
    [await startGatewayTo('http://open.feishu.invalid', { agent: noName }), 'ENOTFOUND'],
    [await startGatewayTo(upstream.origin.replace('http:', 'https:')), 'SSL'],
    [await startGatewayTo(await startRaw('')), 'UND_ERR_SOCKET'],
    [await startGatewayTo(await startRaw('garbage\r\n\r\n')), 'HTTPParserError'],
  ] as const
  for (const [gateway, code] of cases) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (const body of [Buffer.alloc(20_000_000), '']) {
      const answer = await call(gateway, { method: 'POST', body, agent })
      expect([answer.status, reasonOf(answer)]).toEqual([502, 'network_error'])
      expect(answer.body.toString()).toMatch(body === '' ? code : /./)
    }
    expect(gateway.log).toHaveLength(2)
    agent.destroy()
  }
  await noName.destroy()
})

test('an open host that stays silent is a 504', async () => {
  const upstream = await startUpstream(() => {})
  const gateway = await startGatewayTo(upstream.origin, { idleTimeoutMs: SHORT_MS })
  const bodies = ['x', Buffer.alloc(2_000_000)]
  const answers = await Promise.all(bodies.map((body) => call(gateway, { method: 'POST', body })))
  for (const answer of answers) expect([answer.status, reasonOf(answer)]).toEqual([504, 'network_error'])
})

test('an answer that falls silent is broken off', async () => {
  const upstream = await startUpstream((_req, res) => {
    res.writeHead(200, { 'content-length': 100 })
    res.write('some')
  })
  const gateway = await startGatewayTo(upstream.origin, { idleTimeoutMs: SHORT_MS })
  await expect(call(gateway)).rejects.toThrow('aborted')
  expect(gateway.log.join()).toContain('UND_ERR_BODY_TIMEOUT')
})

/** Begins a body and sends no more; gives the answer. */
async function stall(gateway: Gateway, declared: number): Promise<IncomingMessage> {
  const headers = { ...bearing(gateway), 'content-length': String(declared) }
  const agent = new Agent({ keepAlive: true })
  const req = request(gateway.origin, { method: 'POST', headers, agent }).on('error', () => {})
  req.write('only this')
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  await once(res.resume(), 'close')
  return res
}

test('an upload that falls silent is a 408 and reaches the open host as broken off', async () => {
  const left = gate()
  const upstream = await startUpstream((req) => {
    req.resume().once('close', left.open)
    req.on('error', () => {})
  })
  const gateway = await startGatewayTo(upstream.origin, { idleTimeoutMs: SHORT_MS })
  const answers = await Promise.all([1_000, 5_000_000].map((declared) => stall(gateway, declared)))
  for (const res of answers) expect([res.statusCode, res.headers.connection]).toEqual([408, 'close'])
  await left.opened
  expect(upstream.requests).toHaveLength(1)
  expect(upstream.requests[0]?.complete).toBe(false)
})

test('a silent connection between requests stays open', async () => {
  const upstream = await startUpstream((_req, res) => res.end())
  const gateway = await startGatewayTo(upstream.origin, { idleTimeoutMs: SHORT_MS })
  const socket = connect(Number(new URL(gateway.origin).port), '127.0.0.1')
  await once(socket, 'connect')
  // It begins later, so that our time is over when its time is.
  await stall(gateway, 10)
  socket.write(
    `GET /open-apis/auth/ HTTP/1.1\r\nHost: ${new URL(gateway.origin).host}\r\nConnection: close\r\n\r\n`,
  )
  const [answer] = await once(socket.setEncoding('latin1'), 'data')
  expect(answer).toMatch(/^HTTP\/1\.1 200/)
})

test('a header that HTTP does not allow is a 400', async () => {
  const upstream = await startUpstream((_req, res) => res.end())
  const gateway = await startGatewayTo(upstream.origin)
  const host = new URL(gateway.origin).host
  const text = await sendRaw(gateway, `GET /caf\u00e9\u0001 HTTP/1.1\nHost: ${host}\nConnection: close\n\n`)
  expect(text).toMatch(/^HTTP\/1\.1 400 /)
})

test('closing waits for what is under way, ends idle connections at once, and can be called twice', async () => {
  const held = gate()
  const arrived = gate()
  const upstream = await startUpstream(async (req, res) => {
    if (req.url !== '/held') return void res.end()
    arrived.open()
    await held.opened
    res.end('whole')
  })
  const gateway = await startGatewayTo(upstream.origin)
  const agent = new Agent({ keepAlive: true })
  await call(gateway, { agent })
  const underWay = call(gateway, { path: '/held', agent })
  await arrived.opened
  // What is idle does not wait for the time that is given to what is under way.
  holdTimers()
  const closing = gateway.close()
  held.open()
  expect((await underWay).body.toString()).toBe('whole')
  await closing
  await gateway.close()
  await expect(call(gateway)).rejects.toThrow('ECONNREFUSED')
})

test('closing does not wait for what does not end, and ends it at the open host, too', async () => {
  const arrived = gate()
  const left = gate()
  const upstream = await startUpstream((_req, res) => {
    res.on('close', left.open)
    arrived.open()
  })
  const gateway = await startGatewayTo(upstream.origin)
  const underWay = call(gateway)
  const broken = expect(underWay).rejects.toThrow('socket hang up')
  await arrived.opened
  await gateway.close()
  await broken
  await left.opened
})
