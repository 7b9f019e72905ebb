import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createDeliverer } from '../src/background.ts'
import { force, makeDeps, seed } from './support/deps.ts'

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
  await force(world.sibling())
  await deliver()
  expect(new Set(delivered).size).toBe(2)
})
