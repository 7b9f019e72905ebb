import { expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import type { HttpAnswer } from '../../src/oauth/http.ts'
import { processUserInfo, userInfoRequest } from '../../src/oauth/user-info.ts'
import { Secret } from '../../src/secret.ts'
import { say } from '../../src/sentence.ts'
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
  ['another number beside a person', { code: 7, data: { open_id: 'ou_1' } }, 7],
])('%s is no usable answer', async (_, body, feishuCode) => {
  const error = await failureOf(async () => processUserInfo(answer(body), APP))
  expect([error.code, error.feishuCode, error.logId]).toEqual(['unexpected_response', feishuCode, 'LOG1'])
})

test('the request bears the access token, and no body', () => {
  const options = { deadlineMs: 1, account: { key: 'k', forced: false } }
  expect(userInfoRequest(APP.endpoints, new Secret('t1'), options)).toEqual({
    method: 'GET',
    url: 'https://open.feishu.cn/open-apis/authen/v1/user_info',
    headers: { authorization: 'Bearer t1', accept: 'application/json' },
    body: null,
    ...options,
  })
})

test('no answer is the error that kept it away', async () => {
  const error = new CodedError('network_error', say`No.`, { nextStep: say`.` })
  const failed = { kind: 'failure', sent: true, partialBody: Buffer.alloc(0), error } as const
  expect(await failureOf(async () => processUserInfo(failed, APP))).toBe(error)
})

test.each<[unknown, number, string, string]>([
  ['<html>', 502, 'user_info answered HTTP 502 without a person.', 'Try again in a minute.'],
  [{ code: 0 }, 200, 'user_info answered HTTP 200 without a person.', 'Try again in a minute.'],
  [{ code: 7 }, 400, 'user_info answered 7 (HTTP 400) without a person.', 'Try again in a minute.'],
  [
    { code: 20001 },
    400,
    'user_info answered 20001 (HTTP 400) without a person: the request lacks a parameter.',
    'Update feishu-token-mcp.',
  ],
  [
    { code: 20074 },
    400,
    'user_info answered 20074 (HTTP 400) without a person: the app may not refresh user tokens.',
    'Switch on Refresh user_access_token (刷新 user_access_token) under Security Settings (安全设置) and publish a version (版本管理与发布): https://open.feishu.cn/app/cli_a1/safe.',
  ],
])('%j with HTTP %d is told with its number, and what to do', async (body, status, message, nextStep) => {
  const error = await failureOf(async () => processUserInfo(answer(body, status), APP))
  expect([error.message, error.nextStep]).toEqual([message, nextStep])
})

test('a scope that is missing is looked for on the page of scopes, where none is named', async () => {
  const error = await failureOf(async () => processUserInfo(answer({ code: 99991679 }, 400), APP))
  expect(error.nextStep).toContain('https://open.feishu.cn/app/cli_a1/auth?q=&')
})

test.each(['', 'a b', 'ou_1\n', 'x'.repeat(129), 'x/', '/x'])('%j is the id of nobody', async (open_id) => {
  const error = await failureOf(async () => processUserInfo(answer({ code: 0, data: { open_id } }), APP))
  expect(error.code).toBe('unexpected_response')
})
