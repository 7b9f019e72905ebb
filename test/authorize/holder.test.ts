// The process that waits for an answer: what it takes, when it gives up, and what it leaves to others.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { type App, resolveApp } from '../../src/app/app.ts'
import { readPending } from '../../src/authorize/end.ts'
import type { AuthorizationAnswer } from '../../src/authorize/finish.ts'
import { holdAuthorization } from '../../src/authorize/holder.ts'
import { newAuthorization, type Wish } from '../../src/authorize/new-authorization.ts'
import type { Deps } from '../../src/deps.ts'
import { encodePending, type PendingAuthorization } from '../../src/oauth/pending-authorization.ts'
import { settle } from '../../src/wiring/settle.ts'
import type { World } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import { holdTimers } from '../support/timers.ts'
import {
  begin,
  codePresentations,
  DEADLINE_MS,
  expectFreePort,
  linkOf,
  makeWorld,
  start,
  startProcess,
  status,
  visit,
} from './fixture.ts'

const LOCK_MS = 1_000
const WISH: Wish = { scopes: ['im:message'], method: 'browser' }
/** A lock that nobody contends for. */
const HELD = { kind: 'held', left: null, describe: () => undefined, release: () => undefined } as const

let world: World
let app: App
beforeEach(async () => {
  world = await makeWorld()
  app = await resolveApp(world.deps, 'default')
})

function isHeld(deps: Deps): boolean {
  return deps.underWay.holders.size > 0
}

/** Writes what is pending as another process would. */
async function writePending(change: (pending: PendingAuthorization) => PendingAuthorization | null) {
  await world.deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const pending = await readPending(locked)
    const changed = pending && change(pending)
    if (changed) await locked.writePending(encodePending(changed))
    else await locked.remove()
  })
}

/** Waits for an authorization in a way of the test's own; `take` gives the answer. */
async function holdIn(deps: Deps): Promise<{
  pending: PendingAuthorization
  take: (answer: AuthorizationAnswer) => Promise<boolean>
}> {
  const pending = await newAuthorization(deps, app, WISH)
  const held = await deps.store.holdAuthorization(app.id)
  if (held?.kind !== 'held') throw new Error('nobody else holds it')
  onTestFinished(() => settle(deps))
  let take: (answer: AuthorizationAnswer) => Promise<boolean> = async () => false
  const write = () =>
    deps.store.withLock(app.id, LOCK_MS, (locked) => locked.writePending(encodePending(pending)))
  await holdAuthorization(deps, { app, pending, held }, write, (given) => {
    take = given
    return { close: async () => undefined }
  })
  return { pending, take }
}

/** An answer with a code of Feishu's. */
async function codeFor(pending: PendingAuthorization): Promise<AuthorizationAnswer> {
  const location = new URL(await world.sandbox.approve(pending.authorizationUrl))
  return { kind: 'code', code: location.searchParams.get('code') ?? '' }
}

test('an address is out of date where Feishu’s own redirect brings it, and no login page else', async () => {
  await begin(world.deps)
  for (const [query, text] of [
    ['state=x&code=c', 'out of date'],
    ['state=x&error=access_denied', 'out of date'],
    ['state=x', 'not a login page'],
    ['code=c', 'not a login page'],
    ['error=access_denied', 'not a login page'],
  ]) {
    const { html } = await visit(`${world.deps.config.redirectUri}?${query}`)
    expect(html, query).toContain(text)
  }
})

test('of two answers the first is used, and both are told that it is over', async () => {
  const { pending, take } = await holdIn(world.deps)
  const answer = await codeFor(pending)
  expect(await Promise.all([take(answer), take(answer)])).toEqual([true, true])
  expect(codePresentations(world)).toBe(1)
  expect(await status(world.deps)).toMatchObject({ status: 'valid' })
})

test('an answer that cannot be stored is told as such, and taken when it is given again', async () => {
  const { store } = world.deps
  let isFull = false
  const withLock: typeof store.withLock = (...given) =>
    isFull ? Promise.reject(new Error('full')) : store.withLock(...given)
  const deps = { ...world.deps, store: { ...store, withLock } }
  const { pending, take } = await holdIn(deps)
  const answer = await codeFor(pending)
  isFull = true
  expect(await take(answer)).toBe(false)
  isFull = false
  expect(await take(answer)).toBe(true)
  await start(deps, { cancel: true })
  const location = await world.sandbox.approve(await begin(deps))
  isFull = true
  expect((await visit(location)).html).toContain('unexpected_response')
  isFull = false
  expect((await visit(location)).status).toBe(200)
})

test('who cannot begin to wait says why, and leaves neither port nor lock behind', async () => {
  const { hostname, port } = new URL(world.deps.config.redirectUri)
  const server = createServer().listen(Number(port), hostname)
  await once(server, 'listening')
  expect((await failureOf(() => begin(world.deps))).code).toBe('callback_port_in_use')
  server.close()
  await once(server, 'close')
  const { deps } = world
  const pending = await newAuthorization(deps, app, WISH)
  const held = await deps.store.holdAuthorization(app.id)
  if (held?.kind !== 'held') throw new Error('nobody else holds it')
  const full = () => Promise.reject(new Error('full'))
  await expect(holdAuthorization(deps, { app, pending, held }, full)).rejects.toThrow('full')
  expect(isHeld(world.deps)).toBe(false)
  await expectFreePort(world)
  expect(await begin(world.deps)).toContain('http')
})

test.each([
  ['has another in its place', (pending) => ({ ...pending, id: 'newer' })],
  ['is being answered elsewhere', (pending) => ({ ...pending, phase: 'exchanging' })],
  ['has ended', (pending) => ({ ...pending, phase: 'ended' })],
  ['was removed', () => null],
] satisfies [string, Parameters<typeof writePending>[0]][])(
  'an answer to what %s is not used',
  async (_what, change) => {
    const { pending, take } = await holdIn(world.deps)
    await writePending(change)
    expect(await take(await codeFor(pending))).toBe(true)
    expect(codePresentations(world)).toBe(0)
  },
)

test('an address whose authorization somebody else has answered is called used', async () => {
  holdTimers()
  const location = await world.sandbox.approve(await begin(world.deps))
  await writePending((pending) => ({ ...pending, phase: 'exchanging' }))
  expect((await visit(location)).status).toBe(410)
})

test('who waits gives up for another authorization in its place', async () => {
  await begin(world.deps)
  await writePending((pending) => ({ ...pending, id: 'newer' }))
  await expect.poll(() => isHeld(world.deps)).toBe(false)
})

test('who has stopped looks no more', async () => {
  holdTimers()
  await begin(world.deps)
  expect(vi.getTimerCount()).toBeGreaterThan(0)
  await settle(world.deps)
  expect(vi.getTimerCount()).toBe(0)
})

test('who stops leaves the one that came after it in this process', async () => {
  const first = await holdIn(world.deps)
  const [stopped] = world.deps.underWay.holders.values()
  const store = { ...world.deps.store, holdAuthorization: async () => HELD }
  await holdIn({ ...world.deps, store })
  await stopped?.stop()
  expect([...world.deps.underWay.holders.values()].map(({ id }) => id)).not.toContain(first.pending.id)
  expect(isHeld(world.deps)).toBe(true)
})

test('the deadline holds by either clock, also for who takes an authorization over', async () => {
  await begin(world.deps)
  world.jump(DEADLINE_MS)
  await expect.poll(() => isHeld(world.deps)).toBe(false)
  expect(await status(world.deps, 0)).toMatchObject({ authorization_status: 'expired' })
  const url = await begin(world.deps)
  await settle(world.deps)
  world.pass(DEADLINE_MS / 2)
  const other = await startProcess(world)
  expect(linkOf(await start(other))).toBe(url)
  world.jump(-86_400_000)
  world.pass(DEADLINE_MS / 2)
  await expect.poll(() => isHeld(other)).toBe(false)
})

test('an answer that is under way is not given up at the deadline', async () => {
  const { store } = world.deps
  let looks = 0
  const readPending: Deps['store']['readPending'] = (id) => {
    looks += 1
    return store.readPending(id)
  }
  const deps = { ...world.deps, store: { ...store, readPending } }
  const { pending, take } = await holdIn(deps)
  const held = world.sandbox.faults.next({ kind: 'hold' })
  const taken = take(await codeFor(pending))
  await held.reached
  world.pass(DEADLINE_MS)
  const before = looks
  await expect.poll(() => looks).toBeGreaterThan(before + 1)
  expect(isHeld(deps)).toBe(true)
  held.release()
  expect(await taken).toBe(true)
})

test('a deadline that cannot be written down is noted in the log', async () => {
  const { store } = world.deps
  let isAway = false
  const withLock: typeof store.withLock = (...given) =>
    isAway ? Promise.reject(new Error('away')) : store.withLock(...given)
  await begin({ ...world.deps, store: { ...store, withLock } })
  isAway = true
  world.pass(DEADLINE_MS)
  await expect.poll(() => world.logs).toContain('warn authorization: Error')
  expect(isHeld(world.deps)).toBe(false)
})
