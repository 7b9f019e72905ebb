import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { type StartOptions, type StartResult, startAuthorization } from '../../src/authorize/authorize.ts'
import type { Deps } from '../../src/deps.ts'
import { CodedError } from '../../src/errors.ts'
import { encodeRecord, type TokenRecord } from '../../src/oauth/token-set.ts'
import { Secret } from '../../src/secret.ts'
import { say } from '../../src/sentence.ts'
import type { TokenStatus } from '../../src/status/fields.ts'
import { tokenStatus } from '../../src/status/status.ts'
import type { LockedProfile } from '../../src/store/token-store.ts'
import { settle } from '../../src/wiring/settle.ts'
import { rateLimited } from '../feishu-sandbox/fault-presets.ts'
import type { Fault } from '../feishu-sandbox/faults.ts'
import type { SandboxOptions } from '../feishu-sandbox/sandbox.ts'
import { expire, force, makeDeps, seed, type World } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import { freePort } from '../support/port.ts'

const DEADLINE_MS = 600_000

async function makeWorld(options: SandboxOptions & { hurried?: boolean } = {}): Promise<World> {
  const redirectUri = `http://localhost:${await freePort()}/callback`
  const env = { FEISHU_REDIRECT_URI: redirectUri }
  const world = await makeDeps({ ...options, redirectUrls: [redirectUri], env })
  onTestFinished(() => settle(world.deps))
  return world
}

/** Another process on the same files. */
async function startProcess(world: World): Promise<Deps> {
  const deps = await world.sibling()
  onTestFinished(() => settle(deps))
  return deps
}

function start(deps: Deps, options: Partial<StartOptions> = {}): Promise<StartResult> {
  return startAuthorization(deps, {
    profile: 'default',
    scopes: null,
    method: 'browser',
    openBrowser: false,
    callbackUrl: null,
    cancel: false,
    ...options,
  })
}

async function begin(deps: Deps): Promise<string> {
  return linkOf(await start(deps))
}

function linkOf(started: StartResult): string {
  return started.pending?.authorizationUrl ?? ''
}

function paste(deps: Deps, location: string): Promise<StartResult> {
  return start(deps, { callbackUrl: new Secret(location) })
}

function status(deps: Deps, waitSeconds = 20): Promise<TokenStatus> {
  return tokenStatus(deps, { profile: 'default', verify: false, waitSeconds })
}

async function visit(location: string): Promise<{ status: number; html: string }> {
  const answer = await fetch(location)
  return { status: answer.status, html: await answer.text() }
}

/** Throws when anybody still holds the port, on either family. */
async function expectFreePort(world: World): Promise<void> {
  const port = Number(new URL(world.deps.config.redirectUri).port)
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer().listen({ port, host, exclusive: true, ipv6Only: true })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
  }
}

function codePresentations(world: World): number {
  return world.sandbox.ledger.filter((entry) => entry.kind === 'code').length
}

async function stored(world: World): Promise<TokenRecord> {
  const deps = await world.sibling()
  return deps.store.read((await resolveApp(deps, 'default')).id)
}

/** What a process leaves that dies in the middle of an exchange. */
async function leaveHalfway(world: World, changes: Record<string, unknown>): Promise<void> {
  const { deps } = world
  await begin(deps)
  await settle(deps)
  const app = await resolveApp(deps, 'default')
  await deps.store.withLock(app.id, 1_000, async (locked) => {
    await locked.writePending({ ...(await locked.readPending()), ...changes })
  })
}

/** Tokens that Feishu has issued and nobody has stored yet. */
async function issuedRecord(world: World, openId?: string): Promise<Record<string, unknown>> {
  const issued = world.sandbox.issue(openId ? { openId } : {})
  const { record } = await seed(world, 'elsewhere')
  const tokenSet = record.tokenSet && { ...record.tokenSet, user: null }
  if (!tokenSet) throw new Error('seeded')
  return encodeRecord({
    generation: 0,
    tokenSet: {
      ...tokenSet,
      accessToken: new Secret(issued.access_token),
      refreshToken: new Secret(issued.refresh_token ?? ''),
    },
  })
}

test('two processes that ask at once get the same link, and one of them listens', async () => {
  const world = await makeWorld()
  const processes = [world.deps, await startProcess(world), await startProcess(world)]
  const results = await Promise.all(processes.map((deps) => start(deps)))
  expect(new Set(results.map(linkOf)).size).toBe(1)
  expect(results.map((result) => result.joined).sort()).toEqual([false, true, true])
  expect(processes.filter((deps) => deps.underWay.holders.size === 1)).toHaveLength(1)
})

test('a link that nobody opens expires, and its port is free by the time this is told', async () => {
  const world = await makeWorld()
  await begin(world.deps)
  const waiting = status(await startProcess(world))
  world.pass(DEADLINE_MS)
  expect(await waiting).toMatchObject({ status: 'not_authorized', authorization_status: 'expired' })
  await expectFreePort(world)
})

test('a wall clock that is set back keeps neither link nor port beyond the deadline', async () => {
  const world = await makeWorld()
  await begin(world.deps)
  world.jump(-86_400_000)
  const waiting = status(await startProcess(world), 5)
  world.pass(DEADLINE_MS)
  expect(await waiting).toMatchObject({ authorization_status: 'expired' })
  await expectFreePort(world)
})

test('a link whose process died before the deadline expires all the same', async () => {
  const world = await makeWorld()
  await begin(world.deps)
  await settle(world.deps)
  world.pass(DEADLINE_MS + 5_000)
  expect(await status(await startProcess(world), 0)).toMatchObject({ authorization_status: 'expired' })
})

test('a call at the very deadline begins anew, in the same process and in another', async () => {
  const world = await makeWorld()
  const first = await begin(world.deps)
  world.pass(DEADLINE_MS)
  const second = await begin(world.deps)
  world.pass(DEADLINE_MS)
  const third = await begin(await startProcess(world))
  expect(new Set([first, second, third]).size).toBe(3)
  await visit(await world.sandbox.approve(third))
  expect(await status(world.deps)).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
})

test('a cancel frees the port before it answers, and the next call begins at once', async () => {
  const world = await makeWorld()
  const other = await startProcess(world)
  for (const [holder, canceller] of [
    [world.deps, world.deps],
    [world.deps, other],
  ] as const) {
    const first = await begin(holder)
    expect((await start(canceller, { cancel: true })).status).toBe('cancelled')
    await expectFreePort(world)
    expect(await status(other, 0)).toMatchObject({ authorization_status: 'cancelled' })
    const next = await start(other)
    expect(next.joined).toBe(false)
    expect(linkOf(next)).not.toBe(first)
    await start(holder, { cancel: true })
  }
})

test('a cancel and a new call at once end with one authorization that works', async () => {
  const world = await makeWorld()
  const other = await startProcess(world)
  const first = await begin(world.deps)
  const [, next] = await Promise.all([start(other, { cancel: true }), start(world.deps)])
  const url = linkOf(next)
  if (url === first) expect(await status(other)).toMatchObject({ authorization_status: 'cancelled' })
  else await visit(await world.sandbox.approve(url))
  const again = url === first ? await begin(other) : null
  if (again) await visit(await world.sandbox.approve(again))
  expect(await status(other)).toMatchObject({ status: 'valid' })
})

test('the browser is opened for a new authorization, and for a joined one on request alone', async () => {
  const world = await makeWorld()
  const opened: string[] = []
  const openBrowser = async (url: string): Promise<null> => {
    opened.push(url)
    return null
  }
  const deps = { ...world.deps, openBrowser }
  const first = await start(deps, { openBrowser: null })
  expect(first).toMatchObject({ joined: false, browserOpened: true })
  expect(await start(deps, { openBrowser: null })).toMatchObject({ joined: true, browserOpened: false })
  expect(await start(deps, { openBrowser: true })).toMatchObject({ joined: true, browserOpened: true })
  const config = { ...world.deps.config, openBrowser: false }
  expect(await start({ ...deps, config }, { openBrowser: true })).toMatchObject({ browserOpened: false })
  expect(opened).toEqual([linkOf(first), linkOf(first)])
})

test('only the answer with our state decides: a forged one with the code of a stranger changes nothing', async () => {
  const world = await makeWorld()
  const stranger = world.sandbox.addUser({ name: 'Eve' })
  const url = await begin(world.deps)
  const location = await world.sandbox.approve(url)
  const strangers = new URL(await world.sandbox.approve(url, { user: stranger }))
  const forge = (edit: (query: URLSearchParams) => void): string => {
    const forged = new URL(strangers)
    edit(forged.searchParams)
    return forged.href
  }
  const forgeries = [
    forge((query) => query.delete('state')),
    forge((query) => query.set('state', 'x'.repeat(43))),
    forge((query) => query.append('state', 'twice')),
    forge((query) => query.append('code', 'twice')),
    forge((query) => query.set('error', 'access_denied')),
    forge((query) => query.set('iss', 'https://attacker.example')),
    forge((query) => query.delete('code')),
  ]
  for (const forged of forgeries) expect((await visit(forged)).status).toBe(400)
  expect(codePresentations(world)).toBe(0)
  expect(await status(world.deps, 0)).toMatchObject({ authorization_status: 'pending' })
  expect((await visit(location)).status).toBe(200)
  expect(await status(world.deps)).toMatchObject({ user_open_id: world.sandbox.user.openId, generation: 1 })
})

test('an answer that arrives twice is exchanged once', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  const held = world.sandbox.faults.next({ kind: 'hold' })
  const first = visit(location)
  await held.reached
  expect((await visit(location)).status).toBe(410)
  held.release()
  expect((await first).status).toBe(200)
  expect(codePresentations(world)).toBe(1)
  expect(await status(world.deps)).toMatchObject({ status: 'valid' })
})

test('a pasted address is used once, in any process, and what is wrong with it is told', async () => {
  const world = await makeWorld()
  const other = await startProcess(world)
  const location = await world.sandbox.approve(await begin(world.deps))
  const wrong = [
    location.replace('state=', 'state=x'),
    location.replace('/callback', '/elsewhere'),
    location.split('?')[0] ?? '',
    'https://attacker.example/callback',
    'not an address',
    '',
  ]
  for (const address of wrong) {
    const error = await failureOf(() => paste(other, address))
    expect(error.code, address).toBe('state_mismatch')
    expect(error.nextStep).toContain(world.deps.config.redirectUri)
  }
  expect((await status(world.deps, 0)).authorization_status).toBe('pending')
  expect((await paste(other, `<${location.replace('localhost', '127.0.0.1')}>.`)).status).toBe('succeeded')
  await expectFreePort(world)
  expect(await failureOf(() => paste(other, location))).toMatchObject({
    code: 'state_mismatch',
    message: expect.stringContaining('has succeeded'),
  })
  expect(codePresentations(world)).toBe(1)
})

test('a pasted address that comes too late is told apart from one that belongs to nothing', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  world.pass(DEADLINE_MS)
  expect(await failureOf(() => paste(world.deps, location))).toMatchObject({ code: 'authorization_expired' })
  await start(world.deps)
  expect(await failureOf(() => paste(world.deps, location))).toMatchObject({ code: 'state_mismatch' })
})

test('another person than the stored one is refused by name, and the old token set kept', async () => {
  const world = await makeWorld()
  await seed(world)
  const before = await stored(world)
  const eve = world.sandbox.addUser({ name: 'Eve' })
  const page = await visit(await world.sandbox.approve(await begin(world.deps), { user: eve }))
  expect(page.html).toContain('user_mismatch')
  const after = await status(world.deps)
  expect(after).toMatchObject({ status: 'valid', authorization_status: 'failed', generation: 1 })
  expect(String(after.authorization_error)).toContain(`"Eve" (${eve.openId})`)
  expect(String(after.authorization_error)).toContain(world.sandbox.user.openId)
  expect(String(after.next_step)).toMatch(
    /token is valid; to authorize anew, call .*another profile.*logout --profile default/,
  )
  expect(await stored(world)).toEqual(before)
})

test('the same person gets a new token set, whose generation goes on', async () => {
  const world = await makeWorld()
  const { record } = await seed(world)
  await visit(await world.sandbox.approve(await begin(world.deps)))
  expect(await status(world.deps)).toMatchObject({ status: 'valid', generation: 2 })
  const renewed = await stored(world)
  expect(renewed.tokenSet?.accessToken?.reveal()).not.toBe(record.tokenSet?.accessToken?.reveal())
})

test('when Feishu does not say who logged in, a first login is kept and the person filled in later', async () => {
  const world = await makeWorld()
  world.sandbox.faults.next({ kind: 'error', code: 20050, endpoint: 'user_info' })
  await visit(await world.sandbox.approve(await begin(world.deps)))
  expect(await status(world.deps)).toMatchObject({ status: 'valid', user_open_id: null, generation: 1 })
  await force(world.deps)
  expect(await status(world.deps)).toMatchObject({ user_open_id: world.sandbox.user.openId })
})

test('what nobody foresaw while the person was asked for is not taken for a person', async () => {
  const world = await makeWorld()
  world.intercept((request) => (options) => {
    if (options.url.includes('user_info')) throw new TypeError('nobody foresaw it')
    return request(options)
  })
  await visit(await world.sandbox.approve(await begin(world.deps)))
  expect((await stored(world)).tokenSet?.user).toBeNull()
  expect(await status(world.deps)).toMatchObject({ status: 'valid', user_open_id: null })
})

test('when Feishu does not say who logged in, the token of a known person stays', async () => {
  const world = await makeWorld()
  await seed(world)
  const before = await stored(world)
  world.sandbox.faults.next({ kind: 'error', code: 20050, endpoint: 'user_info' })
  await visit(await world.sandbox.approve(await begin(world.deps)))
  const after = await status(world.deps)
  expect(after).toMatchObject({ status: 'valid', authorization_status: 'failed' })
  expect(String(after.authorization_error)).toMatch(
    /did not say who logged in.*was kept.*start_authorization again/,
  )
  expect(await stored(world)).toEqual(before)
})

test('a login without a refresh token is kept, with what to mend', async () => {
  const world = await makeWorld({ knobs: { omitRefreshToken: true } })
  await visit(await world.sandbox.approve(await begin(world.deps)))
  const after = await status(world.deps)
  expect(after).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
  expect(after.warnings.join()).toMatch(/Refresh user_access_token.*offline_access.*publish a version/)
  expire(world)
  expect(await status(world.deps)).toMatchObject({ status: 'expired' })
})

type Failing = { fault: Fault; count?: number; code: string; feishuCode: number | null; sent: number }

const lost: Fault = { kind: 'reset', when: 'after_processing' }
const FAILING: Record<string, Failing> = {
  'wrong secret': {
    fault: { kind: 'error', code: 20002 },
    code: 'invalid_client',
    feishuCode: 20002,
    sent: 1,
  },
  'unknown code': {
    fault: { kind: 'error', code: 20003 },
    code: 'invalid_grant',
    feishuCode: 20003,
    sent: 1,
  },
  'late code': { fault: { kind: 'error', code: 20004 }, code: 'invalid_grant', feishuCode: 20004, sent: 1 },
  'other app': { fault: { kind: 'error', code: 20024 }, code: 'invalid_client', feishuCode: 20024, sent: 1 },
  'PKCE failed': { fault: { kind: 'error', code: 20049 }, code: 'invalid_grant', feishuCode: 20049, sent: 1 },
  'spent code': { fault: { kind: 'error', code: 20065 }, code: 'invalid_grant', feishuCode: 20065, sent: 1 },
  'other redirect': {
    fault: { kind: 'error', code: 20071 },
    code: 'invalid_grant',
    feishuCode: 20071,
    sent: 1,
  },
  'server error': {
    fault: { kind: 'error', code: 20050 },
    count: 2,
    code: 'server_error',
    feishuCode: 20050,
    sent: 2,
  },
  'a long pause': {
    fault: rateLimited({ reset: '8' }),
    code: 'rate_limited',
    feishuCode: 99991400,
    sent: 1,
  },
  'a pause that fits': {
    fault: rateLimited({ reset: '7' }),
    count: 2,
    code: 'rate_limited',
    feishuCode: 99991400,
    sent: 2,
  },
  'lost answer': { fault: lost, code: 'network_error', feishuCode: null, sent: 1 },
  'half an answer': {
    fault: { kind: 'cut', how: 'json' },
    code: 'unexpected_response',
    feishuCode: null,
    sent: 1,
  },
}

test.for(Object.entries(FAILING))(
  'a failed exchange keeps the old token set and says why: %s',
  async ([, failing]) => {
    const world = await makeWorld({ hurried: true })
    await seed(world)
    const before = await stored(world)
    const location = await world.sandbox.approve(await begin(world.deps))
    world.sandbox.faults.next(failing.fault, failing.count ?? 1)
    const error = await failureOf(() => paste(world.deps, location))
    expect(error).toMatchObject({ code: failing.code, feishuCode: failing.feishuCode })
    expect(error.nextStep).toMatch(/start_authorization/)
    expect(error.nextStep).not.toMatch(/start the authorization|[;,]{2}/i)
    if (failing.feishuCode !== null) expect(error.logId).not.toBeNull()
    const after = await status(world.deps, 0)
    expect(after).toMatchObject({ status: 'valid', authorization_status: 'failed', generation: 1 })
    expect(String(after.authorization_error)).toContain(error.message)
    expect(String(after.next_step)).toContain(
      `to authorize anew, ${error.nextStep.slice(0, 1).toLowerCase()}${error.nextStep.slice(1)}`,
    )
    expect(await stored(world)).toEqual(before)
    expect(codePresentations(world)).toBe(failing.sent)
    await expectFreePort(world)
  },
)

test('an error that consumed nothing is tried once more, after the pause that it asks for', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  world.sandbox.faults.next(rateLimited({ reset: '0.2' }))
  expect((await paste(world.deps, location)).status).toBe('succeeded')
  expect(codePresentations(world)).toBe(2)
})

test('a process that died while the code was on its way leaves no link that waits in vain', async () => {
  const world = await makeWorld()
  await leaveHalfway(world, { phase: 'exchanging' })
  const other = await startProcess(world)
  const waiting = await status(other, 0)
  expect(String(waiting.next_step)).toMatch(/token_status again.*start_authorization if it stays pending/)
  const next = await start(other)
  expect(next.joined).toBe(false)
  await visit(await world.sandbox.approve(linkOf(next)))
  expect(await status(other)).toMatchObject({ status: 'valid' })
})

test('tokens that a process exchanged before it died are put into force by the next', async () => {
  const world = await makeWorld()
  await leaveHalfway(world, { phase: 'exchanged', tokens: await issuedRecord(world) })
  const other = await startProcess(world)
  expect((await start(other)).status).toBe('succeeded')
  expect(await status(other, 0)).toMatchObject({
    status: 'valid',
    authorization_status: 'succeeded',
    user_open_id: world.sandbox.user.openId,
  })
  await expectFreePort(world)
})

test('tokens of another person that a process exchanged before it died are refused', async () => {
  const world = await makeWorld()
  const eve = world.sandbox.addUser({ name: 'Eve' })
  await seed(world)
  await leaveHalfway(world, { phase: 'exchanged', tokens: await issuedRecord(world, eve.openId) })
  const other = await startProcess(world)
  expect(await failureOf(() => start(other))).toMatchObject({ code: 'user_mismatch' })
  expect(await status(other, 0)).toMatchObject({ authorization_status: 'failed', generation: 1 })
})

test('a process that is told to end finishes an exchange that is under way, and its page still arrives', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  const held = world.sandbox.faults.next({ kind: 'hold', processed: true })
  const page = visit(location)
  await held.reached
  const ended = settle(world.deps)
  held.release()
  await ended
  expect((await page).status).toBe(200)
  expect(await status(await startProcess(world), 0)).toMatchObject({ status: 'valid' })
  await expectFreePort(world)
})

test('so does one that was given the address', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  const other = await startProcess(world)
  const held = world.sandbox.faults.next({ kind: 'hold', processed: true })
  const pasted = paste(other, location)
  await held.reached
  const ended = settle(other)
  held.release()
  await ended
  expect(await stored(world)).toMatchObject({ generation: 1 })
  expect((await pasted).status).toBe('succeeded')
})

test('tokens go into force even if the note for another process cannot be written', async () => {
  const world = await makeWorld()
  const { store } = world.deps
  const withLock: typeof store.withLock = (id, deadlineMs, work) =>
    store.withLock(id, deadlineMs, (locked) => {
      const writePending: LockedProfile['writePending'] = async (pending) => {
        if (pending.phase === 'exchanged') throw new Error('the disk is full')
        return locked.writePending(pending)
      }
      const bound = new Proxy(locked, {
        get: (target, name) =>
          name === 'writePending' ? writePending : Reflect.get(target, name).bind(target),
      })
      return work(bound)
    })
  const deps = { ...world.deps, store: { ...store, withLock } }
  onTestFinished(() => settle(deps))
  const location = await world.sandbox.approve(await begin(deps))
  expect((await visit(location)).status).toBe(200)
  expect(await status(deps)).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
})

test('an authorization succeeds where the stored token set cannot be opened, which is kept aside', async () => {
  const world = await makeWorld()
  const { app } = await seed(world)
  const { writeFileSync, readdirSync } = await import('node:fs')
  const folder = `${world.directory}/store`
  writeFileSync(`${folder}/${app.key}.json`, 'torn')
  await visit(await world.sandbox.approve(await begin(world.deps)))
  expect(await status(world.deps)).toMatchObject({ status: 'valid', generation: 2 })
  expect(readdirSync(folder).filter((name) => name.includes('.corrupt-'))).toHaveLength(1)
})

test('tokens that a device code has brought wait for a store that is not free, and are not lost', async () => {
  const world = await makeWorld({ knobs: { deviceIntervalMs: 1_000 } })
  const { store } = world.deps
  let refusals = 0
  const withLock: typeof store.withLock = async (id, deadlineMs, work) => {
    if (refusals > 0) {
      refusals -= 1
      throw new CodedError('store_locked', say`Somebody works on it.`, { nextStep: say`Try again.` })
    }
    return store.withLock(id, deadlineMs, work)
  }
  const deps = { ...world.deps, store: { ...store, withLock } }
  onTestFinished(() => settle(deps))
  const started = await start(deps, { method: 'device' })
  await world.sandbox.approveDevice(started.pending?.device?.userCode ?? '')
  refusals = 2
  expect(await status(deps, 10)).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
  expect(refusals).toBe(0)
})
