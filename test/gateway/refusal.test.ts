import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { MCP, MCP_STREAM, OPEN_API } from '../../src/gateway/refusal.ts'

const USER_INFO = '/open-apis/authen/v1/user_info'
const EXPIRED = { code: 99991677, msg: 'Authentication token expired.', error: { log_id: '2026' } }

test.each([
  [400, '/any', true],
  [401, '/any', true],
  [200, USER_INFO, true],
  [200, `${USER_INFO}?a=b`, true],
  [200, `${USER_INFO}rmation`, false],
  [200, '/any', false],
  [403, '/any', false],
  [404, USER_INFO, false],
  [500, '/any', false],
])('HTTP %i from %s is read before it is handed on: %s', (status, path, expected) => {
  expect(OPEN_API.mayBe(status, {}, path)).toBe(expected)
})

test.each([
  [EXPIRED, 99991677],
  [{ code: '99991677', msg: 'x' }, 99991677],
  [{ code: 99991668, msg: 'x' }, 99991668],
  [{ code: 20005, msg: 'x' }, 20005],
  [{ code: 99991679, msg: 'no scope' }, null],
  [{ code: 99991663, msg: 'tenant token' }, null],
  [{ code: 0 }, null],
  [{ msg: '99991677' }, null],
  [[99991677], null],
  [null, null],
  ['99991677', null],
])('%j is a refusal with code %j', async (body, code) => {
  const refusal = await OPEN_API.read(400, {}, Buffer.from(JSON.stringify(body)))
  expect(refusal?.code ?? null).toBe(code)
})

test.each([['{"code":99991677'], ['404 page not found'], ['']])('%j is no refusal', async (text) => {
  expect(await OPEN_API.read(400, {}, Buffer.from(text))).toBeNull()
})

test('the log id is that of the body, else that of the header', async () => {
  const body = Buffer.from(JSON.stringify(EXPIRED))
  const bare = Buffer.from(JSON.stringify({ code: 99991677, msg: 'x' }))
  expect((await OPEN_API.read(400, { 'x-tt-logid': 'H' }, body))?.logId).toBe('2026')
  expect((await OPEN_API.read(400, { 'x-tt-logid': 'H' }, bare))?.logId).toBe('H')
  expect((await OPEN_API.read(400, {}, bare))?.logId).toBeNull()
})

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
])('a refusal packed with %s is read', async (encoding, pack) => {
  const body = pack(JSON.stringify(EXPIRED))
  expect((await OPEN_API.read(400, { 'content-encoding': encoding }, body))?.code).toBe(99991677)
})

test('a packed answer that unfolds beyond the cap is not unpacked', async () => {
  const bomb = gzipSync(JSON.stringify({ ...EXPIRED, pad: 'x'.repeat(50_000_000) }))
  expect(bomb.length).toBeLessThan(65_536)
  expect(await OPEN_API.read(400, { 'content-encoding': 'gzip' }, bomb)).toBeNull()
})

test('a long message of Feishu is cut', async () => {
  const body = Buffer.from(JSON.stringify({ code: 99991677, msg: 'x'.repeat(5_000) }))
  expect((await OPEN_API.read(400, {}, body))?.message).toHaveLength(200)
})

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }
const EVENTS = { 'content-type': 'text/event-stream' }
const rpc = (code: number) => JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code, message: 'why' } })
const event = (code: number) => `event: message\ndata: ${rpc(code)}\n\n`

test.each([
  [401, {}, '', 401],
  [401, {}, 'Unauthorized', 401],
  [401, JSON_TYPE, rpc(-32011), -32011],
  [200, JSON_TYPE, rpc(-32003), -32003],
  [403, JSON_TYPE, rpc(-32010), -32010],
  [200, EVENTS, event(-32003), -32003],
  [400, JSON_TYPE, rpc(-32042), null],
  [429, JSON_TYPE, rpc(-32030), null],
  [200, JSON_TYPE, '{"jsonrpc":"2.0","id":1,"result":{"isError":true}}', null],
  [200, EVENTS, event(-32602), null],
])('the hosted server refuses the token with HTTP %i %j %j: %j', async (status, headers, body, code) => {
  expect(MCP.mayBe(status, headers, '/mcp')).toBe(true)
  expect((await MCP.read(status, headers, Buffer.from(body)))?.code ?? null).toBe(code)
})

test('an event stream is kept back until its first event says that it is none', () => {
  const begun = (text: string) => MCP.isNone(EVENTS, Buffer.from(text))
  expect(begun('event: message\ndata: {"id":1')).toBe(false)
  expect(begun(event(-32003))).toBe(false)
  expect(begun('data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n')).toBe(true)
  expect(begun(': ping\r\n\r\n')).toBe(true)
})

test('what cannot be read as it comes is not kept back: packed events, and the stream of a session', () => {
  expect(MCP.mayBe(200, { ...EVENTS, 'content-encoding': 'gzip' }, '/mcp')).toBe(false)
  expect(MCP.mayBe(200, { 'content-type': 'text/html' }, '/mcp')).toBe(false)
  expect(MCP_STREAM.mayBe(200, EVENTS, '/mcp')).toBe(false)
  expect(MCP_STREAM.mayBe(401, {}, '/mcp')).toBe(true)
})
