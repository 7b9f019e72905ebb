import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { say } from '../../src/sentence.ts'
import { Unsaved } from '../../src/store/unsaved.ts'
import { makeRecord } from './fixture.ts'

const FULL = new CodedError('store_not_writable', say`Full.`, { nextStep: say`Free some space.` })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
})

/** A record that is never written, each attempt taking so long; and when each began. */
function keepUnwritable(tookMs: number): { unsaved: Unsaved; begun: number[] } {
  const unsaved = new Unsaved()
  const begun: number[] = []
  const startedAt = performance.now()
  unsaved.keep('path', makeRecord(1), async () => {
    begun.push(performance.now() - startedAt)
    if (tookMs > 0) await new Promise((resume) => setTimeout(resume, tookMs))
    return FULL
  })
  return { unsaved, begun }
}

async function flush(unsaved: Unsaved): Promise<void> {
  const flushed = unsaved.flush()
  await vi.advanceTimersByTimeAsync(5_000)
  await flushed
}

test('the last attempts are eight, the first of them at once', async () => {
  const { unsaved, begun } = keepUnwritable(0)
  const flushed = unsaved.flush()
  expect(begun).toEqual([0])
  await vi.advanceTimersByTimeAsync(999)
  expect(begun).toEqual([0, 200, 400, 600, 800])
  await vi.advanceTimersByTimeAsync(401)
  await flushed
  // One of them is that of every second.
  expect(begun.slice(-2)).toEqual([1_200, 1_400])
})

test('where an attempt is slow there are no more after two seconds', async () => {
  const slow = keepUnwritable(2_001)
  const begun = slow.begun.length
  await flush(slow.unsaved)
  expect(begun).toBe(0)
  expect(slow.begun.filter((at) => at < 1_000)).toEqual([0])
})

test('whoever works on it next is told why it is not written', async () => {
  const { unsaved } = keepUnwritable(0)
  await expect(unsaved.saveFirst('path')).rejects.toBe(FULL)
  await unsaved.saveFirst('elsewhere')
})
