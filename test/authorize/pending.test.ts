import { beforeEach, expect, test } from 'vitest'
import type { App } from '../../src/app/app.ts'
import {
  appToCome,
  authorizationEnd,
  isToCome,
  readAuthorization,
  readCreation,
  waitForStep,
} from '../../src/authorize/pending.ts'
import type { Deps } from '../../src/deps.ts'
import { CodedError } from '../../src/errors.ts'
import {
  cancelledOutcome,
  encodePending,
  type PendingAuthorization,
} from '../../src/oauth/pending-authorization.ts'
import { say } from '../../src/sentence.ts'
import { seed, type World, withSleep } from '../support/deps.ts'
import { leavePending, makeWorld } from './fixture.ts'

let world: World
let app: App
let pending: PendingAuthorization
beforeEach(async () => {
  world = await makeWorld()
  const left = await leavePending(world)
  app = left.app
  pending = left.pending
})

function write(at: App, changes: Partial<PendingAuthorization>): Promise<void> {
  const changed = { ...pending, ...changes }
  return world.deps.store.withLock(at.id, 1_000, (locked) => locked.writePending(encodePending(changed)))
}

/** A process whose app is not in its settings. */
function withoutApp(): Deps {
  return { ...world.deps, config: { ...world.deps.config, app: null } }
}

const NONE = { status: 'none', failure: null }
const PENDING = { status: 'pending', failure: null }

test('what stands for an app that is to come has a place of its own', () => {
  const place = appToCome(world.deps, 'work')
  expect(place).toMatchObject({
    id: { brand: 'feishu', appId: 'app-to-come', profile: 'work' },
    key: 'feishu-app-to-come-work',
    client: { appId: '' },
    endpoints: { open: world.sandbox.url },
  })
  expect([isToCome(place), isToCome(app)]).toEqual([true, false])
})

test('the creation of an app is told while it is pending, and how it failed, but not that it succeeded', async () => {
  const place = appToCome(world.deps, 'default')
  expect(await readCreation(world.deps, 'default')).toEqual({ pending: null, told: NONE })
  await write(place, { step: 'create_app' })
  expect(await readCreation(world.deps, 'default')).toMatchObject({
    pending: { id: pending.id },
    told: PENDING,
  })
  const cancelled = cancelledOutcome(world.now())
  await write(place, { step: 'create_app', outcome: cancelled, phase: 'ended' })
  expect((await readCreation(world.deps, 'default')).told).toEqual({
    status: 'cancelled',
    failure: cancelled.failure,
  })
  const outcome = { status: 'succeeded', at: world.now(), failure: null } as const
  await write(place, { step: 'create_app', outcome, phase: 'ended' })
  expect(await readCreation(world.deps, 'default')).toEqual({ pending: null, told: NONE })
})

test('a creation is told where no authorization is pending, and only where the settings name no app', async () => {
  await write(appToCome(world.deps, 'default'), { step: 'create_app', id: 'creation' })
  expect(await readAuthorization(withoutApp(), app, null)).toMatchObject({ pending: { id: pending.id } })
  await write(app, { outcome: cancelledOutcome(world.now()), phase: 'ended' })
  expect(await readAuthorization(withoutApp(), app, null)).toMatchObject({
    pending: { id: 'creation' },
    told: PENDING,
  })
  expect(await readAuthorization(world.deps, app, null)).toMatchObject({
    pending: { id: pending.id },
    told: { status: 'cancelled' },
  })
})

test('what cannot be read is told as nothing', async () => {
  const store = { ...world.deps.store, readPending: () => Promise.reject(new Error('torn')) }
  const deps = { ...withoutApp(), store }
  expect(await readAuthorization(deps, app, null)).toEqual({ pending: null, told: NONE })
})

test('who waits is told at the next step, at the end of its time, and when the process closes', async () => {
  const pauses: number[] = []
  let before: (pause: number) => Promise<void> = async () => undefined
  const deps = withSleep(world.deps, async (ms) => {
    pauses.push(ms)
    await before(pauses.length)
    world.pass(ms)
  })
  expect(await waitForStep(deps, 'default', 300)).toMatchObject({ told: PENDING })
  expect(pauses).toEqual([150, 150])
  pauses.length = 0
  before = async (pause) => {
    if (pause === 3) await write(app, { step: 'create_app' })
  }
  expect(await waitForStep(deps, 'default', 60_000)).toMatchObject({ pending: { step: 'create_app' } })
  expect(pauses).toHaveLength(3)
  pauses.length = 0
  before = async (pause) => {
    if (pause === 2) await write(app, { step: 'approve' })
    if (pause === 4) await write(app, { outcome: cancelledOutcome(world.now()), phase: 'ended' })
  }
  expect((await authorizationEnd(deps, 'default')).status).toBe('cancelled')
  expect(pauses).toHaveLength(4)
  expect((await waitForStep(deps, 'default', 60_000)).told.status).toBe('cancelled')
  await write(app, {})
  const closing = AbortSignal.abort()
  pauses.length = 0
  before = async () => undefined
  expect(await waitForStep({ ...deps, closing }, 'default', 60_000)).toMatchObject({ told: PENDING })
  expect(await authorizationEnd({ ...deps, closing }, 'default')).toEqual(PENDING)
  expect(pauses).toEqual([])
})

test('a profile without an app is told of what is to come; any other error is told as it is', async () => {
  expect((await waitForStep(withoutApp(), 'default', 0)).told).toEqual(NONE)
  for (const error of [
    new TypeError('nobody foresaw it'),
    new CodedError('store_unreadable', say`It is damaged.`, { nextStep: say`Restore it.` }),
  ]) {
    const store = { ...world.deps.store, readApps: () => Promise.reject(error) }
    await expect(waitForStep({ ...withoutApp(), store }, 'default', 0)).rejects.toBe(error)
  }
  const torn = { ...world.deps.store, read: () => Promise.reject(new Error('torn')) }
  await seed(world)
  expect((await waitForStep({ ...world.deps, store: torn }, 'default', 0)).told).toEqual(PENDING)
})

test('an authorization whose tokens are stored has succeeded, though nobody wrote that down', async () => {
  const { record } = await seed(world)
  world.pass(60_000)
  const tokenSet = record.tokenSet && { ...record.tokenSet, authorizationId: pending.id }
  const { told } = await readAuthorization(world.deps, app, { ...record, tokenSet })
  expect(told).toEqual({ status: 'succeeded', failure: null })
  expect((await readAuthorization(world.deps, app, record)).told).toEqual(PENDING)
})
