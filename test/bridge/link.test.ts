import { afterEach, expect, test, vi } from 'vitest'
import { type Link, openLink, type Wire } from '../../src/bridge/link.ts'
import type { Message } from '../../src/bridge/message.ts'
import { CodedError } from '../../src/errors.ts'
import { say } from '../../src/sentence.ts'
import { failureOf } from '../support/failure.ts'

afterEach(() => void vi.useRealTimers())

const SILENCE_MS = 60_000

type Setting = {
  link: Link
  sent: Message[]
  notices: string[]
  answerAsk: (value: string) => void
  taken: () => boolean | undefined
}

function setLink(): Setting {
  vi.useFakeTimers()
  const sent: Message[] = []
  const notices: string[] = []
  let answerAsk: (value: string) => void = () => undefined
  let question: AbortSignal | null = null
  const wire: Wire = { send: async (message) => void sent.push(message), close: async () => undefined }
  const link = openLink({
    silenceMs: SILENCE_MS,
    wire,
    handlers: {
      notice: ({ method }) => void notices.push(method),
      ask: (_, signal) =>
        new Promise((resolve) => {
          question = signal
          answerAsk = (value) => resolve({ result: { value } })
        }),
    },
  })
  return { link, sent, notices, answerAsk: (value) => answerAsk(value), taken: () => question?.aborted }
}

const call = { method: 'tools/call', params: { name: 'slow', _meta: { progressToken: 'p' } } }
const options = () => ({ signal: new AbortController().signal, headers: {} })

test('a minute of silence ends a call, and it is cancelled there', async () => {
  const { link, sent } = setLink()
  const failed = failureOf(() => link.request(call, options()))
  await vi.advanceTimersByTimeAsync(SILENCE_MS - 1)
  expect(link.isWaiting(1)).toBe(true)
  await vi.advanceTimersByTimeAsync(1)
  expect(await failed).toMatchObject({ code: 'network_error', recovery: 'retry' })
  expect(sent.at(-1)).toMatchObject({ method: 'notifications/cancelled', params: { requestId: 1 } })
  link.receive({ jsonrpc: '2.0', id: 1, result: { late: true } })
})

test('progress of the call keeps it alive, that of another does not', async () => {
  const { link, notices } = setLink()
  const answered = link.request(call, options())
  const other = failureOf(() => link.request({ method: 'tools/call', params: {} }, options()))
  await vi.advanceTimersByTimeAsync(SILENCE_MS - 1)
  link.receive({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p' } })
  await vi.advanceTimersByTimeAsync(SILENCE_MS - 1)
  expect((await other).code).toBe('network_error')
  link.receive({ jsonrpc: '2.0', id: 1, result: { done: true } })
  expect(await answered).toMatchObject({ result: { done: true } })
  expect(notices).toEqual(['notifications/progress'])
})

test('while the other side waits for the client, a person perhaps, its silence is none', async () => {
  const { link, sent, answerAsk } = setLink()
  const answered = link.request(call, options())
  link.receive({ jsonrpc: '2.0', id: 'q', method: 'sampling/createMessage', params: {} })
  await vi.advanceTimersByTimeAsync(SILENCE_MS * 3)
  answerAsk('yes')
  await vi.advanceTimersByTimeAsync(1)
  expect(sent.at(-1)).toEqual({ jsonrpc: '2.0', id: 'q', result: { value: 'yes' } })
  link.receive({ jsonrpc: '2.0', id: 1, result: {} })
  expect(await answered).toMatchObject({ result: {} })
})

test('a call that the client has cancelled is cancelled there and waited for no more', async () => {
  const { link, sent } = setLink()
  const controller = new AbortController()
  const call_ = link.request(call, { signal: controller.signal, headers: {} })
  controller.abort(new Error('enough'))
  await expect(call_).rejects.toThrow('enough')
  expect(sent.map(({ method }) => method)).toEqual(['tools/call', 'notifications/cancelled'])
  expect(link.isWaiting(1)).toBe(false)
})

test('a connection that breaks answers all that waits', async () => {
  const { link } = setLink()
  const failed = [
    failureOf(() => link.request(call, options())),
    failureOf(() => link.request(call, options())),
  ]
  link.fail(null, new CodedError('network_error', say`Gone.`, { nextStep: say`Look.` }))
  expect((await Promise.all(failed)).map(({ code }) => code)).toEqual(['network_error', 'network_error'])
})

test('a question that is taken back is answered no more, and the silence counts again', async () => {
  const { link, sent, notices, answerAsk, taken } = setLink()
  const failed = failureOf(() => link.request(call, options()))
  link.receive({ jsonrpc: '2.0', id: 'q', method: 'sampling/createMessage', params: {} })
  const cancel = (requestId: unknown) => ({
    jsonrpc: '2.0',
    method: 'notifications/cancelled',
    params: { requestId },
  })
  link.receive(cancel('other'))
  expect(taken()).toBe(false)
  link.receive(cancel('q'))
  expect(taken()).toBe(true)
  answerAsk('too late')
  await vi.advanceTimersByTimeAsync(SILENCE_MS)
  expect((await failed).code).toBe('network_error')
  expect(sent.map(({ id }) => id)).not.toContain('q')
  // What it means by its ids means something else to the client.
  expect(notices).toEqual([])
})

test('the end of a connection takes back what was asked over it', async () => {
  const { link, taken } = setLink()
  link.receive({ jsonrpc: '2.0', id: 'q', method: 'sampling/createMessage', params: {} })
  link.fail(null, new CodedError('network_error', say`It is gone.`, { nextStep: say`Call again.` }))
  expect(taken()).toBe(true)
})
