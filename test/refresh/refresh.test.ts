import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { expect, test } from 'vitest'
import { serve } from '../../src/mcp/server.ts'
import { tokenStatus } from '../../src/status/status.ts'
import { expire, force, makeDeps, presented, refreshDue, seed, type World } from '../support/deps.ts'

const DAY = 86_400_000

function recordPath(world: World): string {
  return `${world.directory}/store/feishu-${world.sandbox.app.appId}-default.json`
}

test('a valid token is left alone', async () => {
  const world = await makeDeps()
  await seed(world)
  expect(await refreshDue(world.deps)).toMatchObject({ status: 'still_valid', persisted: true })
  expect(presented(world)).toBe(0)
})

test('a valid token costs a look: what is stored is not opened again until it has changed', async () => {
  const world = await makeDeps()
  const { app } = await seed(world)
  const { config, ...rest } = world.deps
  // The app is one that setup kept, as with most people.
  await world.deps.store.updateApps(() => ({
    default: { app_id: app.id.appId, app_secret: world.sandbox.app.appSecret, brand: app.id.brand },
  }))
  const deps = { ...rest, config: { ...config, app: null } }
  const { record } = await refreshDue(deps)
  expect((await refreshDue(deps)).record).toBe(record)
  const other = await world.sibling()
  await force(other)
  expect((await refreshDue(deps)).record.generation).toBe(2)
  await other.store.withLock(app.id, 1_000, (locked) => locked.remove())
  await expect(refreshDue(deps)).rejects.toMatchObject({ code: 'not_authorized' })
  await other.store.updateApps(() => ({}))
  await expect(refreshDue(deps)).rejects.toMatchObject({ code: 'not_configured' })
})

test('a token that is due is renewed with one request, and nothing is left of the attempt', async () => {
  const world = await makeDeps()
  const { app, record } = await seed(world)
  expire(world)
  const result = await refreshDue(world.deps)
  expect(result).toMatchObject({ status: 'refreshed', persisted: true, record: { generation: 2 } })
  expect(result.record.tokenSet?.refreshToken?.reveal()).not.toBe(record.tokenSet?.refreshToken?.reveal())
  expect(result.record.tokenSet).toMatchObject({
    user: record.tokenSet?.user,
    refreshedAt: expect.any(Number),
  })
  expect(presented(world)).toBe(1)
  expect(existsSync(`${recordPath(world)}.intent`)).toBe(false)
  const stored = await (await world.sibling()).store.read(app.id)
  expect(stored.tokenSet?.accessToken?.reveal()).toBe(result.record.tokenSet?.accessToken?.reveal())
})

test('a token is renewed and told, also where the part that delivers copies cannot be loaded', async () => {
  const world = await makeDeps()
  await seed(world)
  expire(world)
  const gone = Object.assign(new Error('gone'), { code: 'MODULE_NOT_FOUND' })
  const deps = { ...world.deps, deliver: () => Promise.reject(gone) }
  expect(await refreshDue(deps)).toMatchObject({
    status: 'refreshed',
    record: { generation: 2 },
    deliveries: [],
  })
  expect(world.logs).toEqual([expect.stringContaining('was updated or removed while it ran')])
})

test('calls at once cost one request, forced or not, in one process or several', async () => {
  const world = await makeDeps()
  await seed(world)
  expire(world)
  const processes = [world.deps, await world.sibling(), await world.sibling()]
  const results = await Promise.all(
    processes.flatMap((deps) => [refreshDue(deps), force(deps), refreshDue(deps)]),
  )
  expect(presented(world)).toBe(1)
  expect(results.map((result) => result.record.generation)).toEqual(Array(9).fill(2))
  const statuses = new Set(results.map((result) => result.status))
  expect(statuses).toEqual(new Set(['refreshed', 'refreshed_elsewhere']))
})

test('a forced call that arrives after a refresh makes its own', async () => {
  const world = await makeDeps()
  await seed(world)
  const held = world.sandbox.faults.next({ kind: 'hold', processed: true })
  const first = force(world.deps)
  await held.reached
  const shared = force(world.deps)
  held.release()
  expect((await first).record.generation).toBe(2)
  expect((await shared).record.generation).toBe(2)
  expect((await force(world.deps)).record.generation).toBe(3)
  expect(presented(world)).toBe(2)
})

test('a cancelled tool call still finishes and keeps', async () => {
  const world = await makeDeps()
  const { app } = await seed(world)
  const [here, there] = InMemoryTransport.createLinkedPair()
  const server = await serve(there, {
    version: '0',
    getDeps: () => world.deps,
    log: () => undefined,
    forPerson: async (sentence) => String(sentence),
    onInitialized: () => undefined,
  })
  const client = new Client({ name: 'test', version: '0' })
  await client.connect(here)
  const held = world.sandbox.faults.next({ kind: 'hold', processed: true })
  const cancel = new AbortController()
  const call = client.callTool({ name: 'refresh_token', arguments: { force: true } }, undefined, {
    signal: cancel.signal,
  })
  await held.reached
  cancel.abort()
  await expect(call).rejects.toThrow()
  held.release()
  await world.deps.underWay.refreshes.get(app.key)
  expect((await (await world.sibling()).store.read(app.id)).generation).toBe(2)
  await client.close()
  await server.close()
})

test('a holder that is busy is waited for, and named when it takes too long', async () => {
  const world = await makeDeps()
  const { app } = await seed(world)
  const other = await world.sibling()
  const held = world.sandbox.faults.next({ kind: 'hold', processed: true })
  const first = force(world.deps)
  await held.reached
  const waiting = refreshDue(other)
  expect((await waiting).status).toBe('still_valid')
  // The deadline of ten seconds, without ten seconds.
  const busy = other.store.withLock(app.id, 50, async () => undefined)
  await expect(busy).rejects.toMatchObject({
    code: 'store_locked',
    message: expect.stringContaining(`${process.pid}`),
  })
  held.release()
  expect((await first).record.generation).toBe(2)
  expect(presented(world)).toBe(1)
})

test('an unknown person is filled in by the next refresh', async () => {
  const world = await makeDeps()
  const { app, record } = await seed(world)
  await world.deps.store.withLock(app.id, 1_000, async (locked) => {
    if (record.tokenSet) await locked.commit({ ...record, tokenSet: { ...record.tokenSet, user: null } }, 1)
  })
  world.sandbox.faults.next({ kind: 'error', code: 20050, endpoint: 'user_info' })
  expect((await force(world.deps)).record.tokenSet?.user).toBeNull()
  const named = await force(world.deps)
  expect(named.record).toMatchObject({
    generation: 3,
    tokenSet: { user: { openId: world.sandbox.user.openId } },
  })
  expect((await (await world.sibling()).store.read(app.id)).tokenSet?.user?.name).toBe(
    world.sandbox.user.name,
  )
})

test('forced refreshes are limited to sixty a minute, due ones are not', async () => {
  const world = await makeDeps()
  await seed(world)
  for (let count = 1; count <= 60; count += 1) await force(world.deps)
  // The last call is recorded after its answer was stored, one turn of the event loop later.
  await new Promise((resolve) => setImmediate(resolve))
  const other = await world.sibling()
  await expect(force(other)).rejects.toMatchObject({
    code: 'rate_limited',
    nextStep: expect.stringMatching(/^Wait ([1-5]?\d|60) s/),
  })
  expect(presented(world)).toBe(60)
  // A clock that was set back must not turn a minute into a day.
  world.jump(-DAY)
  expect((await force(other)).status).toBe('refreshed')
  expect((await force(other)).status).toBe('refreshed')
  expire(world)
  expect((await refreshDue(other)).status).toBe('refreshed')
  expect((await force(world.deps)).status).toBe('refreshed')
})

test('the limit of the minute holds where the activity log cannot be written', async () => {
  const world = await makeDeps()
  await seed(world)
  mkdirSync(join(world.directory, 'activity.jsonl'), { recursive: true })
  const codes = []
  for (let count = 1; count <= 75; count += 1) {
    // Each a process of its own.
    const refreshed = await force(await world.sibling()).catch((error) => error)
    codes.push(refreshed.status ?? refreshed.code)
  }
  expect(codes.filter((code) => code === 'refreshed')).toHaveLength(60)
  expect(codes.slice(60)).toEqual(Array(15).fill('rate_limited'))
  rmSync(join(world.directory, 'activity.jsonl'), { recursive: true })
})

test('due refreshes count nothing towards the limit, forced or not', async () => {
  const world = await makeDeps({ knobs: { accessTokenLifetimeMs: 200_000 } })
  await seed(world)
  // The whole life lies inside the margin: always due.
  for (let count = 1; count <= 62; count += 1) expect((await force(world.deps)).status).toBe('refreshed')
})

test('a clock that jumps never costs more than one refresh, nor a person', async () => {
  for (const days of [400, -400]) {
    const world = await makeDeps()
    const { app } = await seed(world)
    await refreshDue(world.deps)
    world.jump(days * DAY)
    const restarted = await world.sibling()
    const status = await tokenStatus(restarted, { profile: 'default', verify: false, waitSeconds: 0 })
    expect(status.status).toBe('needs_refresh')
    expect((await refreshDue(restarted)).record.generation).toBe(2)
    expect((await refreshDue(world.deps)).status).toBe('still_valid')
    world.jump(-days * DAY)
    expect((await refreshDue(await world.sibling())).record.generation).toBe(3)
    expect((await refreshDue(restarted)).record.generation).toBe(3)
    expect(presented(world)).toBe(2)
    expect((await world.deps.store.read(app.id)).tokenSet?.refusal).toBeNull()
  }
})

test('a wall clock that is set back does not make a token live longer', async () => {
  const world = await makeDeps()
  await seed(world)
  await refreshDue(world.deps)
  expire(world)
  world.jump(-world.sandbox.knobs.accessTokenLifetimeMs)
  expect((await refreshDue(world.deps)).status).toBe('refreshed')
})

test('a refresh token past its date is presented all the same: only Feishu knows', async () => {
  const world = await makeDeps({ knobs: { refreshTokenLifetimeMs: 10_000_000 } })
  await seed(world)
  world.jump(30 * DAY)
  expect((await refreshDue(world.deps)).status).toBe('refreshed')
  world.pass(30 * DAY)
  await expect(refreshDue(world.deps)).rejects.toMatchObject({ code: 'invalid_grant', feishuCode: 20037 })
  expect(presented(world)).toBe(2)
})

test('a server whose clock is far off changes nothing but a warning', async () => {
  const world = await makeDeps({ knobs: { dateOffsetMs: 400 * DAY } })
  await seed(world)
  expect((await force(world.deps)).status).toBe('refreshed')
  const status = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
  expect(status.status).toBe('valid')
  expect(status.warnings.join(' ')).toContain('clock of this machine')
})

test('an older copy that was put back is recognized and never presented', async () => {
  const world = await makeDeps()
  await seed(world)
  const path = recordPath(world)
  copyFileSync(path, `${path}.backup`)
  await force(world.deps)
  copyFileSync(`${path}.backup`, path)
  const before = readFileSync(path, 'utf8')
  await expect(force(await world.sibling())).rejects.toMatchObject({
    code: 'refresh_uncertain',
    message: expect.stringContaining('older copy'),
  })
  expect(presented(world)).toBe(1)
  expect(readFileSync(path, 'utf8')).toBe(before)
})

test('without a token set, and without a refresh token, it says what to do', async () => {
  const world = await makeDeps({ knobs: { omitRefreshToken: true } })
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'not_authorized', recovery: 'reauthorize' })
  await seed(world)
  expect((await refreshDue(world.deps)).status).toBe('still_valid')
  await expect(force(world.deps)).rejects.toMatchObject({
    code: 'no_refresh_token',
    nextStep: expect.stringContaining('offline_access'),
  })
})
