// How long a start takes and how much memory, as ratios to a bare Node in the same interleaved run. Medians: these
// figures are noisy.

import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { openTheatre, type Scene, setScene } from '../test/faults/scene.ts'
import { type Course, type Figure, median } from './figure.ts'
import { installPeer } from './peers.ts'
import { type Command, memoryOf, openSession, readMemory, timeToExit } from './process.ts'

const PROGRAM = resolve('dist/main.js')
/** The fewest from which a median is worth printing, and twice that. */
const ROUNDS = { short: 15, full: 31 }
/** lark-mcp takes a second to start. */
const SLOW_ROUNDS = 15

type Server = { name: string; command: Command; starts: number[]; peaks: number[] }

async function serversOf({ node, short }: Course, scene: Scene): Promise<Server[]> {
  const { sandbox, home } = scene
  const filesystem = short ? null : await installPeer('server-filesystem')
  const lark = short ? null : await installPeer('lark-mcp')
  const server = (name: string, command: Command): Server => ({ name, command, starts: [], peaks: [] })
  const { appId, appSecret } = sandbox.app
  return [
    server('feishu-token-mcp', [node, PROGRAM]),
    ...(filesystem ? [server('server-filesystem', [node, filesystem, home])] : []),
    ...(lark ? [server('lark-mcp', [node, lark, 'mcp', '-a', appId, '-s', appSecret])] : []),
  ]
}

async function startServer(server: Server, scene: Scene): Promise<void> {
  const session = await openSession(server.command, scene.env)
  server.starts.push(session.startedMs)
  await session.request('tools/list')
  const peak = memoryOf(session.pid, 'VmHWM')
  if (peak !== null) server.peaks.push(peak)
  await session.close()
}

/** The peak of a Node that does nothing but tell it; null where there is no /proc. */
async function barePeak(node: string, scene: Scene): Promise<number | null> {
  const { stdout } = await promisify(execFile)(
    node,
    ['-e', "try { fs.writeSync(1, fs.readFileSync('/proc/self/status')) } catch {}"],
    { env: scene.env },
  )
  return readMemory(stdout, 'VmHWM')
}

type Times = Record<'bare' | 'true' | 'token' | 'status' | 'exec', number[]>

async function measure(course: Course, scene: Scene, servers: Server[]) {
  const { node, short } = course
  const times: Times = { bare: [], true: [], token: [], status: [], exec: [] }
  const commands: Record<keyof Times, Command> = {
    bare: [node, '-e', '0'],
    true: ['true'],
    token: [node, PROGRAM, 'token'],
    status: [node, PROGRAM, 'status', '--json'],
    exec: [node, PROGRAM, 'exec', '--', 'true'],
  }
  const peaks: number[] = []
  const rounds = short ? ROUNDS.short : ROUNDS.full
  for (let round = -1; round < rounds; round += 1) {
    // The first round brings the files into memory and is not counted.
    const counts = round >= 0
    for (const [name, command] of Object.entries(commands) as [keyof Times, Command][]) {
      const took = await timeToExit(command, scene.env)
      if (counts) times[name].push(took)
    }
    const peak = await barePeak(node, scene)
    if (counts && peak !== null) peaks.push(peak)
    if (!counts) continue
    for (const server of servers)
      if (server.name !== 'lark-mcp' || round < SLOW_ROUNDS) await startServer(server, scene)
  }
  return { times, peaks }
}

/** Measures the starts of the program, and of its peers, against a bare Node. */
export async function benchStartup(course: Course): Promise<Figure[]> {
  const theatre = await openTheatre()
  try {
    const scene = await setScene(theatre)
    const servers = await serversOf(course, scene)
    const requestsBefore = theatre.sandbox.requests.length
    const { times, peaks } = await measure(course, scene, servers)
    if (theatre.sandbox.requests.length > requestsBefore) throw new Error('a valid token cost a request')
    const bare = median(times.bare)
    const [starts, memory] = [
      compare(servers, 'starts', bare),
      compare(servers, 'peaks', peaks.length > 0 ? median(peaks) : Number.NaN),
    ]
    const exec = (median(times.exec) - median(times.true)) / bare
    const unit = '× bare Node'
    const row = (key: string, figure: string, value: number, atMost: number): Figure => {
      return { key, figure, value, unit, target: { atMost } }
    }
    const figures = [
      { ...row('initialize', 'spawn → answer to `initialize`', starts.value, 2.4), peers: starts.peers },
      { ...row('memory', 'peak memory after `tools/list`', memory.value, 1.3), peers: memory.peers },
      row('token', '`token`, valid, key in a file', median(times.token) / bare, 1.6),
      row('status', '`status --json`', median(times.status) / bare, 1.7),
      row('exec', "`exec -- true`, without the child's own time", exec, 1.9),
    ]
    if (peaks.length > 0) return figures
    process.stderr.write('SKIPPED: peak memory, which is read from /proc, and there is none here\n')
    return figures.filter(({ key }) => key !== 'memory')
  } finally {
    await theatre.close()
  }
}

function compare(
  servers: Server[],
  what: 'starts' | 'peaks',
  bare: number,
): Required<Pick<Figure, 'value' | 'peers'>> {
  const [own, ...peers] = servers.map((server) => ({ name: server.name, value: median(server[what]) / bare }))
  return { value: own?.value ?? Number.NaN, peers }
}
