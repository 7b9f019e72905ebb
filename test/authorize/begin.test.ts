import { expect, onTestFinished, test } from 'vitest'
import { type App, resolveApp } from '../../src/app/app.ts'
import { begin, goOnWith } from '../../src/authorize/begin.ts'
import { newCreation } from '../../src/authorize/creation.ts'
import { appToCome } from '../../src/authorize/pending.ts'
import type { Deps } from '../../src/deps.ts'
import type { NewApp } from '../../src/oauth/credentials.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import {
  decodePending,
  encodePending,
  type PendingAuthorization,
  withOutcome,
} from '../../src/oauth/pending-authorization.ts'
import { Secret } from '../../src/secret.ts'
import { settle } from '../../src/wiring/settle.ts'
import { makeDeps, type World, withSleep } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import { DEADLINE_MS, makeWorld } from './fixture.ts'

const SCOPES = ['im:message', 'offline_access']
const LOCK_MS = 1_000

/** A world in which the creation of an app is pending, `change`d as another process may leave it, or none is. */
async function creating(
  change: (creation: PendingAuthorization) => PendingAuthorization | null,
): Promise<{ world: World; creation: PendingAuthorization; app: NewApp }> {
  const world = await makeDeps({
    env: { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '', FEISHU_TOKEN_KEY_SOURCE: 'file' },
  })
  const { deps, sandbox } = world
  onTestFinished(() => settle(deps))
  const creation = await newCreation(deps, SCOPES)
  const left = change(creation)
  await deps.store.withLock(appToCome(deps, 'default').id, LOCK_MS, async (locked) => {
    if (left) await locked.writePending(encodePending(left))
  })
  const { brand, appId, appSecret } = sandbox.app
  const endpoints = endpointsOf(brand, deps.config)
  return { world, creation, app: { brand, appId, appSecret: new Secret(appSecret), endpoints } }
}

const asItIs = (creation: PendingAuthorization): PendingAuthorization => creation
const ended = (creation: PendingAuthorization): PendingAuthorization =>
  withOutcome(creation, { status: 'cancelled', at: 0, failure: null }, 'ended')

test.each([
  ['that is pending', asItIs, 0, true],
  ['that is pending, and ran out while Feishu made the app', asItIs, DEADLINE_MS, true],
  ['of which nothing is known', () => null, 0, false],
  ['that has ended', ended, 0, false],
  ['that another one has replaced', (creation) => ({ ...creation, id: 'newer' }), 0, false],
] satisfies [string, Parameters<typeof creating>[0], number, boolean][])(
  'the app of a creation %s is kept, and its approval begun where somebody waits for it',
  async (_which, change, passMs, goesOn) => {
    const { world, creation, app } = await creating(change)
    const { deps } = world
    world.pass(passMs)
    const next = await goOnWith(deps, 'default', creation.id, app)
    expect((await resolveApp(deps, 'default')).id.appId).toBe(app.appId)
    expect(next).toEqual(
      goesOn ? expect.objectContaining({ step: 'approve', scopes: SCOPES, outcome: null }) : null,
    )
    const left = decodePending(await deps.store.readPending(appToCome(deps, 'default').id))
    if (!goesOn) expect(left).toEqual(change(creation))
    else
      expect(left).toMatchObject({
        id: creation.id,
        phase: 'ended',
        outcome: { status: 'succeeded', at: world.now(), failure: null },
      })
  },
)

test.each([
  [DEADLINE_MS - 1, true],
  [DEADLINE_MS, false],
])('after %i ms an app that a process has kept before it ended is approved: %s', async (ms, goesOn) => {
  const { world, app } = await creating((creation) => ({
    ...creation,
    deadlineAt: creation.startedAt + DEADLINE_MS,
  }))
  // Kept, and not gone on with: of another creation.
  expect(await goOnWith(world.deps, 'default', 'another', app)).toBeNull()
  world.pass(ms)
  expect((await goOnWith(world.deps, 'default', null, null)) !== null).toBe(goesOn)
})

test('an approval for which Feishu gives no code has failed, with what was asked for', async () => {
  const { world, creation, app } = await creating(asItIs)
  world.sandbox.faults.next({
    endpoint: 'device_authorization',
    kind: 'answer',
    status: 400,
    body: '{"error":"unauthorized_client"}',
  })
  expect(await goOnWith(world.deps, 'default', creation.id, app)).toMatchObject({
    id: creation.id,
    step: 'approve',
    scopes: SCOPES,
    phase: 'ended',
    outcome: { status: 'failed' },
  })
})

function beginNow(deps: Deps, app: App): Promise<PendingAuthorization> {
  const wish = { scopes: SCOPES, method: 'browser' } as const
  return deps.store.withLock(app.id, LOCK_MS, (locked) => begin(deps, app, locked, wish))
}

test('a process whose authorization is just ending is waited for, and a while at most', async () => {
  const world = await makeWorld()
  const app = await resolveApp(world.deps, 'default')
  const other = await (await world.sibling()).store.holdAuthorization(app.id)
  if (other?.kind !== 'held') throw new Error('nobody holds it')
  const pauses: number[] = []
  const hurried = withSleep(world.deps, async (ms) => {
    pauses.push(ms)
    world.pass(ms)
  })
  expect(await failureOf(() => beginNow(hurried, app))).toMatchObject({
    code: 'store_locked',
    message: 'The last authorization of profile "default" is just ending.',
    nextStep: 'Call start_authorization again in a few seconds.',
  })
  expect(pauses.length).toBeGreaterThan(10)
  const freed = withSleep(world.deps, async () => other.release())
  // Of a holder who has just gone nothing is known.
  let isKnown = false
  const holdAuthorization: Deps['store']['holdAuthorization'] = async (id) => {
    if (isKnown) return freed.store.holdAuthorization(id)
    isKnown = true
    return null
  }
  const deps = { ...freed, store: { ...freed.store, holdAuthorization } }
  onTestFinished(() => settle(deps))
  expect(await beginNow(deps, app)).toMatchObject({ phase: 'waiting', scopes: SCOPES })
})
