import { expect, test } from 'vitest'
import { namedItems, readMessage, withoutCredentials } from '../../src/bridge/message.ts'

function stripped(key: string): boolean {
  const { params } = withoutCredentials({ method: 'm', params: { _meta: { a: [{ b: { [key]: 1 } }] } } })
  return !JSON.stringify(params).includes(JSON.stringify(key))
}

test.each([
  'Authorization',
  'proxy-authorization',
  'token',
  'accessToken',
  'user_access_token',
  'client-secret',
  'cookie',
  'Set-Cookie',
  'dbPassword',
  'apiKey',
  'X-API-Key',
  'api_key',
  'x-lark-mcp-uat',
  'larkUat',
  'TAT',
])('the key %s in _meta names a credential, at any depth', (key) => {
  expect(stripped(key)).toBe(true)
})

test.each(['progressToken', 'state', 'status', 'equate', 'author', 'key', 'theme', 'io.example/related'])(
  'the key %s in _meta does not',
  (key) => {
    expect(stripped(key)).toBe(false)
  },
)

test('nothing else of a call is touched', () => {
  const call = { method: 'tools/call', params: { name: 'n', arguments: { token: 't', _meta: { token: 1 } } } }
  expect(withoutCredentials(call)).toBe(call)
  const values = { params: { _meta: { note: 'token: abc', n: null, list: [1, 'two'] } }, method: 'm' }
  expect(withoutCredentials(values)).toEqual(values)
})

test.each([
  null,
  5,
  [],
  {},
  { id: 1, method: 'm' },
  { jsonrpc: '1.0', id: 1, method: 'm' },
  { jsonrpc: '2.0' },
  { jsonrpc: '2.0', method: null },
  { jsonrpc: '2.0', method: 5 },
  { jsonrpc: '2.0', id: null, result: {} },
  { jsonrpc: '2.0', id: { toString: 1, valueOf: 1 }, result: {} },
])('%j is no message', (value) => {
  expect(readMessage(value)).toBeNull()
})

test.each([
  { jsonrpc: '2.0', method: 'm' },
  { jsonrpc: '2.0', id: 'a', method: 'm', params: { b: 1 } },
  { jsonrpc: '2.0', id: 1, result: {} },
  { jsonrpc: '2.0', id: 1, error: { code: -1, message: 'no', data: 5 } },
])('%j is a message, taken as it is', (value) => {
  expect(readMessage(value)).toBe(value)
})

test.each([
  [null, { code: -32603, message: '' }],
  ['boom', { code: -32603, message: '' }],
  [
    { code: 'E', message: 'no' },
    { code: -32603, message: 'no' },
  ],
  [
    { code: -5, message: {} },
    { code: -5, message: '' },
  ],
])('an error of another form (%j) becomes one', (error, read) => {
  expect(readMessage({ jsonrpc: '2.0', id: 1, error })).toEqual({ jsonrpc: '2.0', id: 1, error: read })
})

test('only what has a name is an item of a list', () => {
  const items = [null, 5, {}, { name: 5 }, { name: 'a' }, { uri: 'a:' }, { uriTemplate: 'a:{b}' }]
  expect(namedItems('tools/list', items)).toEqual([{ name: 'a' }])
  expect(namedItems('prompts/list', items)).toEqual([{ name: 'a' }])
  expect(namedItems('resources/list', items)).toEqual([{ uri: 'a:' }])
  expect(namedItems('resources/templates/list', items)).toEqual([{ uriTemplate: 'a:{b}' }])
  for (const none of [undefined, null, 5, 'a', {}]) expect(namedItems('tools/list', none)).toEqual([])
})
