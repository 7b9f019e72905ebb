import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { repeat } from '../../src/authorize/repeat.ts'
import type { Deps } from '../../src/deps.ts'

let logs: string[]
let deps: Deps
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  logs = []
  deps = { log: (level: string, text: unknown) => void logs.push(`${level} ${text}`) } as unknown as Deps
})

test('a step is taken after each pause until it says the end, also after one that fails', async () => {
  const steps = [
    async () => 200,
    () => Promise.reject(new Error('nobody foresaw it')),
    async () => 300,
    async () => null,
  ]
  let taken = 0
  repeat(deps, 100, () => steps[taken++]?.() ?? Promise.resolve(1))
  const takenAfter = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms)
    return taken
  }
  expect([await takenAfter(99), await takenAfter(1)]).toEqual([0, 1])
  expect([await takenAfter(199), await takenAfter(1)]).toEqual([1, 2])
  expect(logs).toEqual(['warn authorization: Error'])
  expect([await takenAfter(199), await takenAfter(1)]).toEqual([2, 3])
  expect([await takenAfter(299), await takenAfter(1)]).toEqual([3, 4])
  expect(await takenAfter(10_000)).toBe(4)
})

test('who closes it waits for the step under way, and none is taken after it', async () => {
  let finish = (): void => {}
  let taken = 0
  const repeated = repeat(deps, 100, async () => {
    taken += 1
    await new Promise<void>((resume) => {
      finish = resume
    })
    return 100
  })
  await vi.advanceTimersByTimeAsync(100)
  let isClosed = false
  const closing = repeated.close().then(() => {
    isClosed = true
  })
  await vi.advanceTimersByTimeAsync(0)
  expect(isClosed).toBe(false)
  finish()
  await closing
  await vi.advanceTimersByTimeAsync(1_000)
  expect(taken).toBe(1)
})

test('closed before the first step, none is taken', async () => {
  let taken = 0
  const repeated = repeat(deps, 100, async () => {
    taken += 1
    return null
  })
  await repeated.close()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(taken).toBe(0)
})
