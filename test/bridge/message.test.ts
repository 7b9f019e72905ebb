import { expect, test } from 'vitest'
import { withoutCredentials } from '../../src/bridge/message.ts'

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
