import { afterEach, beforeEach, expect, test } from 'vitest'
import { exchange, type HttpResult } from './http-client.ts'
import { HOSTED_TOOLS } from './mcp-tools.ts'
import { type Sandbox, startSandbox } from './sandbox.ts'

let sandbox: Sandbox
let token: string

beforeEach(async () => {
  sandbox = await startSandbox()
  token = sandbox.issue().access_token
})
afterEach(() => sandbox.close())

type Reply = HttpResult & { json: Record<string, never> & { result?: never; error?: { code: number } } }

async function post(
  method: string,
  params: object = {},
  headers: Record<string, string> = { 'x-lark-mcp-uat': token },
): Promise<Reply> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  const all = { 'content-type': 'application/json', ...headers }
  const result = await exchange(`${sandbox.url}/mcp`, { method: 'POST', headers: all, body })
  return { ...result, json: result.body.startsWith('{') ? JSON.parse(result.body) : {} }
}

function withTools(...names: string[]): Record<string, string> {
  return { 'x-lark-mcp-uat': token, 'x-lark-mcp-allowed-tools': names.join(',') }
}

async function toolNames(headers: Record<string, string>): Promise<string[]> {
  const { json } = await post('tools/list', {}, headers)
  return (json.result as unknown as { tools: { name: string }[] }).tools.map(({ name }) => name)
}

test('the list is empty without the header and with one name that is unknown', async () => {
  expect(await toolNames(withTools('fetch-doc', 'create-doc'))).toEqual(['fetch-doc', 'create-doc'])
  expect(await toolNames({ 'x-lark-mcp-uat': token })).toEqual([])
  expect(await toolNames(withTools('fetch-doc', 'fetch-dok'))).toEqual([])
  const all = HOSTED_TOOLS.map(({ name }) => name)
  expect(await toolNames(withTools(...all))).toEqual(all)
  sandbox.knobs.mcpTools = ['fetch-doc']
  expect(await toolNames(withTools(...all))).toEqual([])
})

test('its numbers are those of the documents', async () => {
  const numbers = async (reply: Promise<Reply>) => {
    const { status, json } = await reply
    return [status, json.error?.code]
  }
  expect(await numbers(post('tools/list', {}, {}))).toEqual([401, -32011])
  expect(await numbers(post('tools/list', {}, { 'x-lark-mcp-uat': 'u-unknown' }))).toEqual([401, -32003])
  const plain = { 'x-lark-mcp-uat': token, 'content-type': 'text/plain' }
  expect(await numbers(post('tools/list', {}, plain))).toEqual([400, -32042])
  expect(await numbers(post('prompts/list'))).toEqual([404, -32601])
  expect(await numbers(post('tools/call', { name: 'fetch-doc' }))).toEqual([400, -32602])
  const headers = { 'content-type': 'application/json', 'x-lark-mcp-uat': token }
  const broken = await exchange(`${sandbox.url}/mcp`, { method: 'POST', headers, body: '{' })
  expect([broken.status, JSON.parse(broken.body).error.code]).toEqual([400, -32700])
  expect((await exchange(`${sandbox.url}/mcp`)).status).toBe(405)
})

test('a token past its end is refused in the form that the knob says', async () => {
  sandbox.clock.advance(sandbox.knobs.accessTokenLifetimeMs)
  for (const refusal of [
    { status: 200, code: -32003 },
    { status: 400, code: -32010 },
    { status: 401, code: null },
  ]) {
    sandbox.knobs.mcpRefusal = refusal
    const { status, json } = await post('tools/list')
    expect([status, json.error?.code ?? null]).toEqual([refusal.status, refusal.code])
  }
})

test('documents can be found, read and made, by whoever may', async () => {
  const call = async (name: string, args: object) => {
    const { json } = await post('tools/call', { name, arguments: args }, withTools(name))
    const result = json.result as unknown as { isError: boolean; content: { text: string }[] }
    return { isError: result.isError, text: result.content[0]?.text ?? '' }
  }
  const found = JSON.parse((await call('search-doc', { query: 'LAUNCH' })).text)
  expect(found.items).toHaveLength(2)
  const made = JSON.parse((await call('create-doc', { title: 'New', markdown: 'Words' })).text)
  expect((await call('fetch-doc', { doc_id: made.doc_id })).text).toContain('Words')
  expect(sandbox.documents()[made.doc_id]).toMatchObject({ title: 'New' })
  expect((await call('fetch-doc', { doc_id: 'none' })).isError).toBe(true)
  token = sandbox.issue({ scopes: ['docx:document'] }).access_token
  expect((await call('fetch-doc', { doc_id: made.doc_id })).text).toMatch(/docx:document:readonly.*log_id/)
  sandbox.knobs.mcpMissingScopes = 'refused'
  const refused = await post('tools/call', { name: 'fetch-doc' }, withTools('fetch-doc'))
  expect([refused.status, refused.json.error?.code]).toEqual([401, -32010])
  expect(sandbox.mcpRequests.filter(({ done }) => done)).toHaveLength(3)
})

test('with sessions, one that was lost answers 404 until it is opened again', async () => {
  sandbox.knobs.mcpSessions = true
  const { headers } = await post('initialize')
  const session = { ...withTools('fetch-doc'), 'mcp-session-id': String(headers['mcp-session-id']) }
  expect(await toolNames(session)).toEqual(['fetch-doc'])
  expect((await post('tools/list')).status).toBe(400)
  sandbox.loseMcpSessions()
  expect((await post('tools/list', {}, session)).status).toBe(404)
})

test('as an event stream, progress comes before the answer', async () => {
  sandbox.knobs.mcpEventStreams = true
  const params = { name: 'fetch-doc', arguments: {}, _meta: { progressToken: 7 } }
  const { headers, body } = await post('tools/call', params, withTools('fetch-doc'))
  expect(headers['content-type']).toBe('text/event-stream')
  expect(body).toMatch(/"progressToken":7.*\n\n.*\n?.*"result"/s)
})
