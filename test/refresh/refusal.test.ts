import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import type { Refusal } from '../../src/oauth/token-set.ts'
import { htmlPage } from '../feishu-sandbox/fault-presets.ts'
import { afterAnswer, presented, type World } from '../support/deps.ts'
import { LOST, makeWorld, present } from './fixture.ts'

describe('a token set that needs a person', () => {
  /** As it is stored, of the same generation. */
  async function refusalOf(world: World): Promise<Refusal | null | undefined> {
    const outcome = await present(world)
    const { id } = await resolveApp(world.deps, 'default')
    const stored = await (await world.sibling()).store.read(id)
    expect(stored.generation).toBe(1)
    expect(outcome).toEqual({ kind: 'refused', tokenSet: stored.tokenSet })
    return stored.tokenSet?.refusal
  }
  const logId = expect.stringMatching(/^\d{14}/)

  test.each([20064, 20037])('refused with %d, no answer was lost', async (code) => {
    const world = await makeWorld()
    world.sandbox.faults.next({ kind: 'error', code })
    const refusal = { reason: 'refused', at: world.now(), code: 'invalid_grant', feishuCode: code, logId }
    expect(await refusalOf(world)).toEqual({ ...refusal, lostAt: null })
  })

  test.each([
    [20064, 'lost', 'refresh_uncertain'],
    [20073, 'lost', 'refresh_uncertain'],
    // Whatever became of the lost answer: this is not why.
    [20037, 'refused', 'invalid_grant'],
  ])('refused with %d after a lost answer: %s', async (feishuCode, reason, code) => {
    const world = await makeWorld()
    world.sandbox.faults.next(LOST)
    world.sandbox.faults.next({ kind: 'error', code: feishuCode })
    const at = world.now()
    expect(await refusalOf(world)).toEqual({ reason, at, code, feishuCode, logId, lostAt: at })
  })

  const lost = { reason: 'lost', code: 'refresh_uncertain', feishuCode: null, logId: null }

  test('lost twice', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next(LOST, 2)
    expect(await refusalOf(world)).toEqual({ ...lost, at: world.now(), lostAt: world.now() })
  })

  test('lost twice, with a page in place of the last answer', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next(LOST)
    world.sandbox.faults.next(htmlPage(502))
    expect(await refusalOf(world)).toEqual({ ...lost, at: world.now(), lostAt: world.now(), answered: 502 })
  })

  test('refused three times by somebody who is not Feishu: the first time counts for nothing', async () => {
    const world = await makeWorld()
    world.sandbox.faults.next({ kind: 'answer', status: 403, body: '<h1>Blocked</h1>' }, 3)
    for (let time = 1; time <= 2; time += 1) {
      expect(await present(world)).toMatchObject({ kind: 'failed', error: { code: 'unexpected_response' } })
      expect(presented(world)).toBe(time)
      world.pass(1_000)
    }
    const at = world.now()
    expect(await refusalOf(world)).toEqual({ ...lost, at, lostAt: at, answered: 403 })
    expect(presented(world)).toBe(3)
  })

  test('presented twice by processes that died is not presented again', async () => {
    const world = await makeWorld()
    const { id } = await resolveApp(world.deps, 'default')
    for (let crash = 1; crash <= 2; crash += 1) {
      world.pass(1_000)
      await (await world.sibling()).store.withLock(id, 1_000, async (locked) => {
        const { refreshToken } = (await locked.read()).tokenSet ?? {}
        if (!refreshToken) throw new Error('nothing is stored')
        await locked.prepare(refreshToken)
        locked.markSent()
      })
    }
    const sentAt = world.now()
    world.pass(60_000)
    expect(await refusalOf(world)).toEqual({ ...lost, at: world.now(), lostAt: sentAt })
    expect(presented(world)).toBe(0)
  })

  test('is marked although the store cannot be read any more', async () => {
    const world = await makeWorld()
    const path = join(world.directory, 'store', `feishu-${world.sandbox.app.appId}-default.json`)
    world.sandbox.faults.next({ kind: 'error', code: 20037 })
    world.intercept(afterAnswer(() => writeFileSync(path, 'garbage')))
    expect(await refusalOf(world)).toMatchObject({ reason: 'refused', feishuCode: 20037 })
  })
})
