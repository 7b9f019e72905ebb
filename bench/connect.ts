// What `connect` costs: its start beside the plain server's, a call through it beside the same call by the SDK's client,
// its memory beside mcp-remote's, and how many refreshes eight calls cost that meet an expired token.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { openTheatre, type Scene, setScene } from '../test/faults/scene.ts'
import { type Course, type Figure, median } from './figure.ts'
import { installPeer } from './peers.ts'
import { type Command, memoryOf, openSession, type Session } from './process.ts'

const PROGRAM = resolve('dist/main.js')
/** The fewest from which a median is worth printing, and twice that. */
const ROUNDS = { short: 15, full: 31 }
/** Calls in each round, through `connect` and past it in turns. */
const CALLS = 40
/** As many as an assistant sends at once. */
const AT_ONCE = 8

const MB = 1_048_576

const CALL = { name: 'fetch-doc', arguments: { doc_id: 'doxcnWeeklyPlan0000000000001' } }

/** Resolves when the tools of the other server are there. */
async function listed(session: Session): Promise<void> {
  for (;;) {
    const { tools } = (await session.request('tools/list')) as { tools: { name: string }[] }
    if (tools.some(({ name }) => name === CALL.name)) return
    await new Promise((resume) => setTimeout(resume, 50))
  }
}

async function measureStarts(node: string, scene: Scene, rounds: number): Promise<number> {
  const commands: Command[] = [
    [node, PROGRAM, 'connect'],
    [node, PROGRAM],
  ]
  const times: [number[], number[]] = [[], []]
  for (let round = -1; round < rounds; round += 1) {
    for (const [index, command] of commands.entries()) {
      const session = await openSession(command, scene.env)
      // The first round brings the files into memory and is not counted.
      if (round >= 0) times[index]?.push(session.startedMs)
      await session.close()
    }
  }
  return median(times[0]) / median(times[1])
}

async function measureCalls(node: string, scene: Scene, token: string, rounds: number): Promise<number> {
  const headers = { 'X-Lark-MCP-UAT': token, 'X-Lark-MCP-Allowed-Tools': CALL.name }
  const words = [scene.env.FEISHU_MCP_URL ?? '', JSON.stringify(headers), JSON.stringify(CALL)]
  const client = fork(
    'scripts/run.mjs',
    [resolve('bench/two-ways-process.ts'), ...words, node, PROGRAM, 'connect'],
    { execPath: node, env: scene.env, stdio: 'ignore' },
  )
  await once(client, 'message')
  const through: number[] = []
  const direct: number[] = []
  for (let round = -1; round < rounds; round += 1) {
    client.send(CALLS)
    const [times] = (await once(client, 'message')) as [{ through: number[]; direct: number[] }]
    // The first round has the code compiled and is not counted.
    if (round < 0) continue
    through.push(...times.through)
    direct.push(...times.direct)
  }
  client.disconnect()
  await once(client, 'exit')
  return median(through) / median(direct)
}

async function peakOf(command: Command, scene: Scene): Promise<number | null> {
  const session = await openSession(command, scene.env)
  await listed(session)
  await session.callTool(CALL.name, CALL.arguments)
  const peak = memoryOf(session.pid, 'VmHWM')
  await session.close()
  return peak
}

async function measureMemory(node: string, scene: Scene, token: string): Promise<Figure[]> {
  const own = await peakOf([node, PROGRAM, 'connect'], scene)
  if (own === null) {
    process.stderr.write('SKIPPED: memory of connect, which is read from /proc, and there is none here\n')
    return []
  }
  const remote = await installPeer('mcp-remote')
  const words = [`X-Lark-MCP-UAT:${token}`, `X-Lark-MCP-Allowed-Tools:${CALL.name}`].flatMap((header) => [
    '--header',
    header,
  ])
  const url = scene.env.FEISHU_MCP_URL ?? ''
  const other = remote ? await peakOf([node, remote, url, '--allow-http', ...words], scene) : null
  return [
    {
      key: 'connect-memory',
      figure: 'peak memory of `connect` after a call',
      value: own / MB,
      unit: 'MB',
      target: other === null ? null : { atMost: Math.floor(other / MB) },
      peers: other === null ? [] : [{ name: 'mcp-remote', value: other / MB }],
    },
  ]
}

async function measureRefreshes(node: string, scene: Scene): Promise<number> {
  const session = await openSession([node, PROGRAM, 'connect'], scene.env)
  await listed(session)
  const { sandbox } = scene
  const before = sandbox.ledger.length
  sandbox.clock.advance(sandbox.knobs.accessTokenLifetimeMs + 1_000)
  await Promise.all(Array.from({ length: AT_ONCE }, () => session.callTool(CALL.name, CALL.arguments)))
  await session.close()
  return sandbox.ledger.length - before
}

/** Measures `connect` against the plain server, the SDK's client and mcp-remote. */
export async function benchConnect({ node, short }: Course): Promise<Figure[]> {
  const theatre = await openTheatre()
  try {
    const scene = await setScene(theatre, { FEISHU_MCP_URL: `${theatre.sandbox.url}/mcp` })
    const token = theatre.sandbox.issue().access_token
    const rounds = short ? ROUNDS.short : ROUNDS.full
    const start = await measureStarts(node, scene, rounds)
    const call = await measureCalls(node, scene, token, rounds)
    return [
      {
        key: 'connect-initialize',
        figure: '`connect`: spawn → answer to `initialize`',
        value: start,
        unit: '× the plain server',
        target: { atMost: 1.1 },
      },
      {
        key: 'connect-call',
        figure: 'a call through `connect`, p50',
        value: call,
        unit: "× the SDK's client",
        target: { atMost: 1.5 },
      },
      ...(await measureMemory(node, scene, token)),
      {
        key: 'connect-refreshes',
        figure: `refreshes of ${AT_ONCE} calls at once on an expired token`,
        value: await measureRefreshes(node, scene),
        unit: '',
        target: { atMost: 1 },
        exact: true,
      },
    ]
  } finally {
    await theatre.close()
  }
}
