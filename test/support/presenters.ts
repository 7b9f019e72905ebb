// Every way to present something that works once, brought to the moment at which Feishu has taken it and holds its
// answer: what then happens to the process must not lose that answer.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import type { Deps } from '../../src/deps.ts'
import type { TokenRecord } from '../../src/oauth/token-set.ts'
import { refreshToken } from '../../src/refresh/refresh.ts'
import type { FaultTarget } from '../feishu-sandbox/faults.ts'
import { openDeps, settingsOf } from './deps.ts'
import { PROGRAM, presentations, run, type Stage, setStage } from './program.ts'
import { age, openStore, storeIssued } from './stored.ts'

export type Started = {
  child: ChildProcess
  /** Writes to its stdin, whatever that is. */
  ask: (text: string) => void
  /** Resolves when stderr, or stdout, has matched. */
  written: (pattern: RegExp, times?: number) => Promise<void>
  end: Promise<number>
  text: () => string
}

/** Sockets in the place of its pipes: what the process gets, and our own end of it. */
export type Streams = Partial<Record<'stdin' | 'stdout' | 'stderr', { theirs: Socket; ours: Socket }>>

export function start(stage: Stage, main: string, args: string[], streams: Streams = {}): Started {
  const env = { FEISHU_LOG_LEVEL: 'debug', FEISHU_AUTO_REFRESH: 'false', ...stage.env }
  const { stdin, stdout, stderr } = streams
  const child = spawn(process.execPath, [main, ...args], {
    env,
    stdio: [stdin?.theirs ?? 'pipe', stdout?.theirs ?? 'pipe', stderr?.theirs ?? 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  // The process has them now.
  for (const stream of [stdin, stdout, stderr]) stream?.theirs.destroy()
  const input = stdin?.ours ?? child.stdin
  const outputs = [stdout?.ours ?? child.stdout, stderr?.ours ?? child.stderr]
  let text = ''
  const looks = new Set<() => void>()
  for (const stream of [input, ...outputs]) stream?.on('error', () => undefined)
  for (const stream of outputs) {
    stream?.on('data', (chunk) => {
      text += chunk
      // What `token` prints on stdout is the token.
      if (stream === outputs[1]) stage.outputs.push(String(chunk))
      for (const look of looks) look()
    })
  }
  const end = once(child, 'close').then(([code]) => code as number)
  const written = (pattern: RegExp, times = 1) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if ([...text.matchAll(new RegExp(pattern, 'g'))].length >= times) resolve()
      }
      looks.add(look)
      look()
      void end.then(() => reject(new Error(`ended before ${pattern}:\n${text}`)))
    })
  return { child, ask: (said) => void input?.write(said), written, end, text: () => text }
}

const lines = (...messages: object[]) =>
  messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('')

const clientInfo = { name: 'test', version: '0' }
const HELLO = lines(
  { id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } },
  { method: 'notifications/initialized', params: {} },
)

/** What a client sends for one call of a tool. */
function callOf(name: string, given: object = {}): string {
  return HELLO + lines({ id: 1, method: 'tools/call', params: { name, arguments: given } })
}

const idOn = (stage: Stage, profile = 'default') =>
  ({ brand: 'feishu', appId: stage.sandbox.app.appId, profile }) as const

/** Puts a token set that is due into a profile. */
export async function storeDue(stage: Stage, profile?: string): Promise<void> {
  const store = openStore(stage.tokenDir)
  await storeIssued(store, idOn(stage, profile), stage.sandbox.issue(), stage.sandbox.user, Date.now())
  await age(store, idOn(stage, profile))
}

/** A stage with a token set that is due. */
export async function dueStage(env: (stage: Stage) => object = () => ({})): Promise<Stage> {
  const stage = await setStage()
  Object.assign(stage.env, env(stage))
  await storeDue(stage)
  return stage
}

export async function recordOf(stage: Stage): Promise<{ deps: Deps; record: TokenRecord }> {
  const deps = await openDeps(settingsOf(stage.sandbox, stage.tokenDir), stage.home)
  const app = await resolveApp(deps, 'default')
  return { deps, record: await deps.store.read(app.id) }
}

/** The answer was kept: another process refreshes with what is stored. */
export async function expectKept(stage: Stage): Promise<void> {
  expect(presentations(stage)).toBe(1)
  const { deps, record } = await recordOf(stage)
  expect(record).toMatchObject({ generation: 2, tokenSet: { refusal: null } })
  expect((await refreshToken(deps, { profile: 'default', force: true })).status).toBe('refreshed')
}

/** A way to present something, up to the moment at which Feishu has taken it and holds its answer. */
export type Entry = {
  stage: () => Promise<Stage>
  /** Whose answer is held. */
  endpoint?: FaultTarget
  begin: (stage: Stage, main: string, streams?: Streams) => Promise<Started> | Started
  kept: (stage: Stage) => Promise<void>
}

const node = (script: string) => ['--', process.execPath, '-e', script]

const refreshing = (args: string[], env?: (stage: Stage) => object): Entry => ({
  stage: () => dueStage(env),
  begin: (stage, main, streams) => start(stage, main, args, streams),
  kept: expectKept,
})

/** A server that a client asks for something. */
const serving = (args: string[], asked: string, env: object = {}): Entry => ({
  ...refreshing(args, ({ sandbox }) => ({ FEISHU_MCP_URL: `${sandbox.url}/mcp`, ...env })),
  begin: (stage, main, streams) => {
    const started = start(stage, main, args, streams)
    started.ask(asked)
    return started
  },
})

const OTHER = [
  '--',
  process.execPath,
  resolve('scripts/run.mjs'),
  resolve('test/support/other-server-process.ts'),
]

async function login(stage: Stage, main: string, args: string[], streams?: Streams): Promise<Started> {
  const started = start(stage, main, ['login', '--no-browser', ...args], streams)
  await started.written(/Waiting/)
  const link = /https?:\/\/\S*\/(?:authorize|verify|page)\S*/.exec(started.text())?.[0] ?? ''
  if (args.includes('--device')) await stage.sandbox.approveDevice(link)
  else void fetch(await stage.sandbox.approve(link)).catch(() => undefined)
  return started
}

async function expectLoggedIn(stage: Stage): Promise<void> {
  const { deps, record } = await recordOf(stage)
  expect(record).toMatchObject({ generation: 1, tokenSet: { refusal: null } })
  expect((await refreshToken(deps, { profile: 'default', force: true })).status).toBe('refreshed')
}

/** Asks the standing gateway for something, with a key; resolves to what comes of it. */
export async function startGateway(
  stage: Stage,
  main: string,
  streams?: Streams,
): Promise<{ started: Started; status: Promise<number | null> }> {
  const key = (await run(stage, ['gateway', 'key', 'new', 'program'])).stdout.trim()
  const started = start(stage, main, ['gateway', '--json', '--listen', '127.0.0.1:0'], streams)
  await started.written(/"open_url":"[^"]+"/)
  const origin = /"open_url":"([^"]+)"/.exec(started.text())?.[1] ?? ''
  const headers = { authorization: `Bearer ${key}` }
  const status = fetch(`${origin}/open-apis/authen/v1/user_info`, { headers }).then(
    (answer) => answer.status,
    () => null,
  )
  return { started, status }
}

/** Those that serve their stdin: they end with it. */
export const SERVERS: Record<string, Entry> = {
  'the server': serving([], callOf('refresh_token')),
  'the server, ahead of time': serving([], HELLO, { FEISHU_AUTO_REFRESH: 'true' }),
  'the server, while somebody logs in': {
    stage: () => setStage(),
    begin: async (stage, main, streams) => {
      const started = start(stage, main, [], streams)
      started.ask(callOf('start_authorization', { open_browser: false }))
      await started.written(/"authorization_url":"[^"]+"/)
      const link = /"authorization_url":"([^"]+)"/.exec(started.text())?.[1] ?? ''
      void fetch(await stage.sandbox.approve(link)).catch(() => undefined)
      return started
    },
    kept: expectLoggedIn,
  },
  'connect, by our own tool': serving(['connect'], callOf('refresh_token')),
  'connect, for a tool of the hosted server': serving(['connect'], callOf('fetch-doc', { doc_id: 'doxcn1' })),
  'connect, for a call of the program behind it': serving(['connect', ...OTHER], callOf('fetch')),
}

export const COMMANDS: Record<string, Entry> = {
  refresh: refreshing(['refresh']),
  'refresh --all': refreshing(['refresh', '--all']),
  token: refreshing(['token']),
  deliver: refreshing(['deliver'], ({ home }) => ({
    FEISHU_DELIVER_TO: `token-json:${join(home, 'token.json')}`,
  })),
  'exec --no-gateway before its child': refreshing(['exec', '--no-gateway', ...node('0')]),
  'the standing gateway': {
    ...refreshing([]),
    begin: async (stage, main, streams) => (await startGateway(stage, main, streams)).started,
  },
  'login by the browser': {
    stage: () => setStage(),
    begin: (stage, main, streams) => login(stage, main, [], streams),
    kept: expectLoggedIn,
  },
  'login by a code': {
    stage: () => setStage({ knobs: { deviceIntervalMs: 1_000 } }),
    begin: (stage, main, streams) => login(stage, main, ['--device'], streams),
    kept: expectLoggedIn,
  },
  logout: {
    stage: () => dueStage(),
    endpoint: 'revoke',
    begin: (stage, main, streams) => start(stage, main, ['logout'], streams),
    kept: async (stage) => {
      expect((await recordOf(stage)).record).toEqual({ generation: 2, tokenSet: null })
    },
  },
}

/** Strikes while the answer is held, and lets it go. Resolves to how the process ended. */
export async function strike(
  entry: Entry,
  strikes: (started: Started) => Promise<unknown> | unknown,
  { main = PROGRAM, streams }: { main?: string; streams?: Streams } = {},
): Promise<{ stage: Stage; code: number; started: Started }> {
  const stage = await entry.stage()
  const held = stage.sandbox.faults.next({
    kind: 'hold',
    processed: true,
    endpoint: entry.endpoint ?? 'token',
  })
  const started = await entry.begin(stage, main, streams)
  await held.reached
  await strikes(started)
  held.release()
  return { stage, code: await started.end, started }
}
