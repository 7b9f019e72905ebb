import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { mayBeRefusal, readRefusal } from '../../src/gateway/refusal.ts'

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
  expect(mayBeRefusal(status, path)).toBe(expected)
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
  const refusal = await readRefusal({}, Buffer.from(JSON.stringify(body)))
  expect(refusal?.code ?? null).toBe(code)
})

test.each([['{"code":99991677'], ['404 page not found'], ['']])('%j is no refusal', async (text) => {
  expect(await readRefusal({}, Buffer.from(text))).toBeNull()
})

test('the log id is that of the body, else that of the header', async () => {
  const body = Buffer.from(JSON.stringify(EXPIRED))
  const bare = Buffer.from(JSON.stringify({ code: 99991677, msg: 'x' }))
  expect((await readRefusal({ 'x-tt-logid': 'H' }, body))?.logId).toBe('2026')
  expect((await readRefusal({ 'x-tt-logid': 'H' }, bare))?.logId).toBe('H')
  expect((await readRefusal({}, bare))?.logId).toBeNull()
})

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
])('a refusal packed with %s is read', async (encoding, pack) => {
  const body = pack(JSON.stringify(EXPIRED))
  expect((await readRefusal({ 'content-encoding': encoding }, body))?.code).toBe(99991677)
})

test('a packed answer that unfolds beyond the cap is not unpacked', async () => {
  const bomb = gzipSync(JSON.stringify({ ...EXPIRED, pad: 'x'.repeat(50_000_000) }))
  expect(bomb.length).toBeLessThan(65_536)
  expect(await readRefusal({ 'content-encoding': 'gzip' }, bomb)).toBeNull()
})

test('a long message of Feishu is cut', async () => {
  const body = Buffer.from(JSON.stringify({ code: 99991677, msg: 'x'.repeat(5_000) }))
  expect((await readRefusal({}, body))?.message).toHaveLength(200)
})
