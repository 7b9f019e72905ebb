import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { createTransport } from '../../src/machine/transport.ts'
import { say } from '../../src/sentence.ts'
import {
  ask,
  bodyOf,
  countSends,
  failureOf,
  http,
  NO_PROXY,
  SECRET_BODY,
  serveBytes,
} from './transport-peers.ts'

describe('the consent to send', () => {
  test('is asked for once, before the first byte', async () => {
    let asked = 0
    const server = await serveBytes((socket) => socket.end(http('ok')))
    const onSend = () => {
      asked += 1
      expect(server.received.join('')).toBe('')
    }
    expect(bodyOf(await ask(server.url, { onSend }))).toBe('ok')
    expect([asked, server.received.length]).toEqual([1, 1])
  })

  test.each([
    ['of ours', new CodedError('store_not_writable', say`The disk is full.`, { nextStep: say`Make room.` })],
    ['of any kind', new TypeError('a mistake')],
  ])('that is refused with an error %s sends not a single byte', async (_kind, refusal) => {
    const server = await serveBytes((socket) => socket.end(http('ok')))
    const answer = failureOf(
      await ask(server.url, {
        onSend: () => {
          throw refusal
        },
      }),
    )
    await server.closed
    expect(server.received).toEqual([''])
    expect(answer.sent).toBe(false)
    if (refusal instanceof CodedError) expect(answer.error).toBe(refusal)
  })

  test('is asked for once by each of many requests at a time', async () => {
    const server = await serveBytes((socket) => socket.end(http('ok')))
    const counts = Array.from({ length: 30 }, countSends)
    const answers = await Promise.all(counts.map(({ onSend }) => ask(server.url, { onSend })))
    expect(answers.map(bodyOf)).toEqual(counts.map(() => 'ok'))
    expect(counts.map(({ sends }) => sends())).toEqual(counts.map(() => 1))
  })

  test.each<[string, (socket: Socket) => void]>([
    ['a reset', (socket) => socket.resetAndDestroy()],
    ['an end', (socket) => socket.end()],
    [
      'half an answer',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"refresh_token":"new"'),
    ],
    ['no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')],
  ])('is not asked for again after %s, and nothing is sent again', async (_what, misbehave) => {
    const { onSend, sends } = countSends()
    const server = await serveBytes(misbehave)
    const answer = failureOf(await ask(server.url, { onSend }))
    expect(answer).toMatchObject({ sent: true, error: { code: 'network_error', recovery: 'retry' } })
    expect([sends(), server.received.length]).toEqual([1, 1])
  })

  test('is asked for by every request, none of which shares a connection', async () => {
    const server = await serveBytes((socket) => socket.write(http('ok')))
    const { onSend, sends } = countSends()
    const transport = createTransport(NO_PROXY)
    for (let count = 1; count <= 3; count += 1) {
      const request = {
        method: 'POST',
        url: server.url,
        headers: {},
        body: SECRET_BODY,
        deadlineMs: 5_000,
      } as const
      const answer = await transport.request({ ...request, account: { key: 'k', forced: false }, onSend })
      expect([bodyOf(answer), sends(), server.received.length]).toEqual(['ok', count, count])
    }
  })
})
