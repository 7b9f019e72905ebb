import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { InitializeRequestParamsSchema, type JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { expect, test, vi } from 'vitest'
import { createBridge, type Far } from '../../src/bridge/bridge.ts'
import type { Answer, Lists, Message, RpcObject } from '../../src/bridge/message.ts'

const NOTHING: Lists = {
  'tools/list': [],
  'prompts/list': [],
  'resources/list': [],
  'resources/templates/list': [],
}

/** Deeper than can be written as JSON. */
function nested(): RpcObject {
  return JSON.parse(`{"x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`)
}

/** A client before a bridge; our own server, which has nothing; and another one. */
async function setBridge(far: Partial<Far>): Promise<{
  say: (message: Message) => void
  heard: Message[]
  notify: (params: RpcObject) => void
  ask: (signal: AbortSignal) => void
}> {
  const heard: Message[] = []
  let handlers: Parameters<Far['attach']>[0]['handlers'] | null = null
  const client: Transport = {
    start: async () => undefined,
    close: async () => undefined,
    send: async (message) => void heard.push(JSON.parse(JSON.stringify(message))),
  }
  const own = createBridge({
    ask: async () => ({ result: {} }),
    tell: () => undefined,
    lists: async () => NOTHING,
    attach: (given) => {
      handlers = given.handlers
    },
    begin: () => undefined,
    wake: () => undefined,
    ...far,
  })(client)
  own.onmessage = (message) =>
    void own.send({ jsonrpc: '2.0', id: (message as { id: string }).id, result: {} })
  await own.start()
  return {
    heard,
    say: (message) => client.onmessage?.(message as unknown as JSONRPCMessage),
    ask: (signal) => void handlers?.ask({ method: 'sampling/createMessage' }, signal),
    notify: (params) => handlers?.notice({ method: 'notifications/message', params }),
  }
}

async function answerTo(far: Partial<Far>, message: Message): Promise<Message | undefined> {
  const { say, heard } = await setBridge(far)
  say({ jsonrpc: '2.0', id: 1, ...message })
  return vi.waitUntil(() => heard.find(({ id }) => id === 1))
}

const CALL = { method: 'tools/call', params: { name: 'theirs' } }

test('a request that cannot be led is answered with an error', async () => {
  const lists = async () => ({ ...NOTHING, 'tools/list': [null as unknown as RpcObject] })
  expect(await answerTo({ lists }, { method: 'tools/list' })).toMatchObject({ error: { code: -32603 } })
  const params = { ...CALL.params, _meta: nested() }
  expect(await answerTo({}, { method: 'tools/call', params })).toMatchObject({ error: { code: -32603 } })
})

test('an answer that cannot be written becomes an error', async () => {
  const ask = async (): Promise<Answer> => ({ result: nested() })
  expect(await answerTo({ ask }, CALL)).toMatchObject({ error: { code: -32603 } })
})

test('a notice that cannot be written is left out', async () => {
  const { say, heard, notify } = await setBridge({})
  notify(nested())
  say({ jsonrpc: '2.0', id: 1, ...CALL })
  await vi.waitUntil(() => heard.length > 0)
  expect(heard).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }])
})

test('a question that the other server takes back is taken back from the client, by the id that it has there', async () => {
  const { say, heard, ask } = await setBridge({})
  say({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { capabilities: { sampling: {} } } })
  await vi.waitUntil(() => heard.length > 0)
  const [kept, taken] = [new AbortController(), new AbortController()]
  ask(kept.signal)
  ask(taken.signal)
  const [, first, second] = heard
  expect(first?.id).not.toBe(second?.id)
  say({ jsonrpc: '2.0', id: first?.id, result: {} })
  kept.abort()
  taken.abort()
  expect(heard.slice(3)).toEqual([
    {
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: expect.objectContaining({ requestId: second?.id }),
    },
  ])
})

test('a call that is cancelled before it is known whose it is goes to nobody', async () => {
  let tell = (_lists: Lists) => {}
  const lists = new Promise<Lists>((resolve) => {
    tell = resolve
  })
  const asked: unknown[] = []
  const ask = async ({ params }: { params?: RpcObject | undefined }): Promise<Answer> => {
    asked.push(params?.name)
    return { result: {} }
  }
  const { say, heard } = await setBridge({ lists: () => lists, ask })
  say({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'delete' } })
  say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
  say({ jsonrpc: '2.0', id: 2, ...CALL })
  tell(NOTHING)
  await vi.waitUntil(() => heard.length > 0)
  expect(asked).toEqual(['theirs'])
  expect(heard).toEqual([{ jsonrpc: '2.0', id: 2, result: {} }])
})

test('a client that asks before it has said who it is is greeted for, so that the other server answers', async () => {
  const greetings: unknown[] = []
  const attach: Far['attach'] = ({ hello }) =>
    void greetings.push(InitializeRequestParamsSchema.safeParse(hello()))
  await setBridge({ attach })
  expect(greetings).toEqual([expect.objectContaining({ success: true })])
})
