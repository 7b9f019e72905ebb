// An answer that is lost, in all the ways that it can be: one replay, and then a person is asked.

import { describe, expect, test } from 'vitest'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { expire, force, makeDeps, presented, refreshDue, seed, type World } from '../support/deps.ts'

/** Those that a replay cures, because the first request had no effect. */
const CURABLE = [
  'a reset before it is processed',
  'a reset before it is read',
  'a login page of the network',
  'an HTML page with 502',
  'an HTML page with 504',
  'our own request echoed',
]

/** Faults that only a deadline ends: one of two seconds then, for as many requests as meet the fault. */
const ENDLESS = ['silence', 'a byte a second']

function giveUpEarly(world: World, requests: number): void {
  let left = requests
  world.intercept((request) => (options) => request(left-- > 0 ? { ...options, deadlineMs: 2_000 } : options))
}

/** What is promised of each of these faults, by its name. */
export function describeLost(faults: Record<string, Fault>): void {
  describe.each(Object.entries(faults))('the answer is lost: %s', (name, fault) => {
    /** What Feishu never read is not in its ledger; here it counts all the same. */
    const unread = name === 'a reset before it is read' ? 1 : 0
    const curable = CURABLE.includes(name)
    test(curable ? 'one replay wins the grant back' : 'one replay, then a person is asked', async () => {
      const world = await makeDeps({ hurried: true })
      await seed(world)
      if (ENDLESS.includes(name)) giveUpEarly(world, 1)
      world.sandbox.faults.next(fault)
      const startedAt = world.now()
      const result = await force(world.deps).catch((error) => error)
      expect(presented(world)).toBe(2 - unread)
      if (curable) {
        expect(result).toMatchObject({ status: 'refreshed', record: { generation: 2 } })
        return
      }
      expect(result).toMatchObject({ code: 'refresh_uncertain', recovery: 'reauthorize', feishuCode: 20064 })
      const at = Date.parse(
        /The refresh of (\S+) was interrupted and its answer lost/.exec(result.message)?.[1] ?? '',
      )
      expect(at).toBe(Math.floor(startedAt / 1000) * 1000)
      expect((await refreshDue(world.deps)).status).toBe('still_valid')
    })

    test('twice: it is barred for good', async () => {
      const world = await makeDeps({ hurried: true })
      await seed(world)
      if (ENDLESS.includes(name)) giveUpEarly(world, 2)
      world.sandbox.faults.next(fault, 2)
      await expect(force(world.deps)).rejects.toMatchObject({ code: 'refresh_uncertain' })
      await expect(force(await world.sibling())).rejects.toMatchObject({ code: 'refresh_uncertain' })
      expire(world)
      await expect(refreshDue(await world.sibling())).rejects.toMatchObject({ code: 'refresh_uncertain' })
      expect(presented(world)).toBe(2 - 2 * unread)
    })
  })
}
