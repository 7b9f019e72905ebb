// What a verb needs, in process: the real store in a folder of its own, the sandbox over real HTTP, clocks that a test moves.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type App, resolveApp } from '../../src/app/app.ts'
import { type Config, readConfig } from '../../src/config/config.ts'
import type { Deps, RefreshResult } from '../../src/deps.ts'
import { createActivityLog, recorded } from '../../src/machine/activity.ts'
import { createClock } from '../../src/machine/clock.ts'
import { createTransport } from '../../src/machine/transport.ts'
import type { HttpAnswer, Request } from '../../src/oauth/http.ts'
import type { TokenRecord } from '../../src/oauth/token-set.ts'
import { refreshToken } from '../../src/refresh/refresh.ts'
import type { Secret } from '../../src/secret.ts'
import { createFileStore } from '../../src/store/files/file-store.ts'
import { createKeys } from '../../src/store/key.ts'
import { openSharedStore } from '../../src/wiring/shared-store.ts'
import { createUnderWay } from '../../src/wiring/under-way.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from '../feishu-sandbox/sandbox.ts'
import { checkFiles, checkLedger, checkNoLeftovers, checkText } from './invariants.ts'
import { storeIssued } from './stored.ts'

export type World = {
  sandbox: Sandbox
  directory: string
  /** One process. */
  deps: Deps
  /** Another process on the same files, with the same clocks. */
  sibling: () => Deps
  /** Lets time pass, here and at Feishu. */
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
export function configOf(
  sandbox: Sandbox,
  home: string,
  directory: string,
  env: Record<string, string> = {},
): Config {
  const settings = {
    FEISHU_APP_ID: sandbox.app.appId,
    FEISHU_APP_SECRET: sandbox.app.appSecret,
    FEISHU_ACCOUNTS_URL: sandbox.url,
    FEISHU_OPEN_URL: sandbox.url,
    FEISHU_TOKEN_DIR: directory,
    ...env,
  }
  return readConfig(settings, home, 'linux')
}

type Senses = {
  now: () => number
  elapsed: () => number
  log: (line: string) => void
  around: (request: Request) => Request
}

/** What a process of its own would have, on these settings. */
export function openDeps(config: Config, senses: Partial<Senses> = {}): Deps {
  const { now = Date.now, elapsed = () => performance.now(), log = () => undefined, around } = senses
  const directory = config.tokenDir
  const clock = createClock(now, elapsed)
  const activity = createActivityLog(directory, join(directory, 'activity.jsonl'))
  const transport = createTransport({ proxy: null, noProxy: null })
  const keys = createKeys({
    directory: join(directory, 'key'),
    source: config.keySource,
    environmentKey: config.key,
  })
  const openStore = (address: Secret | null) =>
    address ? openSharedStore(config, address, keys, now) : createFileStore({ directory, keys, now })
  const send: Request = (request) => (around ? around(transport.request) : transport.request)(request)
  return {
    config,
    store: openStore(config.store),
    openStore: async (address) => openStore(address),
    request: recorded(send, activity, clock),
    upstream: transport.upstream,
    activity,
    clock,
    log: (level, message) => log(`${level} ${message}`),
    command: 'feishu-token-mcp',
    underWay: createUnderWay(),
    closing: new AbortController().signal,
    openBrowser: async () => 'tests open no browser',
    remote: false,
    deliver: async () => [],
    lastDeliveries: () => [],
  }
}

/** Sets up a world that is taken down, and its invariants checked, when the test ends. */
export async function makeDeps(
  options: SandboxOptions & { env?: Record<string, string> } = {},
): Promise<World> {
  const sandbox = await startSandbox(options)
  const home = await mkdtemp(join(tmpdir(), 'feishu-token-mcp-'))
  const directory = join(home, 'tokens')
  let wallOffsetMs = 0
  let elapsedOffsetMs = 0
  const now = () => Date.now() + wallOffsetMs
  const logs: string[] = []
  let around: ((request: Request) => Request) | null = null
  const config = configOf(sandbox, home, directory, options.env)
  const sibling = () =>
    openDeps(config, {
      now,
      elapsed: () => performance.now() + elapsedOffsetMs,
      log: (line) => logs.push(line),
      around: (request) => (around ?? ((inner) => inner))(request),
    })

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
    deps: sibling(),
    sibling,
    pass(ms) {
      wallOffsetMs += ms
      elapsedOffsetMs += ms
      sandbox.clock.advance(ms)
    },
    jump(ms) {
      wallOffsetMs += ms
    },
    now,
    logs,
    intercept: (given) => {
      around = given
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
