// The first lists of a server that was never seen: a client that asks once in a session waits for them, but not for long.

import { expect, onTestFinished, test, vi } from 'vitest'
import type { Reply } from '../../src/bridge/message.ts'
import { type Catalogue, createCatalogue } from '../../src/hand-over/connect-catalogue.ts'
import type { Destination } from '../../src/hand-over/connect-destination.ts'
import type { Send } from '../../src/hand-over/connect-fetch.ts'
import { openDeps } from '../support/deps.ts'
import { makeFolder } from '../support/folder.ts'
import { holdTimers } from '../support/timers.ts'

/** A program that lists its tools when `answer` is called. */
async function setCatalogue({
  own,
  elapsed = () => 0,
}: {
  own?: Send
  elapsed?: () => number
} = {}): Promise<{
  catalogue: Catalogue
  asked: () => number
  answer: () => void
  changes: () => number
}> {
  const folder = makeFolder()
  const deps = await openDeps(
    { FEISHU_TOKEN_DIR: folder, FEISHU_APP_ID: 'cli_a1', FEISHU_APP_SECRET: 's' },
    folder,
    { elapsed },
  )
  const destination: Destination = {
    key: ['program', 'other'],
    name: 'other',
    remote: null,
    createPeer: () => null as never,
  }
  let asked = 0
  let changes = 0
  let answer = () => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  const catalogue = createCatalogue({
    open: async () => ({ deps, profile: 'default', destination }),
    tools: null,
    async send(call, names) {
      asked += 1
      if (own) return own(call, names)
      const later = asked > 1 ? [{ name: 'later' }] : []
      await answered
      const reply: Reply = { result: { tools: [{ name: 'theirs' }, ...later] } }
      return { reply, capabilities: {} }
    },
    changed: () => {
      changes += 1
    },
  })
  onTestFinished(catalogue.stop)
  return { catalogue, asked: () => asked, answer, changes: () => changes }
}

test('are waited for', async () => {
  holdTimers()
  const { catalogue, asked, answer } = await setCatalogue()
  catalogue.wake()
  const lists = catalogue.lists()
  await vi.waitUntil(() => vi.advanceTimersByTime(1) && asked() > 0, { interval: 1 })
  answer()
  expect((await lists)['tools/list']).toEqual([{ name: 'theirs' }])
  expect(asked()).toBe(1)
})

test('are waited for no longer than two seconds', async () => {
  holdTimers()
  const { catalogue, asked, answer } = await setCatalogue()
  let listed = false
  const lists = catalogue.lists().finally(() => {
    listed = true
  })
  await vi.waitUntil(() => vi.advanceTimersByTime(1) && asked() > 0, { interval: 1 })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(listed).toBe(false)
  await vi.advanceTimersByTimeAsync(1_000)
  expect((await lists)['tools/list']).toEqual([])
  answer()
  await expect.poll(async () => (await catalogue.lists())['tools/list']).toHaveLength(1)
})

test('what changes while they are fetched is fetched, too', async () => {
  holdTimers()
  const { catalogue, asked, answer, changes } = await setCatalogue()
  catalogue.wake()
  await vi.waitUntil(() => vi.advanceTimersByTime(1) && asked() > 0, { interval: 1 })
  catalogue.refetch()
  answer()
  await vi.waitUntil(() => vi.advanceTimersByTime(1_000) && changes() > 1, { interval: 1 })
  expect((await catalogue.lists())['tools/list']).toEqual([{ name: 'theirs' }, { name: 'later' }])
  expect(asked()).toBe(2)
})

test('one that cannot be had takes none of the others away, and is asked for again', async () => {
  holdTimers()
  let fails = true
  let elapsedMs = 0
  const own: Send = async ({ method }) => {
    const reply: Reply =
      method === 'tools/list'
        ? { result: { tools: [{ name: 'theirs' }] } }
        : fails
          ? { error: { code: -32603, message: 'no' } }
          : { result: { prompts: [{ name: 'other' }] } }
    return { reply, capabilities: { prompts: {} } }
  }
  const { catalogue, changes } = await setCatalogue({ own, elapsed: () => elapsedMs })
  catalogue.wake()
  await vi.waitUntil(() => vi.advanceTimersByTime(1_000) && changes() > 0, { interval: 1 })
  expect(await catalogue.lists()).toMatchObject({ 'tools/list': [{ name: 'theirs' }], 'prompts/list': [] })
  fails = false
  elapsedMs = 60_000
  await vi.waitUntil(() => vi.advanceTimersByTime(1_000) && changes() > 1, { interval: 1 })
  expect(await catalogue.lists()).toMatchObject({ 'prompts/list': [{ name: 'other' }] })
})
