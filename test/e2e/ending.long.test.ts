// Whoever presents something that works once sees the answer through, however the process is told to end.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { refreshToken } from '../../src/refresh/refresh.ts'
import { buildVariant } from '../faults/variant.ts'
import type { FaultTarget } from '../feishu-sandbox/faults.ts'
import { openDeps, settingsOf } from '../support/deps.ts'
import { PROGRAM, presentations, type Stage, setStage } from '../support/program.ts'
import { age, openStore, storeIssued } from '../support/stored.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type Signal = (typeof SIGNALS)[number]

type Started = {
  child: ChildProcess
  /** Resolves when stderr, or stdout, has matched. */
  written: (pattern: RegExp, times?: number) => Promise<void>
  end: Promise<number>
  text: () => string
}

function start(stage: Stage, main: string, args: string[], stdin: 'pipe' | Socket = 'pipe'): Started {
  const env = { ...stage.env, FEISHU_LOG_LEVEL: 'debug', FEISHU_AUTO_REFRESH: 'false' }
  const child = spawn(process.execPath, [main, ...args], { env, stdio: [stdin, 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  child.stdin?.on('error', () => undefined)
  let text = ''
  let errors = ''
  child.stderr?.on('data', (chunk) => {
    errors += chunk
  })
  const looks = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      text += chunk
      for (const look of looks) look()
    })
  }
  const end = once(child, 'close').then(([code]) => {
    // What `token` prints on stdout is the token.
    stage.outputs.push(errors)
    return code as number
  })
  const written = (pattern: RegExp, times = 1) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if ([...text.matchAll(new RegExp(pattern, 'g'))].length >= times) resolve()
      }
      looks.add(look)
      look()
      void end.then(() => reject(new Error(`ended before ${pattern}:\n${text}`)))
    })
  return { child, written, end, text: () => text }
}

const lines = (...messages: object[]) =>
  messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('')

/** What a client sends for one call of a tool. */
function callOf(name: string, given: object): string {
  const clientInfo = { name: 'test', version: '0' }
  return lines(
    { id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } },
    { method: 'notifications/initialized', params: {} },
    { id: 1, method: 'tools/call', params: { name, arguments: given } },
  )
}

/** A stage with a token set that is due. */
async function dueStage(env: Record<string, string> = {}): Promise<Stage> {
  const stage = await setStage({ env })
  const store = openStore(stage.tokenDir)
  const id = { brand: 'feishu', appId: stage.sandbox.app.appId, profile: 'default' } as const
  await storeIssued(store, id, stage.sandbox.issue(), stage.sandbox.user, Date.now())
  await age(store, id)
  return stage
}

async function recordOf(stage: Stage) {
  const deps = await openDeps(settingsOf(stage.sandbox, stage.tokenDir), stage.home)
  const app = await resolveApp(deps, 'default')
  return { deps, record: await deps.store.read(app.id) }
}

/** The answer was kept: another process refreshes with what is stored. */
async function expectKept(stage: Stage): Promise<void> {
  expect(presentations(stage)).toBe(1)
  const { deps, record } = await recordOf(stage)
  expect(record).toMatchObject({ generation: 2, tokenSet: { refusal: null } })
  expect((await refreshToken(deps, { profile: 'default', force: true })).status).toBe('refreshed')
}

/** Ways to present something, up to the moment at which Feishu has taken it and holds its answer. */
type Entry = {
  stage: () => Promise<Stage>
  /** Whose answer is held. */
  endpoint?: FaultTarget
  begin: (stage: Stage, main: string) => Promise<Started> | Started
  kept: (stage: Stage) => Promise<void>
}

const node = (script: string) => ['--', process.execPath, '-e', script]
const refreshing = (args: (stage: Stage) => string[], env: (home: string) => object = () => ({})): Entry => ({
  stage: async () => {
    const stage = await dueStage()
    Object.assign(stage.env, env(stage.home))
    return stage
  },
  begin: (stage, main) => start(stage, main, args(stage)),
  kept: expectKept,
})

async function login(stage: Stage, main: string, args: string[]): Promise<Started> {
  const started = start(stage, main, ['login', '--no-browser', ...args])
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

const ENTRIES: Record<string, Entry> = {
  refresh: refreshing(() => ['refresh']),
  'refresh --all': refreshing(() => ['refresh', '--all']),
  token: refreshing(() => ['token']),
  deliver: refreshing(
    () => ['deliver'],
    (home) => ({ FEISHU_DELIVER_TO: `token-json:${join(home, 'token.json')}` }),
  ),
  'exec --no-gateway before its child': refreshing(() => ['exec', '--no-gateway', ...node('0')]),
  'the server': {
    ...refreshing(() => []),
    begin: (stage, main) => {
      const started = start(stage, main, [])
      started.child.stdin?.write(callOf('refresh_token', {}))
      return started
    },
  },
  'login by the browser': {
    stage: () => setStage(),
    begin: (stage, main) => login(stage, main, []),
    kept: expectLoggedIn,
  },
  'login by a code': {
    stage: () => setStage({ knobs: { deviceIntervalMs: 1_000 } }),
    begin: (stage, main) => login(stage, main, ['--device']),
    kept: expectLoggedIn,
  },
  'the server, while somebody logs in': {
    stage: () => setStage(),
    begin: async (stage, main) => {
      const started = start(stage, main, [])
      started.child.stdin?.write(callOf('start_authorization', { open_browser: false }))
      await started.written(/"authorization_url":"[^"]+"/)
      const link = /"authorization_url":"([^"]+)"/.exec(started.text())?.[1] ?? ''
      void fetch(await stage.sandbox.approve(link)).catch(() => undefined)
      return started
    },
    kept: expectLoggedIn,
  },
  logout: {
    stage: dueStage,
    endpoint: 'revoke',
    begin: (stage, main) => start(stage, main, ['logout']),
    kept: async (stage) => {
      expect((await recordOf(stage)).record).toEqual({ generation: 2, tokenSet: null })
    },
  },
}

/** Strikes while the answer is held, and lets it go. Resolves to how the process ended. */
async function strike(
  entry: Entry,
  strikes: (started: Started) => Promise<unknown>,
  main = PROGRAM,
): Promise<{ stage: Stage; code: number; started: Started }> {
  const stage = await entry.stage()
  const held = stage.sandbox.faults.next({
    kind: 'hold',
    processed: true,
    endpoint: entry.endpoint ?? 'token',
  })
  const started = await entry.begin(stage, main)
  await held.reached
  await strikes(started)
  held.release()
  return { stage, code: await started.end, started }
}

async function send(started: Started, signal: Signal, times: number): Promise<void> {
  for (let nth = 1; nth <= times; nth += 1) {
    started.child.kill(signal)
    await started.written(/: finishing what was sent/, nth)
  }
}

const numberOf = (signal: Signal) => 128 + constants.signals[signal]

describe.each(Object.entries(ENTRIES))('%s', (_name, entry) => {
  test.each(SIGNALS.flatMap((signal) => [1, 2].map((times) => [signal, times] as const)))(
    'told to end by %s, %i times, keeps the answer and exits with 128+n',
    async (signal, times) => {
      const { stage, code } = await strike(entry, (started) => send(started, signal, times))
      expect(code).toBe(numberOf(signal))
      await entry.kept(stage)
    },
  )
})

const SERVER = ENTRIES['the server'] as Entry
const INPUT_ENDS: Record<string, (started: Started) => unknown> = {
  'the end of stdin': ({ child }) => child.stdin?.end(),
  'a stdout that nobody reads': ({ child }) => child.stdout?.destroy(),
}

test.each(Object.entries(INPUT_ENDS))('the server keeps the answer at %s', async (_name, end) => {
  const { stage, code } = await strike(SERVER, async (started) => end(started))
  expect(code).toBe(0)
  await expectKept(stage)
})

/** Two ends of a TCP connection, as socat or inetd give one of them to the server. */
async function connected(): Promise<{ ours: Socket; theirs: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const theirs = createConnection(port, '127.0.0.1')
  const [[ours]] = await Promise.all([once(server, 'connection'), once(theirs, 'connect')])
  server.close()
  return { ours, theirs }
}

test('the server keeps the answer when its stdin, a socket, is reset', async () => {
  const { ours, theirs } = await connected()
  const entry: Entry = {
    ...SERVER,
    begin: (stage, main) => {
      const started = start(stage, main, [], theirs)
      ours.write(callOf('refresh_token', {}))
      return started
    },
  }
  const { stage, code, started } = await strike(entry, async () => ours.resetAndDestroy())
  expect([code, started.text()]).toEqual([0, expect.not.stringContaining('ECONNRESET')])
  await expectKept(stage)
})

test('the child of exec gets the signal, and the refresh of its gateway is seen through', async () => {
  const stage = await dueStage()
  const held = stage.sandbox.faults.next({ kind: 'hold', processed: true })
  const script =
    "fetch(process.env.FEISHU_OPEN_URL + '/open-apis/authen/v1/user_info', { headers: { authorization: 'Bearer ' + " +
    "process.env.USER_ACCESS_TOKEN } }).catch(() => 0); process.on('SIGTERM', () => process.exit(7))"
  const started = start(stage, PROGRAM, ['exec', ...node(script)])
  await held.reached
  started.child.kill('SIGTERM')
  held.release()
  expect(await started.end).toBe(7)
  await expectKept(stage)
})

test('what has not begun does not begin', async () => {
  const stage = await dueStage()
  for (const profile of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    const id = { brand: 'feishu', appId: stage.sandbox.app.appId, profile } as const
    const store = openStore(stage.tokenDir)
    await storeIssued(store, id, stage.sandbox.issue(), stage.sandbox.user, Date.now())
    await age(store, id)
  }
  const held = stage.sandbox.faults.next({ kind: 'hold', processed: true }, Number.POSITIVE_INFINITY)
  const started = start(stage, PROGRAM, ['refresh', '--all'])
  await held.reached
  await send(started, 'SIGTERM', 1)
  stage.sandbox.faults.clear()
  expect(await started.end).toBe(143)
  // Four at once at most, and none after the signal.
  expect(presentations(stage)).toBeLessThanOrEqual(4)
  expect(started.text()).toMatch(/Stopped: \d profiles are left for the next run\./)
})

test('a third signal ends at once', async () => {
  const stage = await dueStage()
  const held = stage.sandbox.faults.next({ kind: 'hold' })
  const started = start(stage, PROGRAM, ['refresh'])
  await held.reached
  await send(started, 'SIGINT', 2)
  started.child.kill('SIGTERM')
  expect(await started.end).toBe(143)
  held.release()
})

test('a program that does not see through what is under way loses the answer: the control', async () => {
  const hasty = await buildVariant('seeing-through', [
    { file: 'src/wiring/under-way.ts', from: 'works.size > 0', to: 'works.size > 1_000' },
    { file: 'src/wiring/ending.ts', from: 'const TELL_MS = 1_000', to: 'const TELL_MS = 0' },
  ])
  for (const name of ['refresh', 'the server', 'logout']) {
    const entry = ENTRIES[name] as Entry
    const stage = await entry.stage()
    const held = stage.sandbox.faults.next({
      kind: 'hold',
      processed: true,
      endpoint: entry.endpoint ?? 'token',
    })
    const started = await entry.begin(stage, hasty)
    await held.reached
    started.child.kill('SIGTERM')
    expect(await started.end).toBe(143)
    held.release()
    expect((await recordOf(stage)).record.generation).toBe(1)
  }
})
