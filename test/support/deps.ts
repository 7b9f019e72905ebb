// What a verb needs, in process: the real store in a folder of its own, the sandbox over real HTTP, clocks that a test moves.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type App, resolveApp } from '../../src/app/app.ts'
import type { Deps, RefreshResult } from '../../src/deps.ts'
import type { HttpAnswer, HttpRequest, Request } from '../../src/oauth/http.ts'
import type { TokenRecord } from '../../src/oauth/token-set.ts'
import { refreshToken } from '../../src/refresh/refresh.ts'
import { type Host, openDeps as openRealDeps } from '../../src/wiring/open-deps.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from '../feishu-sandbox/sandbox.ts'
import { checkFiles, checkLedger, checkNoLeftovers, checkText } from './invariants.ts'
import { storeIssued } from './stored.ts'

type Environment = Record<string, string>

export type World = {
  sandbox: Sandbox
  directory: string
  /** One process. */
  deps: Deps
  /** Another process on the same files, with the same clocks. */
  sibling: () => Promise<Deps>
  /** Lets time pass, here and at Feishu: it stands still but for this. */
  pass: (ms: number) => void
  /** Sets the wall clock of this machine on or back, and that alone. */
  jump: (ms: number) => void
  now: () => number
  /** Everything that was logged. */
  logs: string[]
  /** Puts itself between the program and the network; takes effect from the next request on. */
  intercept: (around: ((request: Request) => Request) | null) => void
}

/** The settings that join a folder to a sandbox. */
export function settingsOf(sandbox: Sandbox, directory: string, env: Environment = {}): Environment {
  return {
    FEISHU_APP_ID: sandbox.app.appId,
    FEISHU_APP_SECRET: sandbox.app.appSecret,
    FEISHU_ACCOUNTS_URL: sandbox.url,
    FEISHU_OPEN_URL: sandbox.url,
    FEISHU_TOKEN_DIR: directory,
    ...env,
  }
}

type Senses = Pick<Host, 'now' | 'elapsed'> & { log: (line: string) => void }

/** What a process of its own would have, in this environment. */
export function openDeps(
  environment: Environment,
  home: string,
  senses: Partial<Senses> = {},
): Promise<Deps> {
  const { now = Date.now, elapsed = () => performance.now(), log = () => undefined } = senses
  return openRealDeps({
    // Paths are those of the system that the tests are run on.
    machine: { platform: process.platform === 'win32' ? 'win32' : 'linux', environment },
    home,
    // Without a session bus: never the keychain of whoever runs the tests.
    keychain: { platform: 'linux', environment: {}, usualBus: null, node: process.execPath, child: '' },
    now,
    elapsed,
    log: () => (level, message) => log(`${level} ${message}`),
    command: 'feishu-token-mcp',
    timerHost: {
      platform: 'linux',
      environment: {},
      helpers: {},
      home: '/nonexistent',
      uid: null,
      node: process.execPath,
      script: '/nowhere/main.js',
    },
    closing: new AbortController().signal,
    seat: 'assistant',
    launcher: {
      open: () => Promise.reject(new Error('tests open no browser')),
      run: () => Promise.reject(new Error('tests open no browser')),
    },
  })
}

type WorldOptions = SandboxOptions & {
  env?: Environment
  /** Where the program sleeps, time passes instead. */
  hurried?: boolean
}

/** Sets up a world that is taken down, and its invariants checked, when the test ends. */
export async function makeDeps(options: WorldOptions = {}): Promise<World> {
  const sandbox = await startSandbox({ ...options, frozen: true })
  const home = await mkdtemp(join(tmpdir(), 'feishu-token-mcp-'))
  const directory = join(home, 'tokens')
  let wallMs = sandbox.clock.now()
  let elapsedMs = 0
  const logs: string[] = []
  let around: (request: Request) => Request = (inner) => inner
  const environment = settingsOf(sandbox, directory, options.env)
  const senses = { now: () => wallMs, elapsed: () => elapsedMs, log: (line: string) => void logs.push(line) }
  const sibling = async () => {
    const deps = await openDeps(environment, home, senses)
    const process = { ...deps, request: (request: HttpRequest) => around(deps.request)(request) }
    return options.hurried ? withSleep(process, async (ms) => pass(ms)) : process
  }
  const pass = (ms: number) => {
    wallMs += ms
    elapsedMs += ms
    sandbox.clock.advance(ms)
  }

  onTestFinished(async () => {
    try {
      checkLedger(sandbox.ledger)
      checkFiles(directory, sandbox.secrets())
      checkNoLeftovers(directory)
      checkText('a log line', logs.join('\n'), sandbox.secrets())
    } finally {
      await sandbox.close()
      // The last call is recorded a turn later, and would bring the folder back.
      await new Promise((resolve) => setImmediate(resolve))
      await rm(home, { recursive: true, force: true })
    }
  })
  return {
    sandbox,
    directory,
    deps: await sibling(),
    sibling,
    pass,
    jump(ms) {
      wallMs += ms
    },
    now: senses.now,
    logs,
    intercept: (given) => {
      around = given ?? ((inner) => inner)
    },
  }
}

/** The same process with a clock that waits as the test says. */
export function withSleep(deps: Deps, sleep: Deps['clock']['sleep']): Deps {
  return { ...deps, clock: { ...deps.clock, sleep } }
}

/** Stores a token set that Feishu has just issued. */
export async function seed(world: World, profile = 'default'): Promise<{ app: App; record: TokenRecord }> {
  const { deps, sandbox, now } = world
  const app = await resolveApp(deps, profile)
  return { app, record: await storeIssued(deps.store, app.id, sandbox.issue(), sandbox.user, now()) }
}

/** Lets the access token of the sandbox's usual life time expire, and its refresh token live. */
export function expire(world: World): void {
  world.pass(world.sandbox.knobs.accessTokenLifetimeMs + 1_000)
}

export function force(deps: Deps, profile = 'default'): Promise<RefreshResult> {
  return refreshToken(deps, { profile, force: true })
}

export function refreshDue(deps: Deps, profile = 'default'): Promise<RefreshResult> {
  return refreshToken(deps, { profile, force: false })
}

/** How often a refresh token was presented so far. */
export function presented(world: World): number {
  return world.sandbox.ledger.filter((entry) => entry.kind === 'refresh_token').length
}

/** Runs `during` between the last byte of an answer and the program. */
export function afterAnswer(during: () => void): (request: Request) => Request {
  return (request) => async (options) => {
    const answer: HttpAnswer = await request(options)
    during()
    return answer
  }
}
