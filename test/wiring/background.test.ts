import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Delivery } from '../../src/delivery/deliver.ts'
import { createDeliverer } from '../../src/hand-over/deliver.ts'
import { say } from '../../src/sentence.ts'
import { startBackground } from '../../src/wiring/background.ts'
import { expire, force, makeDeps, presented, seed, withSleep } from '../support/deps.ts'
import { makeFolder } from '../support/folder.ts'

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

test('the background work refreshes what is due and delivers it, again and again until it is stopped', async () => {
  const dotenv = join(makeFolder(), '.env')
  writeFileSync(dotenv, 'TOKEN=\n')
  const world = await makeDeps({ env: { FEISHU_DELIVER_TO: `dotenv:${dotenv}#TOKEN` } })
  const { app } = await seed(world)
  let sleeps = 0
  const written = new Set<string>()
  await new Promise<void>((resolve) => {
    const sleep = async () => {
      written.add(readFileSync(dotenv, 'utf8'))
      const { tokenSet } = await world.deps.store.read(app.id)
      expect(readFileSync(dotenv, 'utf8')).toBe(`TOKEN=${tokenSet?.accessToken?.reveal()}\n`)
      sleeps += 1
      expire(world)
      if (sleeps < 3) return
      stop()
      resolve()
    }
    const stop = startBackground(withSleep(world.deps, sleep))
    onTestFinished(stop)
  })
  await new Promise((resume) => setImmediate(resume))
  expect([sleeps, written.size, presented(world)]).toEqual([3, 3, 2])
})
