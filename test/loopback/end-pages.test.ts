import { expect, test, vi } from 'vitest'
import { createEndPages } from '../../src/loopback/end-pages.ts'
import { openListener, requestBytes, send, sendOnce } from './client.ts'

const SPENT = '/callback?code=canary-code&state=canary-state'

test('after the end the address holds neither code nor state, and its page is shown once', async () => {
  const { port, queries } = await openListener()
  const answer = await sendOnce(port, requestBytes(port, SPENT))
  expect(answer.status).toBe(303)
  expect(answer.headers.location).toMatch(/^\/callback\?page=[0-9a-f]{32}$/)
  expect(answer.body).toBe('')
  const clean = requestBytes(port, answer.headers.location ?? '')
  const page = await sendOnce(port, clean)
  expect([page.status, page.body.includes('Access was not granted')]).toEqual([200, true])
  expect(queries.map(String)).toEqual(['code=canary-code&state=canary-state'])
  // Opened again it is a request like any other.
  await send(port, clean)
  expect(queries).toHaveLength(2)
})

test.each(['unstored', 'outdated', 'already_used', 'ignored'] as const)(
  'where nothing has ended (%s) the address stays as it is',
  async (kind) => {
    const text = { en: 'x', zh: 'x' }
    const unstored = { kind: 'unstored', reason: text, nextStep: text, action: null, code: 'x' } as const
    const { port } = await openListener(async () => (kind === 'unstored' ? unstored : { kind }))
    const answer = await sendOnce(port, requestBytes(port, SPENT))
    expect([answer.headers.location, answer.body.length > 0]).toEqual([undefined, true])
  },
)

test('the listener closes when the browser has its page, and without one within a second', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    for (const follow of [true, false]) {
      const pages = createEndPages()
      const address = new URLSearchParams(pages.keep({ kind: 'denied' }) ?? '')
      let ended = false
      const end = pages.end()?.then(() => {
        ended = true
      })
      await vi.advanceTimersByTimeAsync(999)
      expect(ended).toBe(false)
      if (follow) expect(pages.take(address)).toEqual({ kind: 'denied' })
      else await vi.advanceTimersByTimeAsync(1)
      await end
      expect(pages.keep({ kind: 'denied' })).toBeNull()
    }
  } finally {
    vi.useRealTimers()
  }
})

test('while the process stands still, the page waits on for the browser', async () => {
  const pages = createEndPages()
  const address = new URLSearchParams(pages.keep({ kind: 'denied' }) ?? '')
  let ended = false
  const end = pages.end()?.then(() => {
    ended = true
  })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500)
  // What came meanwhile is read after the timers: a connection first, its request in the turn after that.
  for (let turn = 1; turn <= 3; turn += 1)
    await new Promise((resume) => setTimeout(() => setImmediate(resume)))
  expect(ended).toBe(false)
  expect(pages.take(address)).toEqual({ kind: 'denied' })
  await end
})

test('an address that nobody was sent to has no page', () => {
  const pages = createEndPages()
  pages.keep({ kind: 'denied' })
  expect(pages.take(new URLSearchParams('page=0'))).toBeNull()
  expect(pages.take(new URLSearchParams(''))).toBeNull()
})
