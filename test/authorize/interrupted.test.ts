import { expect, onTestFinished, test } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import { CodedError } from '../../src/errors.ts'
import { decodePending } from '../../src/oauth/pending-authorization.ts'
import { say } from '../../src/sentence.ts'
import type { LockedProfile } from '../../src/store/token-store.ts'
import { settle } from '../../src/wiring/settle.ts'
import { seed } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import {
  begin,
  expectFreePort,
  issuedRecord,
  leaveHalfway,
  linkOf,
  makeWorld,
  paste,
  start,
  startProcess,
  status,
  stored,
  visit,
} from './fixture.ts'

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

test('a link whose process is gone is taken over by whoever asks next', async () => {
  const world = await makeWorld()
  const url = await begin(world.deps)
  await settle(world.deps)
  const other = await startProcess(world)
  const next = await start(other)
  expect([next.joined, linkOf(next)]).toEqual([true, url])
  expect(other.underWay.holders.size).toBe(1)
  expect((await visit(await world.sandbox.approve(url))).status).toBe(200)
  expect(await status(other)).toMatchObject({ status: 'valid' })
})

test('tokens that were put into force before their process died are not put there again', async () => {
  const world = await makeWorld()
  const { app, record } = await seed(world)
  await leaveHalfway(world, { phase: 'exchanged', tokens: await issuedRecord(world) })
  const id = decodePending(await world.deps.store.readPending(app.id))?.id ?? null
  await world.deps.store.withLock(app.id, 1_000, (locked) =>
    locked.commit(
      { generation: 2, tokenSet: record.tokenSet && { ...record.tokenSet, authorizationId: id } },
      record.generation,
    ),
  )
  expect(await start(await startProcess(world))).toMatchObject({ status: 'pending', joined: false })
  expect(await stored(world)).toMatchObject({ generation: 2 })
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

/** The same process with other ways to work on a profile while its lock is held. */
function withLocked(deps: Deps, change: (locked: LockedProfile) => Partial<LockedProfile>): Deps {
  const { store } = deps
  const withLock: typeof store.withLock = (id, deadlineMs, work) =>
    store.withLock(id, deadlineMs, (locked) => {
      const changed = change(locked)
      return work(
        new Proxy(locked, {
          get: (target, name) =>
            Reflect.get(changed, name) ?? (Reflect.get(target, name) as () => unknown).bind(target),
        }),
      )
    })
  const other = { ...deps, store: { ...store, withLock } }
  onTestFinished(() => settle(other))
  return other
}

test('tokens go into force even if the note for another process cannot be written', async () => {
  const world = await makeWorld()
  const deps = withLocked(world.deps, (locked) => ({
    async writePending(pending) {
      if (pending.phase === 'exchanged') throw new Error('the disk is full')
      return locked.writePending(pending)
    },
  }))
  const location = await world.sandbox.approve(await begin(deps))
  expect((await visit(location)).status).toBe(200)
  expect(await status(deps)).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
  expect(world.logs).toContain('warn authorization: Error')
})

test('what nobody foresaw ends no authorization: the same address may be opened again', async () => {
  const world = await makeWorld()
  let isBroken = true
  const deps = withLocked(world.deps, (locked) => ({
    async writePending(pending) {
      if (isBroken && pending.phase === 'exchanging') throw new Error('nobody foresaw it')
      return locked.writePending(pending)
    },
  }))
  const location = await world.sandbox.approve(await begin(deps))
  expect((await visit(location)).html).toContain('unexpected_response')
  expect(await status(deps, 0)).toMatchObject({ authorization_status: 'pending' })
  isBroken = false
  expect((await visit(location)).status).toBe(200)
  expect(await status(deps)).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
})

test('a record that could not be read for a reason that nobody foresaw is not set aside', async () => {
  const world = await makeWorld()
  await seed(world)
  const before = await stored(world)
  const deps = withLocked(world.deps, () => ({ read: () => Promise.reject(new Error('nobody foresaw it')) }))
  await visit(await world.sandbox.approve(await begin(deps)))
  expect(await stored(world)).toEqual(before)
})

test('tokens that a process noted and that hold none are an error of their own', async () => {
  const world = await makeWorld()
  await leaveHalfway(world, { phase: 'exchanged', tokens: {} })
  await expect(start(await startProcess(world))).rejects.toThrow(
    'an exchanged authorization holds an access token',
  )
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
  const world = await makeWorld({ knobs: { deviceIntervalMs: 1_000, enforcePollInterval: false } })
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
