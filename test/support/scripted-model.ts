// A model on loopback that plays a script, in the three dialects that clients speak: it calls tools one after the other,
// if they are shown to it, and then says what the last one said.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

type Json = Record<string, unknown>
type Move = { call: { name: string; input: Json } } | { text: string }

/** How a client's requests are read, and what answers them. */
type Dialect = {
  path: RegExp
  tools: (asked: Json) => string[]
  /** What the tools said that were called so far. */
  results: (asked: Json) => string[]
  events: (move: Move, serial: number) => object[]
}

const list = (value: unknown): Json[] => (Array.isArray(value) ? value : [])
const namesOf = (tools: unknown): string[] => list(tools).map(({ name }) => String(name))

/** Anthropic's Messages API. */
const anthropic: Dialect = {
  path: /^\/v1\/messages/,
  tools: ({ tools }) => namesOf(tools),
  results({ messages }) {
    const blocks = list(messages).flatMap(({ content }) => list(content))
    return blocks.filter(({ type }) => type === 'tool_result').map(({ content }) => JSON.stringify(content))
  },
  events(move, serial) {
    const usage = { input_tokens: 1, output_tokens: 1 }
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'scripted', content: [], usage }
    const [block, delta] =
      'call' in move
        ? [
            { type: 'tool_use', id: `toolu_${serial}`, name: move.call.name, input: {} },
            { type: 'input_json_delta', partial_json: JSON.stringify(move.call.input) },
          ]
        : [
            { type: 'text', text: '' },
            { type: 'text_delta', text: move.text },
          ]
    const stop = { stop_reason: 'call' in move ? 'tool_use' : 'end_turn', stop_sequence: null }
    return [
      { type: 'message_start', message },
      { type: 'content_block_start', index: 0, content_block: block },
      { type: 'content_block_delta', index: 0, delta },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: stop, usage },
      { type: 'message_stop' },
    ]
  },
}

/** OpenAI's Responses API; tools of a server stand in a namespace. */
const openai: Dialect = {
  path: /^\/v1\/responses/,
  tools: ({ tools }) =>
    list(tools).flatMap(({ type, name, tools: inner }) =>
      type === 'namespace' ? namesOf(inner).map((one) => `${name}/${one}`) : [String(name)],
    ),
  results({ input }) {
    const said = list(input).filter(({ type }) => type === 'function_call_output')
    return said.map(({ output }) => JSON.stringify(output))
  },
  events(move, serial) {
    const [namespace, name] = 'call' in move ? move.call.name.split('/') : []
    const item =
      'call' in move
        ? {
            type: 'function_call',
            call_id: `call_${serial}`,
            namespace,
            name,
            arguments: JSON.stringify(move.call.input),
          }
        : { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: move.text }] }
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 }
    return [
      { type: 'response.created', response: { id: 'resp_1' } },
      { type: 'response.output_item.done', output_index: 0, item: { id: 'item_1', ...item } },
      { type: 'response.completed', response: { id: 'resp_1', usage } },
    ]
  },
}

/** Google's Gemini API. */
const gemini: Dialect = {
  path: /:streamGenerateContent/,
  tools: ({ tools }) => list(tools).flatMap(({ functionDeclarations }) => namesOf(functionDeclarations)),
  results({ contents }) {
    const parts = list(contents).flatMap(({ parts }) => list(parts))
    return parts.flatMap(({ functionResponse }) => (functionResponse ? JSON.stringify(functionResponse) : []))
  },
  events(move) {
    const part =
      'call' in move ? { functionCall: { name: move.call.name, args: move.call.input } } : { text: move.text }
    const candidate = { content: { role: 'model', parts: [part] }, finishReason: 'STOP', index: 0 }
    return [
      {
        candidates: [candidate],
        usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
      },
    ]
  },
}

const DIALECTS: Readonly<Record<'anthropic' | 'openai' | 'gemini', Dialect>> = { anthropic, openai, gemini }

/** Some clients write a name with underscores alone. */
export function isNamed(name: string, ending: string): boolean {
  return name.replaceAll('-', '_').endsWith(ending.replaceAll('-', '_'))
}

export type ScriptedModel = {
  url: string
  /** The tools that it was shown. */
  shown: Set<string>
}

/** Starts the model; it wants to call the tools whose names end so, with these inputs; `ifShown`: only one that it is shown. */
export async function startModel(
  dialect: keyof typeof DIALECTS,
  ...calls: { ending: string; input: Json; ifShown?: boolean }[]
): Promise<ScriptedModel> {
  const { path, tools, results, events } = DIALECTS[dialect]
  const shown = new Set<string>()
  let skipped = 0
  function next(asked: Json): Move {
    const said = results(asked)
    const isShown = (ending: string) => tools(asked).some((name) => isNamed(name, ending))
    let call = calls[said.length + skipped]
    while (call?.ifShown && !isShown(call.ending)) {
      skipped += 1
      call = calls[said.length + skipped]
    }
    if (!call) return { text: `The tool says: ${said.at(-1)}` }
    const name = tools(asked).find((name) => isNamed(name, call.ending))
    return name === undefined ? { text: 'There is no such tool.' } : { call: { name, input: call.input } }
  }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (!path.test(request.url ?? '') || !body.startsWith('{')) {
      response.writeHead(404).end('{}')
      return
    }
    const asked = JSON.parse(body) as Json
    for (const name of tools(asked)) shown.add(name)
    const text = events(next(asked), results(asked).length).map((event) => {
      const type = (event as { type?: string }).type
      return `${type === undefined ? '' : `event: ${type}\n`}data: ${JSON.stringify(event)}\n\n`
    })
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text.join(''))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, shown }
}
