import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Delivery } from '../../src/delivery/deliver.ts'
import { createDeliverer } from '../../src/hand-over/deliver.ts'
import { say } from '../../src/sentence.ts'
import { force, makeDeps, seed } from '../support/deps.ts'

const env = { FEISHU_DELIVER_TO: 'dotenv:/nonexistent/.env#TOKEN' }

test('with targets and nobody logged in the background work leaves no file and no lock', async () => {
  const world = await makeDeps({ env })
  await createDeliverer(world.deps)()
  expect(existsSync(world.directory)).toBe(false)
})

test('the background work delivers each generation once, whoever stored it', async () => {
  const world = await makeDeps({ env })
  const delivered: (string | undefined)[] = []
  const deps = {
    ...world.deps,
    deliver: async (...[, tokenSet]: Parameters<typeof world.deps.deliver>) => {
      delivered.push(tokenSet.accessToken?.reveal())
      return []
    },
  }
  await seed(world)
  const deliver = createDeliverer(deps)
  await deliver()
  await deliver()
  expect(delivered).toHaveLength(1)
  await force(await world.sibling())
  await deliver()
  expect(new Set(delivered).size).toBe(2)
})

test('a generation that could not be delivered is tried again at the next wake-up', async () => {
  const world = await makeDeps({ env })
  const results: Delivery['status'][] = ['failed', 'failed', 'delivered']
  let calls = 0
  const deps = {
    ...world.deps,
    deliver: async (): Promise<Delivery[]> => {
      const status = results[calls++] ?? 'unchanged'
      return [{ target: 'dotenv', status, detail: say``, restart_required: false, restart_hint: null }]
    },
  }
  await seed(world)
  const deliver = createDeliverer(deps)
  for (let wake = 0; wake < 5; wake += 1) await deliver()
  expect(calls).toBe(3)
})
