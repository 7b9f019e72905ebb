import { describe, expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { rateLimited } from '../feishu-sandbox/fault-presets.ts'
import type { World } from '../support/deps.ts'
import { codeOf, makeWorld, present, SERVER_ERROR } from './fixture.ts'

describe('a pause that Feishu asks for', () => {
  test.each([
    ['5', 'kept', 5_000, null],
    ['5.001', 'rate_limited', 0, 5_001],
  ])('of %s s', async (reset, end, waitedMs, boundMs) => {
    const world = await makeWorld()
    const before = world.now()
    world.sandbox.faults.next(rateLimited({ reset }))
    expect(codeOf(await present(world))).toBe(end)
    expect(world.now() - before).toBe(waitedMs)
    const journal = await world.deps.store.readJournal((await resolveApp(world.deps, 'default')).id)
    expect(journal?.cooldownUntil ?? null).toBe(boundMs === null ? null : before + boundMs)
  })

  test('beside an error that no pause mends binds nobody', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next({ kind: 'error', code: 20002, headers: { 'retry-after': '600' } })
    expect(codeOf(await present(world))).toBe('invalid_client')
    expect(await world.deps.store.readJournal((await resolveApp(world.deps, 'default')).id)).toBeNull()
  })
})

describe('an error without a pause that passes', () => {
  const journalOf = async ({ deps }: World) => deps.store.readJournal((await resolveApp(deps, 'default')).id)

  test('binds every process for five seconds where Feishu limits the rate', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next({ kind: 'error', code: 99991400, status: 429 }, 2)
    expect(await present(world)).toMatchObject({
      kind: 'failed',
      error: {
        code: 'rate_limited',
        nextStep: 'Wait 5 s, then call refresh_token again.',
        feishuCode: 99991400,
        logId: expect.stringMatching(/^\d{14}/),
      },
    })
    expect((await journalOf(world))?.cooldownUntil).toBe(world.now() + 5_000)
  })

  test('binds nobody where it is another', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next(SERVER_ERROR, 2)
    expect(codeOf(await present(world))).toBe('server_error')
    expect(await journalOf(world)).toBeNull()
  })

  test('binds every process where it names a pause', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next({ ...SERVER_ERROR, headers: { 'retry-after': '60' } })
    expect(codeOf(await present(world))).toBe('server_error')
    expect((await journalOf(world))?.cooldownUntil).toBe(world.now() + 60_000)
  })
})
