import { expect, test } from 'vitest'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import type { HttpAnswer } from '../../src/oauth/http.ts'
import { isRevoked } from '../../src/oauth/revocation.ts'
import { processUserInfo } from '../../src/oauth/user-info.ts'
import { failureOf } from '../support/failure.ts'

const APP = { endpoints: endpointsOf('feishu', { accountsUrl: null, openUrl: null }), appId: 'cli_a1' }

function answer(body: unknown, status = 200): HttpAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { kind: 'answer', status, headers: { 'x-tt-logid': 'LOG1' }, body: Buffer.from(text) }
}

test.each<[string, unknown]>([
  ['a number', 0],
  ['digits', '0'],
])('the person is read where the code is %s', (_, code) => {
  expect(processUserInfo(answer({ code, data: { open_id: 'ou_1', name: 'Wang' } }), APP)).toEqual({
    openId: 'ou_1',
    name: 'Wang',
  })
})

test.each([99991668, 99991677, 99991663, 99991671, 20005, 20008, 20021, 20022, 20023])(
  'code %d: the token has no person',
  (code) => {
    expect(processUserInfo(answer({ code }, 400), APP)).toBeNull()
  },
)

test.each<[string, unknown, number | null]>([
  ['no person', { code: 0, data: {} }, 0],
  ['an id that is none', { code: 0, data: { open_id: 'a b' } }, 0],
  ['a list', [], null],
  ['no JSON', '<html>', null],
  ['another number', { code: 99991400 }, 99991400],
])('%s is no usable answer', async (_, body, feishuCode) => {
  const error = await failureOf(async () => processUserInfo(answer(body), APP))
  expect([error.code, error.feishuCode, error.logId]).toEqual(['unexpected_response', feishuCode, 'LOG1'])
})

test.each<[unknown, number, boolean]>([
  ['', 200, true],
  [' \n', 204, true],
  [{ code: 0 }, 200, true],
  [{ code: '0' }, 200, true],
  [{ code: 20064 }, 200, false],
  [{ code: 0 }, 400, false],
  ['<html>', 200, false],
])('%j with HTTP %d: revoked %s', (body, status, revoked) => {
  expect(isRevoked(answer(body, status))).toBe(revoked)
})
