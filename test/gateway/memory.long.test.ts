import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Gateway } from '../../src/gateway/gateway.ts'
import { bearing, call, gate, startGatewayTo, startUpstream } from './fixture.ts'

const LARGE = 200_000_000

/** Held back by one side while as much passes beside it: four times what fits in between. */
const HELD = 64_000_000
const CHUNK = Buffer.alloc(65_536, 'x')

/** What sockets and streams hold between two programs at most: kernel buffers of some megabytes, the rest is ours. */
const IN_BETWEEN = 16_000_000

/** Chunks that wait for the garbage collector, some 60 MB as in any proxy; one hoarded body would be 200 MB. */
const GROWTH = 100_000_000

function* chunks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length))
}

function body(bytes: number): Readable {
  return Readable.from(chunks(bytes), { objectMode: false })
}

async function count(stream: Readable): Promise<number> {
  let bytes = 0
  for await (const chunk of stream) bytes += chunk.length
  return bytes
}

async function upload(gateway: Gateway, bytes: number, headers: Record<string, string>): Promise<string> {
  const req = request(gateway.origin, {
    method: 'POST',
    headers: { ...bearing(gateway), ...headers },
    agent: new Agent(),
  })
  const [[res]] = await Promise.all([once(req, 'response'), pipeline(body(bytes), req)])
  const parts: Buffer[] = []
  for await (const part of res as IncomingMessage) parts.push(part)
  return Buffer.concat(parts).toString()
}

async function download(gateway: Gateway, path: string): Promise<IncomingMessage> {
  const req = request(gateway.origin, { path, headers: bearing(gateway), agent: new Agent() }).end()
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  return res
}

/** `/BYTES` is downloaded; any body is counted. */
async function transfer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.method === 'POST') return void res.end(String(await count(req)))
  await pipeline(body(Number(req.url?.slice(1))), res).catch(() => {})
}

test('200 MB each way, with and without a declared length, leave the memory as it was', async () => {
  const upstream = await startUpstream(transfer)
  const child = fork('scripts/run.mjs', ['test/gateway/gateway-process.ts', upstream.origin])
  onTestFinished(() => void child.kill())
  const [gateway] = (await once(child, 'message')) as [Gateway]
  const peak = async (): Promise<number> => {
    child.send('peak')
    const [bytes] = await once(child, 'message')
    return bytes
  }
  const both = async (bytes: number): Promise<void> => {
    expect(await upload(gateway, bytes, { 'content-length': String(bytes) })).toBe(String(bytes))
    expect(await upload(gateway, bytes, { 'transfer-encoding': 'chunked' })).toBe(String(bytes))
    expect(await count(await download(gateway, `/${bytes}`))).toBe(bytes)
  }
  await both(1)
  const before = await peak()
  await both(LARGE)
  expect((await peak()) - before).toBeLessThan(GROWTH)
})

test('a program that stops reading holds the open host back, and no one else', async () => {
  const slow = { sent: 0 }
  const upstream = await startUpstream((req, res) => {
    if (req.url !== '/slow') return void transfer(req, res)
    const counted = body(HELD).on('data', (chunk) => {
      slow.sent += chunk.length
    })
    pipeline(counted, res).catch(() => {})
  })
  const gateway = await startGatewayTo(upstream.origin)
  const res = await download(gateway, '/slow')
  expect(await count(await download(gateway, `/${HELD}`))).toBe(HELD)
  expect(slow.sent).toBeLessThan(IN_BETWEEN)
  expect(await count(res)).toBe(HELD)
})

test('an open host that stops reading holds the program back', async () => {
  const reading = gate()
  const arrived = gate()
  const upstream = await startUpstream(async (req, res) => {
    if (req.url === '/slow') {
      arrived.open()
      await reading.opened
    }
    await transfer(req, res)
  })
  const gateway = await startGatewayTo(upstream.origin)
  const bytes = HELD
  const headers = { ...bearing(gateway), 'content-length': String(bytes) }
  const req = request(gateway.origin, { path: '/slow', method: 'POST', headers, agent: new Agent() })
  let sent = 0
  const counted = body(bytes).on('data', (chunk) => {
    sent += chunk.length
  })
  const done = pipeline(counted, req)
  await arrived.opened
  expect(await count(await download(gateway, `/${HELD}`))).toBe(HELD)
  expect(sent).toBeLessThan(IN_BETWEEN)
  reading.open()
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  expect((await res.toArray()).join('')).toBe(String(bytes))
  await done
  expect((await call(gateway, { path: '/1' })).status).toBe(200)
})
