import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EnvHttpProxyAgent, Agent as UndiciAgent } from 'undici'
import { startGateway } from '../src/gateway/gateway.ts'
import { startStandingGateway } from '../src/gateway/standing.ts'
import { benchCrowd } from './crowd.ts'
import { type Course, type Figure, median } from './figure.ts'

// Both gateways beside a plain pass-through proxy, in one run: each in a process of its own, in front of one upstream.

/**
 * How often, the bytes of each large upload and download, and the turns of small requests in each round: short ones, so
 * that whatever else the machine does meets all paths alike.
 */
const EXTENT = {
  short: { rounds: 15, bytes: 4_000_000, turns: 2 },
  full: { rounds: 20, bytes: 40_000_000, turns: 7 },
}

type Extent = { rounds: number; bytes: number; turns: number }

/** A chunk as a file stream reads it. */
const CHUNK = Buffer.alloc(65_536, 'x')

/** About what a small call to Feishu sends and gets. */
const SMALL = JSON.stringify({ code: 0, msg: 'success', data: { text: 'x'.repeat(512) } })

/** More than one child keeps busy; enough to saturate either proxy. */
const PARALLEL = 16

/** As long as Feishu's; without the gateway the program itself would send it. */
const TOKEN = `eyJ${'x'.repeat(1_500)}`

/** Small requests in one turn, one after another and then in parallel. */
const SEQUENTIAL = 25
const CONCURRENT = 500

const PATHS = ['direct', 'plain', 'gateway', 'standing'] as const

type Path = (typeof PATHS)[number]
export type Peer = {
  origin: string
  key: string
  client: UndiciAgent
  /** Its resident memory now, in bytes. */
  memory: () => Promise<number>
  stop: () => void
}
type Sample = { latency: number[]; small: number[]; download: number[]; upload: number[] }
type Samples = Record<Path, Sample>

/** Measures each gateway's added latency and its throughput as ratios to the plain proxy's, and a crowd at the standing one. */
export async function benchGateway({ node, short }: Course): Promise<Figure[]> {
  const extent = short ? EXTENT.short : EXTENT.full
  const upstream = await startPeer(node, 'upstream')
  const peers: Record<Path, Peer> = {
    direct: upstream,
    plain: await startPeer(node, 'plain', upstream.origin),
    gateway: await startPeer(node, 'gateway', upstream.origin),
    standing: await startPeer(node, 'standing', upstream.origin),
  }
  try {
    await measure(peers, { ...extent, rounds: 1 }) // warms up
    const samples = await measure(peers, extent)
    const figures = [...compare(samples, 'gateway'), ...compare(samples, 'standing')]
    return [...figures, ...(await benchCrowd(peers.standing, short))]
  } finally {
    for (const peer of Object.values(peers)) peer.stop()
  }
}

async function measure(peers: Record<Path, Peer>, { rounds, bytes, turns }: Extent): Promise<Samples> {
  const none = () => ({ latency: [], small: [], download: [], upload: [] })
  const samples: Samples = { direct: none(), plain: none(), gateway: none(), standing: none() }
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < turns; turn++) {
      for (const path of PATHS) await measureSmall(peers[path], samples[path])
    }
    for (const path of PATHS) await measureLarge(peers[path], samples[path], bytes)
  }
  return samples
}

async function measureSmall(peer: Peer, sample: Sample): Promise<void> {
  for (let i = 0; i < SEQUENTIAL; i++) sample.latency.push(1e6 * (await seconds(() => callSmall(peer, i))))
  sample.small.push(CONCURRENT / (await seconds(() => callMany(peer, CONCURRENT))))
}

async function measureLarge(peer: Peer, sample: Sample, bytes: number): Promise<void> {
  sample.download.push(bytes / 1e6 / (await seconds(() => call(peer, `/open-apis/download/${bytes}`, null))))
  const file = Readable.from(chunks(bytes), { objectMode: false })
  sample.upload.push(bytes / 1e6 / (await seconds(() => call(peer, '/open-apis/upload', file, bytes))))
}

/** Half of the small calls send a body, as a program that reads and writes does. */
function callSmall(peer: Peer, i: number): Promise<void> {
  return call(peer, '/open-apis/small', i % 2 === 0 ? null : Buffer.from(SMALL))
}

async function callMany(peer: Peer, times: number): Promise<void> {
  let sent = 0
  const worker = async () => {
    while (sent < times) await callSmall(peer, sent++)
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
}

async function call(peer: Peer, path: string, body: Buffer | Readable | null, bytes = 0): Promise<void> {
  const headers = {
    authorization: `Bearer ${peer.key}`,
    ...(bytes > 0 && { 'content-length': String(bytes) }),
  }
  const method = body === null ? 'GET' : 'POST'
  const answer = await peer.client.request({ origin: peer.origin, path, method, headers, body })
  let received = 0
  for await (const chunk of answer.body) received += chunk.length
  if (answer.statusCode !== 200 || received === 0) throw new Error(`${path}: HTTP ${answer.statusCode}`)
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1_000
}

function compare(samples: Samples, gateway: 'gateway' | 'standing'): Figure[] {
  const name = gateway === 'gateway' ? 'gateway' : 'standing gateway'
  const direct = median(samples.direct.latency)
  const added = (path: Path) => median(samples[path].latency) - direct
  const unit = '× plain proxy'
  const latency = added(gateway) / added('plain')
  const throughput = (['small', 'download', 'upload'] as const).map((kind): Figure => {
    const value = median(samples[gateway][kind]) / median(samples.plain[kind])
    const figure = `throughput of the ${name}, ${{ small: 'small calls', download: 'downloads', upload: 'uploads' }[kind]}`
    return { key: `${gateway}-${kind}`, figure, value, unit, target: { atLeast: 0.85 } }
  })
  const figure = `latency that the ${name} adds`
  return [{ key: `${gateway}-latency`, figure, value: latency, unit, target: { atMost: 1.2 } }, ...throughput]
}

function* chunks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length))
}

/** Runs this file again as one of the peers; it reports its origin and key. */
async function startPeer(node: string, role: string, origin = ''): Promise<Peer> {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
  const child = fork('scripts/run.mjs', ['bench/gateway.ts', role, origin], { execPath: node, env })
  const [message] = (await once(child, 'message')) as [{ origin: string; key: string }]
  const client = new UndiciAgent()
  const memory = async () => {
    child.send('memory')
    const [bytes] = (await once(child, 'message')) as [number]
    return bytes
  }
  const stop = () => {
    child.disconnect()
    client.destroy()
  }
  return { ...message, client, memory, stop }
}

function runUpstream(): Promise<string> {
  return listen(
    createServer(async (req, res) => {
      const [, size] = /\/download\/(\d+)$/.exec(req.url ?? '') ?? []
      if (size !== undefined) {
        const bytes = Number(size)
        res.writeHead(200, { 'content-length': bytes })
        return pipeline(Readable.from(chunks(bytes), { objectMode: false }), res)
      }
      let received = 0
      for await (const chunk of req) received += chunk.length
      res.writeHead(200, { 'content-type': 'application/json', 'x-received': received })
      res.end(SMALL)
    }),
  )
}

/** The plain proxy that the gateway is measured against: pipes both ways and nothing else. */
function runPlain(upstream: string): Promise<string> {
  const agent = new Agent({ keepAlive: true })
  const { hostname, port, host } = new URL(upstream)
  return listen(
    createServer((req, res) => {
      const { method, url: path } = req
      const headers = { ...req.headers, host }
      const forwarded = request({ agent, hostname, port, method, path, headers }, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(res)
      })
      forwarded.on('error', () => res.destroy())
      res.on('close', () => res.writableFinished || forwarded.destroy())
      req.pipe(forwarded)
    }),
  )
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function runGateway(upstream: string): Promise<{ origin: string; key: string }> {
  const token = { accessToken: TOKEN, generation: 1 }
  const agent = new EnvHttpProxyAgent()
  return startGateway({
    openUrl: upstream,
    dispatcher: async () => agent,
    currentToken: async () => token,
    renewToken: async () => token,
    log: () => {},
  })
}

async function runStanding(upstream: string): Promise<{ origin: string; key: string }> {
  const token = { accessToken: TOKEN, generation: 1 }
  const agent = new EnvHttpProxyAgent()
  const { address } = await startStandingGateway({
    listen: { host: '127.0.0.1', port: 0 },
    anyHost: false,
    destinations: async () => ({ openUrl: upstream, mcpUrl: `${upstream}/mcp` }),
    acceptsKey: (key) => key === TOKEN,
    tools: [],
    command: 'feishu-token-mcp',
    option: '',
    dispatcher: async () => agent,
    currentToken: async () => token,
    renewToken: async () => token,
    log: () => {},
  })
  return { origin: `http://127.0.0.1:${address.port}`, key: TOKEN }
}

async function runPeer(role: string, upstream: string): Promise<void> {
  process.once('disconnect', () => process.exit())
  process.on('message', () => process.send?.(process.memoryUsage().rss))
  const gateways: Record<string, typeof runGateway> = { gateway: runGateway, standing: runStanding }
  const peer = (await gateways[role]?.(upstream)) ?? {
    origin: await (role === 'plain' ? runPlain(upstream) : runUpstream()),
    key: TOKEN,
  }
  process.send?.({ origin: peer.origin, key: peer.key })
}

if (basename(process.argv[1] ?? '').startsWith('gateway-')) {
  const [role, upstream = ''] = process.argv.slice(2)
  if (role !== undefined) await runPeer(role, upstream)
}
