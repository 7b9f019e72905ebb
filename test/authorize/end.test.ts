import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { App } from '../../src/app/app.ts'
import { conclude, expire } from '../../src/authorize/end.ts'
import {
  cancelledOutcome,
  decodePending,
  encodePending,
  type PendingAuthorization,
} from '../../src/oauth/pending-authorization.ts'
import type { World } from '../support/deps.ts'
import { DEADLINE_MS, leavePending, makeWorld } from './fixture.ts'

let world: World
let app: App
let pending: PendingAuthorization
beforeEach(async () => {
  world = await makeWorld()
  const left = await leavePending(world)
  app = left.app
  pending = left.pending
})

async function write(changes: Partial<PendingAuthorization>): Promise<PendingAuthorization> {
  const changed = { ...pending, ...changes }
  await world.deps.store.withLock(app.id, 1_000, (locked) => locked.writePending(encodePending(changed)))
  return changed
}

async function written(): Promise<PendingAuthorization | null> {
  return decodePending(await world.deps.store.readPending(app.id))
}

test.each([
  [DEADLINE_MS + 5_000, DEADLINE_MS],
  [DEADLINE_MS - 5_000, DEADLINE_MS - 5_000],
])('told after %i ms, an authorization has expired after %i ms', async (passedMs, expiredMs) => {
  world.pass(passedMs)
  await expire(world.deps, app, pending)
  expect(await written()).toMatchObject({
    phase: 'ended',
    outcome: { status: 'expired', at: pending.startedAt + expiredMs },
  })
})

test('neither one whose code is being exchanged expires, nor a newer one', async () => {
  for (const changes of [{ phase: 'exchanging' }, { id: 'newer' }] as const) {
    const before = await write(changes)
    world.pass(DEADLINE_MS)
    await expire(world.deps, app, pending)
    expect(await written()).toEqual(before)
  }
})

test('an end is told once the port is free; what has not ended, or is newer, is left as it is', async () => {
  const outcome = cancelledOutcome(world.now())
  await write({ outcome, phase: 'closing' })
  await conclude(world.deps, app, pending)
  expect(await written()).toMatchObject({ outcome: { status: 'cancelled' }, phase: 'ended' })
  for (const changes of [{}, { id: 'newer', outcome, phase: 'closing' }] as const) {
    const before = await write(changes)
    await conclude(world.deps, app, pending)
    expect(await written()).toEqual(before)
  }
  expect(world.logs).toEqual([])
})

test('an end that cannot be told is noted in the log, and stays written', async () => {
  await write({ outcome: cancelledOutcome(world.now()), phase: 'closing' })
  const store = { ...world.deps.store, withLock: () => Promise.reject(new Error('full')) }
  await conclude({ ...world.deps, store }, app, pending)
  expect(world.logs).toEqual(['warn authorization: Error'])
  expect(await written()).toMatchObject({ phase: 'closing' })
})

test('whoever still holds the port is waited for, but not a newer authorization', async () => {
  const held = await world.deps.store.holdAuthorization(app.id)
  if (held?.kind !== 'held') throw new Error('busy')
  const outcome = cancelledOutcome(world.now())
  await write({ outcome, phase: 'closing' })
  let isOver = false
  const concluding = conclude(world.deps, app, pending).then(() => {
    isOver = true
  })
  await new Promise((resume) => setTimeout(resume, 100))
  expect(isOver).toBe(false)
  held.release()
  await concluding
  expect(await written()).toMatchObject({ phase: 'ended' })
  const again = await world.deps.store.holdAuthorization(app.id)
  await write({ id: 'newer' })
  await conclude(world.deps, app, pending)
  if (again?.kind === 'held') again.release()
})

test('of a profile that was removed meanwhile nothing is told', async () => {
  await world.deps.store.withLock(app.id, 1_000, (locked) => locked.remove())
  // Its holder has left no name.
  rmSync(join(world.directory, 'store', `${app.key}.json.holder.lock`))
  const held = await world.deps.store.holdAuthorization(app.id)
  await expire(world.deps, app, pending)
  await conclude(world.deps, app, pending)
  expect(await written()).toBeNull()
  expect(world.logs).toEqual([])
  if (held?.kind === 'held') held.release()
})

test('a holder that hangs is waited for three seconds', async () => {
  const held = await world.deps.store.holdAuthorization(app.id)
  await write({ outcome: cancelledOutcome(world.now()), phase: 'closing' })
  const sleeps: number[] = []
  const sleep = async (ms: number) => {
    sleeps.push(ms)
    world.pass(ms)
  }
  await conclude({ ...world.deps, clock: { ...world.deps.clock, sleep } }, app, pending)
  expect(sleeps).toEqual(Array.from({ length: 150 }, () => 20))
  expect(await written()).toMatchObject({ phase: 'ended' })
  if (held?.kind === 'held') held.release()
})
