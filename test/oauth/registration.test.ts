import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import type { HttpAnswer } from '../../src/oauth/http.ts'
import {
  beginRegistrationRequest,
  processRegistration,
  processRegistrationPoll,
} from '../../src/oauth/registration.ts'
import { failureOf } from '../support/failure.ts'

const HOSTS = { accountsUrl: null, openUrl: null }
const FEISHU = endpointsOf('feishu', HOSTS)
const LARK = endpointsOf('lark', HOSTS)
const OPTIONS = { deadlineMs: 1_000, account: { key: 'setup', forced: false } }

function answer(body: object | string, status = 200): HttpAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { kind: 'answer', status, headers: {}, body: Buffer.from(text) }
}

const BEGUN = {
  device_code: 'device-code-1234',
  user_code: 'ABCD-EFGH',
  verification_uri: 'https://open.feishu.cn/page/launcher',
  verification_uri_complete: 'https://open.feishu.cn/page/launcher?user_code=ABCD-EFGH',
}

test('the flow begins on the accounts host with what Feishu asks for', () => {
  const request = beginRegistrationRequest(FEISHU, OPTIONS)
  expect(request.url).toBe('https://accounts.feishu.cn/oauth/v1/app/registration')
  expect(Object.fromEntries(new URLSearchParams(request.body ?? ''))).toEqual({
    action: 'begin',
    archetype: 'PersonalAgent',
    auth_method: 'client_secret',
    request_user_info: 'open_id tenant_brand',
  })
})

test('the link carries the scopes that the app is to have', () => {
  const scopes = ['auth:user.id:read', 'docx:document', 'offline_access']
  const { verificationUrl } = processRegistration(answer(BEGUN), FEISHU, scopes)
  const url = new URL(verificationUrl)
  expect(url.searchParams.get('user_code')).toBe('ABCD-EFGH')
  const addons = gunzipSync(Buffer.from(url.searchParams.get('addons') ?? '', 'base64url'))
  expect(JSON.parse(addons.toString())).toEqual({ scopes: { user: ['docx:document', 'offline_access'] } })
})

test('the times of an answer are taken in either spelling, and have fallbacks', () => {
  const read = (more: object) => processRegistration(answer({ ...BEGUN, ...more }), FEISHU, [])
  expect(read({ expire_in: 300, interval: 7 })).toMatchObject({ lifetimeMs: 300_000, intervalMs: 7_000 })
  expect(read({ expires_in: 301 })).toMatchObject({ lifetimeMs: 301_000, intervalMs: 5_000 })
  expect(read({ interval: -1 })).toMatchObject({ lifetimeMs: 600_000, intervalMs: 5_000 })
})

test.each([
  [
    'an address elsewhere',
    { ...BEGUN, verification_uri_complete: 'https://evil.example/', verification_uri: '' },
  ],
  [
    'an address like ours',
    {
      ...BEGUN,
      verification_uri_complete: 'https://feishu.cn.evil.example/',
      verification_uri: 'http://open.feishu.cn/',
    },
  ],
  ['no device code', { ...BEGUN, device_code: '' }],
  ['no JSON', '404 page not found'],
])('%s is not shown to a person; the console is the way then', async (_, body) => {
  const error = await failureOf(async () => processRegistration(answer(body, 404), FEISHU, []))
  expect(error.code).toBe('unexpected_response')
  expect(error.nextStep).toContain('https://open.feishu.cn/app')
  expect(error.message).not.toContain('evil')
})

test('a refusal says what Feishu said, and names the console', async () => {
  const body = { error: 'invalid_request', error_description: 'Not for\nyou.' }
  const error = await failureOf(async () => processRegistration(answer(body, 400), FEISHU, []))
  expect(error.code).toBe('unauthorized_client')
  expect(error.message).toContain('"Not for you."')
  expect(error.nextStep).toContain('developer console')
})

const lark = { user_info: { open_id: 'ou_1', tenant_brand: 'lark' } }
const app = { client_id: 'cli_1', client_secret: 'secret-1234' }

test.each([
  [{ error: 'authorization_pending' }, FEISHU, { kind: 'pending', intervalMs: 5_000 }],
  [{ error: 'slow_down' }, FEISHU, { kind: 'pending', intervalMs: 10_000 }],
  [{ error: 'access_denied' }, FEISHU, { kind: 'ended', error: { code: 'access_denied' } }],
  [{ error: 'expired_token' }, FEISHU, { kind: 'ended', error: { code: 'authorization_expired' } }],
  [{ error: 'invalid_grant' }, FEISHU, { kind: 'ended', error: { code: 'authorization_expired' } }],
  [{ error: 'new_error' }, FEISHU, { kind: 'ended', error: { code: 'unauthorized_client' } }],
  ['<html>', FEISHU, { kind: 'pending', intervalMs: 10_000 }],
  [{}, FEISHU, { kind: 'pending', intervalMs: 10_000 }],
  [lark, FEISHU, { kind: 'lark' }],
  // Switched once: the same announcement again does not switch again.
  [lark, LARK, { kind: 'pending', intervalMs: 10_000 }],
  [app, FEISHU, { kind: 'app', brand: 'feishu', client: { appId: 'cli_1' } }],
  [app, LARK, { kind: 'app', brand: 'lark' }],
  [{ ...app, ...lark }, FEISHU, { kind: 'app', brand: 'lark' }],
  // An id is part of file names.
  [{ ...app, client_id: '../x' }, FEISHU, { kind: 'pending', intervalMs: 10_000 }],
])('a poll that answers %j is understood', (body, endpoints, expected) => {
  const result = processRegistrationPoll(answer(body, 400), 5_000, endpoints)
  expect(result).toMatchObject(expected)
})

test('polls slow down to a minute and no further', () => {
  const slow = processRegistrationPoll(answer({ error: 'slow_down' }, 400), 58_000, FEISHU)
  expect(slow).toEqual({ kind: 'pending', intervalMs: 60_000 })
  const busy = processRegistrationPoll(answer({ error: 'server_error' }, 500), 5_000, FEISHU)
  expect(busy).toEqual({ kind: 'pending', intervalMs: 10_000 })
})
