// npm run bench:profiles [-- --short]: what thousands of profiles cost. The sandbox and the program share a clock that
// moves where the program waits, so the paces are exact and take no real time; costs are ratios within this run.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Deps } from '../src/deps.ts'
import type { Request } from '../src/oauth/http.ts'
import { nextTokenSet } from '../src/oauth/token-response.ts'
import { encodeRecord, type TokenSet } from '../src/oauth/token-set.ts'
import { refreshAll } from '../src/refresh/refresh-all.ts'
import { Secret } from '../src/secret.ts'
import { tokenStatus } from '../src/status/status.ts'
import { seal } from '../src/store/envelope.ts'
import { createKeys, type Key } from '../src/store/key.ts'
import { type Sandbox, startSandbox } from '../test/feishu-sandbox/sandbox.ts'
import { openDeps, settingsOf } from '../test/support/deps.ts'

const SHORT = process.argv.includes('--short')
const MANY = SHORT ? 500 : 10_000
/** How many of them a run looks at whose every token must stay valid for hours. */
const STEADY = SHORT ? 50 : 500
const MINUTE_MS = 60_000
const ROUNDS = 101
/** Of cron in the steady run, and the margin that goes with it. */
const EVERY_MS = 5 * MINUTE_MS
const MARGIN_S = 900

type World = { deps: Deps; sandbox: Sandbox; directory: string; key: Key; pass: (ms: number) => void }

let offsetMs = 0
const now = () => Date.now() + offsetMs
const inFlight = { now: 0, most: 0 }

function print(figure: string, value: string): void {
  process.stdout.write(`${figure.padEnd(78)}  ${value}\n`)
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

/** Counts what is under way. */
function counted(request: Request): Request {
  return async (options) => {
    inFlight.now += 1
    inFlight.most = Math.max(inFlight.most, inFlight.now)
    const answer = await request(options)
    inFlight.now -= 1
    return answer
  }
}

async function openWorld(): Promise<World> {
  const sandbox = await startSandbox()
  const directory = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-bench-'))
  const settings = settingsOf(sandbox, directory, {
    FEISHU_TOKEN_KEY_SOURCE: 'file',
    FEISHU_REFRESH_MARGIN: String(MARGIN_S),
  })
  const opened = await openDeps(settings, directory, { now, elapsed: () => performance.now() + offsetMs })
  const deps = { ...opened, request: counted(opened.request) }
  const keys = createKeys({ directory: join(directory, 'key'), source: 'file', environmentKey: null })
  mkdirSync(join(directory, 'store'), { mode: 0o700 })
  const pass = (ms: number) => {
    offsetMs += ms
    sandbox.clock.advance(ms)
  }
  return { deps, sandbox, directory, key: await keys.first(), pass }
}

/** Writes the records of profiles that have just logged in, without the store's flushes. */
function logIn({ sandbox, directory, key }: World, from: number, to: number): void {
  for (let index = from; index < to; index += 1) {
    const profile = `p${String(index).padStart(5, '0')}`
    const issued = sandbox.issue()
    const response = {
      accessToken: new Secret(issued.access_token),
      accessTokenLifetimeMs: issued.expires_in * 1_000,
      refreshToken: new Secret(issued.refresh_token ?? ''),
      refreshTokenLifetimeMs: (issued.refresh_token_expires_in ?? 0) * 1_000,
      scopes: issued.scope.split(' '),
      problem: null,
      serverDate: null,
    }
    const user = { openId: sandbox.user.openId, name: sandbox.user.name }
    const before = { requestedScopes: response.scopes, user, authorizedAt: now(), endpoint: 'v2' } as TokenSet
    const header = {
      kind: 'token-set',
      brand: 'feishu',
      app_id: sandbox.app.appId,
      profile,
      generation: 1,
      key_source: key.source,
      key_id: key.id,
    } as const
    const record = encodeRecord({ generation: 1, tokenSet: nextTokenSet(response, before, now()) })
    const file = join(directory, 'store', `feishu-${sandbox.app.appId}-${profile}.json`)
    writeFileSync(file, seal(header, record, key.bytes), { mode: 0o600 })
  }
}

async function statusMs({ deps }: World): Promise<number> {
  const startedAt = performance.now()
  await tokenStatus(deps, { profile: 'p00000', verify: false, waitSeconds: 0 })
  return performance.now() - startedAt
}

/** The most of these instants within any stretch of this length. They are in order. */
function busiest(times: number[], ms: number): number {
  let most = 0
  for (let first = 0, end = 0; first < times.length; first += 1) {
    while (end < times.length && (times[end] ?? 0) < (times[first] ?? 0) + ms) end += 1
    most = Math.max(most, end - first)
  }
  return most
}

function refreshEach(world: World): ReturnType<typeof refreshAll> {
  const sleep = async (ms: number) => world.pass(Math.max(0, ms))
  return refreshAll({ ...world.deps, clock: { ...world.deps.clock, sleep } }, { force: false })
}

/** All due at once, as after a night in which nothing ran. */
async function benchBacklog(world: World): Promise<void> {
  const { sandbox, pass } = world
  pass(sandbox.knobs.accessTokenLifetimeMs + 1_000)
  const before = sandbox.ledger.length
  const startedAt = now()
  const cpu = process.cpuUsage()
  const { outcomes } = await refreshEach(world)
  const { user, system } = process.cpuUsage(cpu)
  const times = sandbox.ledger.slice(before).map(({ at }) => at)
  times.sort((a, b) => a - b)
  const refreshed = outcomes.filter(({ result }) => result?.status === 'refreshed').length
  const tookMs = now() - startedAt
  print('refresh --all, all due: profiles, of them refreshed', `${outcomes.length}, ${refreshed}`)
  print('requests for a token', String(times.length))
  print('most requests in any minute (half of the limit: 500)', String(busiest(times, MINUTE_MS)))
  print('most requests in any second (half of the limit: 25)', String(busiest(times, 1_000)))
  print('most requests under way at once', String(inFlight.most))
  print('how long it takes, by the clock of the simulation', `${(tookMs / MINUTE_MS).toFixed(1)} min`)
  print('refreshes a second', ((refreshed / tookMs) * 1_000).toFixed(2))
  const share = (user + system) / 1_000 / tookMs
  print("of one core, while it runs (the sandbox's own work included)", `${(share * 100).toFixed(1)} %`)
}

/** Cron every five minutes for four hours: is any token ever not valid? */
async function benchSteady(world: World): Promise<void> {
  const { deps, sandbox, pass } = world
  const profiles = Array.from({ length: STEADY }, (_, index) => `p${String(index).padStart(5, '0')}`)
  const before = sandbox.ledger.length
  let invalid = 0
  let runs = 0
  for (const end = now() + 4 * 60 * MINUTE_MS; now() < end; runs += 1) {
    const next = now() + EVERY_MS
    await refreshEach(world)
    for (const profile of profiles) {
      const { tokenSet } = await deps.store.read({ brand: 'feishu', appId: sandbox.app.appId, profile })
      // Valid until the next run begins.
      if ((tokenSet?.accessTokenExpiresAt ?? 0) < next) invalid += 1
    }
    pass(Math.max(0, next - now()))
  }
  print(
    `cron every 5 min, margin ${MARGIN_S} s, 4 h: profiles, runs, refreshes`,
    `${STEADY}, ${runs}, ${sandbox.ledger.length - before}`,
  )
  print('tokens that would have expired before the next run', String(invalid))
}

/** In turns, on two stores: the twenty whose status is told, and a thousand. */
async function benchStatus(few: World, many: World): Promise<void> {
  const times: { few: number[]; many: number[] } = { few: [], many: [] }
  for (let round = 0; round < ROUNDS; round += 1) {
    times.few.push(await statusMs(few))
    times.many.push(await statusMs(many))
  }
  const ratio = median(times.many) / median(times.few)
  print('token_status with 1,000 profiles / with 20 (median)', ratio.toFixed(2))
}

const worlds: World[] = [await openWorld(), await openWorld(), await openWorld()]
try {
  const [few, thousand, many] = worlds as [World, World, World]
  logIn(few, 0, 20)
  logIn(thousand, 0, 1_000)
  await benchStatus(few, thousand)
  logIn(many, 0, STEADY)
  await benchSteady(many)
  logIn(many, STEADY, MANY)
  await benchBacklog(many)
} finally {
  for (const { deps, sandbox, directory } of worlds) {
    await sandbox.close()
    // The last call is recorded a turn later, and would bring the folder back.
    deps.activity.flush()
    rmSync(directory, { recursive: true, force: true })
  }
}
