// The peer over HTTP against the SDK's own server, with sessions, event streams and questions to the client.

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { Agent } from 'undici'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createHttpPeer } from '../../src/bridge/http-peer.ts'
import type { Call } from '../../src/bridge/message.ts'
import type { Peer } from '../../src/bridge/peer.ts'
import { type Fetch, fetchThrough } from '../../src/machine/fetch.ts'

const agent = new Agent()
afterAll(() => agent.destroy())
const ourFetch = fetchThrough(agent)

type Setting = {
  peer: Peer
  notices: string[]
  tokens: string[]
  mcp: McpServer
  told: Promise<Call>
}

function createMcp(): McpServer {
  const mcp = new McpServer({ name: 'other', version: '1' }, { capabilities: { logging: {} } })
  const inputSchema = z.looseObject({})
  const text = (value: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(value) }] })
  mcp.registerTool('ask', { inputSchema }, async (_args, { sendRequest }) => {
    const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: '?' } }]
    const request = { method: 'sampling/createMessage' as const, params: { messages, maxTokens: 1 } }
    return text(await sendRequest(request, z.looseObject({})))
  })
  mcp.registerTool('slow', { inputSchema }, async (_args, { _meta, sendNotification }) => {
    const progressToken = _meta?.progressToken ?? 0
    await sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1 } })
    return text('slow')
  })
  mcp.registerTool('later', { inputSchema }, () => text('later'))
  return mcp
}

async function setPeer(): Promise<Setting> {
  const mcp = createMcp()
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID })
  await mcp.connect(transport as Parameters<typeof mcp.connect>[0])
  const tokens: string[] = []
  const server = createServer((request, response) => {
    tokens.push(`${request.method} ${request.headers['x-token']}`)
    void transport.handleRequest(request, response)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const notices: string[] = []
  let tell: (call: Call) => void = () => undefined
  const told = new Promise<Call>((resolve) => {
    tell = resolve
  })
  const peer = createHttpPeer({
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`),
    fetch: ourFetch,
    streamHeaders: async () => ({ 'x-token': 'of the stream' }),
    hello: () => ({
      protocolVersion: '2025-06-18',
      capabilities: { sampling: {} },
      clientInfo: { name: 'client', version: '1' },
    }),
    handlers: {
      notice(call) {
        notices.push(call.method)
        if (call.method.endsWith('list_changed')) tell(call)
      },
      ask: async ({ method }) => ({
        result: { model: method, role: 'assistant', content: { type: 'text', text: '!' } },
      }),
    },
  })
  onTestFinished(async () => {
    await peer.close()
    await mcp.close()
    server.closeAllConnections()
    server.close()
  })
  return { peer, notices, tokens, mcp, told }
}

function call(peer: Peer, name: string, token = 'a'): Promise<unknown> {
  const params = { name, arguments: {}, _meta: { progressToken: 9 } }
  const signal = new AbortController().signal
  return peer.request({ method: 'tools/call', params }, { signal, headers: { 'x-token': token } })
}

test('what the server asks in the middle of a call is answered', async () => {
  const { peer } = await setPeer()
  expect(JSON.stringify(await call(peer, 'ask'))).toContain('sampling/createMessage')
})

test('progress comes before the answer, and each request has headers of its own', async () => {
  const { peer, notices, tokens } = await setPeer()
  expect(JSON.stringify(await call(peer, 'slow', 'first'))).toContain('slow')
  expect(notices).toContain('notifications/progress')
  await call(peer, 'slow', 'second')
  expect(tokens.filter((token) => token === 'POST second')).toHaveLength(1)
  expect(tokens.filter((token) => token === 'POST first').length).toBeGreaterThanOrEqual(3)
})

test('what the client tells goes with the headers of that moment, not with those of the first request', async () => {
  const { peer, tokens } = await setPeer()
  await call(peer, 'later', 'first')
  const before = tokens.length
  peer.notify({ method: 'notifications/roots/list_changed' })
  await expect.poll(() => tokens.slice(before)).toContain('POST of the stream')
})

test('a server with sessions speaks of its own accord on a stream that it was asked for', async () => {
  const { peer, tokens, mcp, told } = await setPeer()
  await call(peer, 'later')
  await expect.poll(() => tokens).toContain('GET of the stream')
  mcp.registerTool('new', {}, () => ({ content: [] }))
  expect((await told).method).toBe('notifications/tools/list_changed')
})

/** A peer at a server of our own, which answers `initialize` and leaves the rest to the test. */
async function peerAt(
  answer: (request: IncomingMessage, response: ServerResponse, id: unknown) => void,
  headers: Record<string, string> = {},
  asking: Fetch = ourFetch,
  maxBytes?: number,
): Promise<Peer> {
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST') return answer(request, response, null)
    const { id, method } = JSON.parse(String(Buffer.concat(await request.toArray())))
    if (id === undefined) return void response.writeHead(202).end()
    if (method !== 'initialize') return answer(request, response, id)
    const result = { protocolVersion: '2025-06-18', capabilities: {} }
    response.writeHead(200, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = createHttpPeer({
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`),
    fetch: asking,
    streamHeaders: async () => ({}),
    ...(maxBytes ? { maxBytes } : {}),
    hello: () => ({ protocolVersion: '2025-06-18', capabilities: {}, clientInfo: {} }),
    handlers: { notice: () => undefined, ask: async () => ({ result: {} }) },
  })
  onTestFinished(async () => {
    await peer.close()
    server.closeAllConnections()
    server.close()
  })
  return peer
}

describe('a call whose stream is cut', () => {
  type Resume = (response: ServerResponse, id: unknown) => void
  const asEvents = (response: ServerResponse, events: string) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events)

  /** Cuts the stream of a call after its first event; what it is taken up with is the test's. */
  async function cutAndResume(resume: Resume): Promise<{ answer: Promise<unknown>; posts: () => number }> {
    let called: unknown
    let posts = 0
    const peer = await peerAt(
      (request, response, id) => {
        if (request.method === 'GET')
          return void (request.headers['last-event-id']
            ? resume(response, called)
            : response.writeHead(405).end())
        if (request.method !== 'POST') return void response.writeHead(200).end()
        called = id
        posts += 1
        asEvents(response, 'retry: 1\nid: first\ndata:\n\n')
      },
      { 'mcp-session-id': 'one' },
    )
    return { answer: call(peer, 'any'), posts: () => posts }
  }

  test('is answered by the stream that is taken up again, and not sent again', async () => {
    const { answer, posts } = await cutAndResume((response, id) => {
      asEvents(response, `id: second\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result: {} })}\n\n`)
    })
    expect(await answer).toMatchObject({ result: {} })
    expect(posts()).toBe(1)
  })

  test.each<[how: string, resume: Resume]>([
    ...[400, 404, 405].map((status): [string, Resume] => [
      `is refused with ${status}`,
      (response) => void response.writeHead(status).end(),
    ]),
    ['is redirected', (response) => void response.writeHead(302, { location: '/' }).end()],
    ['is answered with nothing', (response) => void response.writeHead(204).end()],
    [
      'is answered with a page',
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(),
    ],
    ['ends without an event', (response) => void asEvents(response, ': nothing\n\n')],
  ])('ends at once, and is not sent again, where taking it up %s', async (_how, resume) => {
    const { answer, posts } = await cutAndResume(resume)
    await expect(answer).rejects.toThrow(/^The connection to .* broke off/)
    expect(posts()).toBe(1)
  })

  const PASSING: [how: string, resume: (response: ServerResponse) => void][] = [
    ...[429, 503].map((status): [string, (response: ServerResponse) => void] => [
      `is answered with ${status}`,
      (response) => void response.writeHead(status).end(),
    ]),
    ['breaks off', (response) => response.destroy()],
  ]

  test.each(PASSING)('is answered when taking it up %s, and then goes', async (_how, fail) => {
    let asked = 0
    const { answer, posts } = await cutAndResume((response, id) => {
      asked += 1
      if (asked === 1) return fail(response)
      asEvents(response, `id: second\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result: {} })}\n\n`)
    })
    expect(await answer).toMatchObject({ result: {} })
    expect({ posts: posts(), asked }).toEqual({ posts: 1, asked: 2 })
  })

  test.each(PASSING)('ends when taking it up %s twice', async (_how, fail) => {
    let asked = 0
    const { answer, posts } = await cutAndResume((response) => {
      asked += 1
      fail(response)
    })
    await expect(answer).rejects.toThrow(/^The connection to .* broke off/)
    expect({ posts: posts(), asked }).toEqual({ posts: 1, asked: 2 })
  })
})

describe('two calls whose streams are cut after events of the same name', () => {
  /** Cuts both streams. Of the attempts to take one up, which nothing tells apart, those in `refused` are refused. */
  async function cutBoth(refused: readonly number[]): Promise<string[]> {
    const posts: { id: unknown; response: ServerResponse }[] = []
    let asked = 0
    let refusals = 0
    let taken: ServerResponse | null = null
    // Not before the refusal was read.
    const bringAnswers = () => {
      if (taken === null || refusals < refused.length) return
      const answers = posts.map(({ id }) => JSON.stringify({ jsonrpc: '2.0', id, result: {} }))
      taken.end(answers.map((answer, nth) => `id: of ${nth}\ndata: ${answer}\n\n`).join(''))
    }
    const asking: Fetch = async (input, init) => {
      const response = await ourFetch(input, init)
      refusals += response.status === 404 ? 1 : 0
      setImmediate(bringAnswers)
      return response
    }
    const peer = await peerAt(
      (request, response, id) => {
        const isResumed = request.headers['last-event-id'] !== undefined
        if (request.method !== 'POST' && !isResumed) return void response.writeHead(405).end()
        asked += isResumed ? 1 : 0
        if (refused.includes(asked)) return void response.writeHead(404).end()
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
        if (isResumed) taken = response
        else posts.push({ id, response })
        // Both are under way before either breaks off.
        if (!isResumed && posts.length === 2)
          for (const post of posts) post.response.end('retry: 1\nid: same\ndata:\n\n')
      },
      { 'mcp-session-id': 'one' },
      asking,
    )
    const ends = await Promise.allSettled([call(peer, 'one'), call(peer, 'other')])
    return ends.map(({ status }) => status)
  }

  test.each([
    ['the first', [1]],
    ['the second', [2]],
  ])('both are answered where %s is refused and the other stream brings both answers', async (_, refused) => {
    expect(await cutBoth(refused)).toEqual(['fulfilled', 'fulfilled'])
  })

  test('both end where neither is taken up', async () => {
    expect(await cutBoth([1, 2])).toEqual(['rejected', 'rejected'])
  })
})

test('a stream that the server ends at once is not asked for without a pause', async () => {
  const askedAt: number[] = []
  const asking: Fetch = (input, init) => {
    if (init?.method === 'GET') askedAt.push(performance.now())
    return ourFetch(input, init)
  }
  const peer = await peerAt(
    (request, response, id) => {
      if (request.method === 'GET')
        return void response
          .writeHead(200, { 'content-type': 'text/event-stream' })
          .end('retry: 0\ndata:\n\n')
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: {} }))
    },
    { 'mcp-session-id': 'one' },
    asking,
  )
  await call(peer, 'any')
  await expect.poll(() => askedAt.length).toBeGreaterThan(1)
  const [first = 0, second = 0] = askedAt
  // At least: a busy machine only makes it longer.
  expect(second - first).toBeGreaterThan(500)
})

test('where the connection breaks before any answer, the call may have been done, and that is said', async () => {
  const peer = await peerAt((request) => void request.socket.destroy())
  await expect(call(peer, 'any')).rejects.toMatchObject({
    code: 'network_error',
    message: expect.stringMatching(/^The connection to .* broke off/),
    nextStep: expect.stringContaining('see whether it was done'),
  })
})

test.each([{ id: null }, {}])(
  'an error that names no request (%j) is that of the request that it answers',
  async (naming) => {
    const error = { code: -32003, message: 'no' }
    const peer = await peerAt((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', ...naming, error }))
    })
    expect(await call(peer, 'any')).toMatchObject({ status: 200, error })
  },
)

test('a byte order mark before the JSON of an answer is none of it', async () => {
  const statuses = [200, 400]
  const error = { code: -32003, message: 'no' }
  const peer = await peerAt((_request, response, id) => {
    response.writeHead(statuses.shift() ?? 500, { 'content-type': 'application/json' })
    response.end(`\uFEFF${JSON.stringify({ jsonrpc: '2.0', id, error })}`)
  })
  expect(await call(peer, 'any')).toMatchObject({ error })
  expect(await call(peer, 'any')).toMatchObject({ status: 400, error })
})

test('of an answer that is no success only the beginning is read, so that one without an end is answered, too', async () => {
  const peer = await peerAt((_request, response) => {
    response.writeHead(502)
    const write = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384, 'x')));
    }
    response.on('drain', write)
    write()
  })
  expect(await call(peer, 'any')).toMatchObject({ status: 502 })
})

describe('of a message that is longer than any may be no more is read', () => {
  const MAX_BYTES = 1 << 20

  /** An answer that begins like this, and goes on with blanks without an end. */
  async function endless(type: string, begin: string, maxBytes: number | undefined) {
    let sent = 0
    const peer = await peerAt(
      (_request, response) => {
        response.writeHead(200, { 'content-type': type }).write(begin)
        const chunk = Buffer.alloc(262_144, ' ')
        const write = () => {
          do sent += chunk.length
          while (!response.destroyed && response.write(chunk))
        }
        response.on('drain', write)
        write()
      },
      {},
      ourFetch,
      maxBytes,
    )
    return { peer, sent: () => sent }
  }

  /** Undefined: the bound that is in force. */
  const BOUNDS: [maxBytes: number | undefined, most: number][] = [
    [MAX_BYTES, MAX_BYTES],
    [undefined, 134_217_728],
  ]
  /** What lies in the buffers on the way. */
  const ON_THE_WAY = 64 * MAX_BYTES

  test.each(BOUNDS)('be it JSON (%s)', async (maxBytes, most) => {
    const { peer, sent } = await endless('application/json', '{', maxBytes)
    await expect(call(peer, 'any')).rejects.toMatchObject({ code: 'unexpected_response' })
    expect(sent()).toBeLessThan(most + ON_THE_WAY)
  })

  test.each(BOUNDS)('or an event (%s)', async (maxBytes, most) => {
    const { peer, sent } = await endless('text/event-stream', 'data: {', maxBytes)
    await expect(call(peer, 'any')).rejects.toMatchObject({ code: 'network_error' })
    expect(sent()).toBeLessThan(most + ON_THE_WAY)
  })

  /** Reads from a stream that breaks off so often before the event comes. */
  async function readResumable(resumed: number): Promise<void> {
    let asked = 0
    const peer = await peerAt(
      (request, response) => {
        const isResumed = request.headers['last-event-id'] !== undefined
        if (request.method !== 'POST' && !isResumed) return void response.writeHead(405).end()
        asked += 1
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(`retry: 1\nid: ${asked}\ndata:\n\n`)
        if (asked <= resumed) return void response.end()
        response.write('data: {')
        const write = () => {
          while (!response.destroyed && response.write(Buffer.alloc(16_384, ' ')));
        }
        response.on('drain', write)
        write()
      },
      { 'mcp-session-id': 'one' },
      ourFetch,
      MAX_BYTES,
    )
    await expect(call(peer, 'any')).rejects.toMatchObject({ code: 'network_error' })
    // Longer than a stream is asked for again.
    await new Promise((resume) => setTimeout(resume, 1_500))
    expect(asked).toBe(1 + resumed)
  }

  test('or an event of a stream that can be taken up again, when it comes, and when it comes again', async () => {
    await Promise.all([readResumable(0), readResumable(1)])
  })

  test('while many events may come that are longer together', async () => {
    const peer = await peerAt(
      (_request, response, id) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        const notice = JSON.stringify({ jsonrpc: '2.0', method: 'x', params: { text: ' '.repeat(60_000) } })
        for (let nth = 0; nth < 40; nth += 1) response.write(`data: ${notice}\n\n`)
        response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: {} })}\n\n`)
      },
      {},
      ourFetch,
      MAX_BYTES,
    )
    expect(await call(peer, 'any')).toMatchObject({ result: {} })
  })
})

test('the session is ended when we leave, with the headers of the last request', async () => {
  const { peer, tokens } = await setPeer()
  await call(peer, 'later', 'last')
  await expect.poll(() => tokens).toContain('GET of the stream')
  await peer.close()
  expect(tokens.filter((token) => token.startsWith('DELETE'))).toHaveLength(1)
})

test('a server that does not answer to the end of its session is not waited for', async () => {
  const methods: unknown[] = []
  const peer = await peerAt(
    (request, response, id) => {
      methods.push(request.method)
      if (request.method === 'DELETE') return
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: {} }))
    },
    { 'mcp-session-id': 's' },
  )
  await call(peer, 'any')
  await peer.close()
  expect(methods).toContain('DELETE')
})
