import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import type { HttpAnswer } from '../../src/oauth/http.ts'
import {
  beginRegistrationRequest,
  pollRegistrationRequest,
  processRegistration,
  processRegistrationPoll,
} from '../../src/oauth/registration.ts'
import { Secret } from '../../src/secret.ts'
import { say } from '../../src/sentence.ts'
import { failureOf } from '../support/failure.ts'

const HOSTS = { accountsUrl: null, openUrl: null }
const FEISHU = endpointsOf('feishu', HOSTS)
const LARK = endpointsOf('lark', HOSTS)
const OPTIONS = { deadlineMs: 1_000, account: { key: 'setup', forced: false } }

function answer(body: object | string, status = 200, headers = {}): HttpAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { kind: 'answer', status, headers, body: Buffer.from(text) }
}

const AWAY: HttpAnswer = {
  kind: 'failure',
  sent: false,
  partialBody: Buffer.alloc(0),
  error: new CodedError('network_error', say`No.`, { nextStep: say`.` }),
}

const BEGUN = {
  device_code: 'device-code-1234',
  user_code: 'ABCD-EFGH',
  verification_uri: 'https://open.feishu.cn/page/launcher',
  verification_uri_complete: 'https://open.feishu.cn/page/launcher?user_code=ABCD-EFGH',
}

test('the flow begins on the accounts host with what Feishu asks for', () => {
  const request = beginRegistrationRequest(FEISHU, OPTIONS)
  expect(request).toMatchObject({
    method: 'POST',
    url: 'https://accounts.feishu.cn/oauth/v1/app/registration',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    ...OPTIONS,
  })
  expect(Object.fromEntries(new URLSearchParams(request.body ?? ''))).toEqual({
    action: 'begin',
    archetype: 'PersonalAgent',
    auth_method: 'client_secret',
    request_user_info: 'open_id tenant_brand',
  })
})

test('a poll goes where the flow began, with the device code alone', () => {
  const request = pollRegistrationRequest(LARK, new Secret('device-code-1234'), OPTIONS)
  expect(request).toMatchObject({
    method: 'POST',
    url: 'https://accounts.larksuite.com/oauth/v1/app/registration',
    body: 'action=poll&device_code=device-code-1234',
    ...OPTIONS,
  })
})

test('an answer is read whole', () => {
  const { deviceCode, ...rest } = processRegistration(answer(BEGUN), FEISHU, ['auth:user.id:read'])
  expect(deviceCode.reveal()).toBe('device-code-1234')
  expect(rest).toEqual({
    userCode: 'ABCD-EFGH',
    verificationUrl: `${BEGUN.verification_uri_complete}&from=sdk&tp=sdk`,
    lifetimeMs: 600_000,
    intervalMs: 5_000,
  })
})

test('without an address that holds the code, the one without it is taken', () => {
  const { verification_uri_complete: _, ...plain } = BEGUN
  const { verificationUrl } = processRegistration(answer(plain), FEISHU, [])
  expect(verificationUrl).toBe(`${BEGUN.verification_uri}?from=sdk&tp=sdk`)
})

test.each([
  ['\n', ''],
  ['x'.repeat(50), 'x'.repeat(40)],
])('the code %j is shown as %j', (user_code, userCode) => {
  expect(processRegistration(answer({ ...BEGUN, user_code }), FEISHU, [])).toMatchObject({ userCode })
})

test('where there is no answer, the failure says why', () => {
  expect(() => processRegistration(AWAY, FEISHU, [])).toThrow(AWAY.error)
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
  ['a device code that is none', { ...BEGUN, device_code: 7 }],
  ['no code for the person', { ...BEGUN, user_code: undefined }],
  ['no JSON', '404 page not found'],
])('%s is not shown to a person; the console is the way then', async (_, body) => {
  const error = await failureOf(async () => processRegistration(answer(body, 404), FEISHU, []))
  expect(error.code).toBe('unexpected_response')
  expect(error.nextStep).toContain('https://open.feishu.cn/app')
  expect(error.message).not.toContain('evil')
})

test('a refusal says what Feishu said, and names the console', async () => {
  const body = { error: 'invalid_request', error_description: 'Not for\nyou.' }
  const given = answer(body, 400, { 'x-tt-logid': '2026ABC' })
  const error = await failureOf(async () => processRegistration(given, FEISHU, []))
  expect(error).toMatchObject({ code: 'unauthorized_client', logId: '2026ABC' })
  expect(error.message).toContain('"Not for you."')
  expect(error.nextStep).toContain('developer console')
})

test.each([
  [{ error: 'not_here' }, 'Feishu offers no creation of apps here: "not_here".'],
  [{ code: 7, msg: 'Not now.' }, 'Feishu offers no creation of apps here: "Not now.".'],
  [{ code: 7 }, 'Feishu offers no creation of apps here.'],
])('the refusal %j is shown', async (body, message) => {
  expect((await failureOf(async () => processRegistration(answer(body), FEISHU, []))).message).toBe(message)
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
  // Neither a string nor an app: what Feishu means by it is not known.
  [{ error: 7 }, FEISHU, { kind: 'ended', error: { code: 'unexpected_response' } }],
  [{ user_info: null }, FEISHU, { kind: 'pending', intervalMs: 10_000 }],
  [{ client_id: 'cli_1', client_secret: '' }, FEISHU, { kind: 'pending', intervalMs: 10_000 }],
  [{ client_id: 'cli_1', client_secret: 7 }, FEISHU, { kind: 'pending', intervalMs: 10_000 }],
  [{ ...app, client_id: 7 }, FEISHU, { kind: 'pending', intervalMs: 10_000 }],
  [{ ...app, client_id: 'cli_1/x' }, FEISHU, { kind: 'pending', intervalMs: 10_000 }],
  [app, FEISHU, { kind: 'app', brand: 'feishu', client: { appId: 'cli_1' } }],
  [app, LARK, { kind: 'app', brand: 'lark' }],
  [{ ...app, ...lark }, FEISHU, { kind: 'app', brand: 'lark' }],
  // An id is part of file names.
  [{ ...app, client_id: '../x' }, FEISHU, { kind: 'pending', intervalMs: 10_000 }],
])('a poll that answers %j is understood', (body, endpoints, expected) => {
  const result = processRegistrationPoll(answer(body, 400), 5_000, endpoints)
  expect(result).toMatchObject(expected)
  if (result.kind === 'ended') expect(result.error.nextStep).toContain('https://open.feishu.cn/app')
})

test('polls slow down to a minute and no further', () => {
  const slow = processRegistrationPoll(answer({ error: 'slow_down' }, 400), 58_000, FEISHU)
  expect(slow).toEqual({ kind: 'pending', intervalMs: 60_000 })
  for (const busy of [answer({ error: 'server_error' }, 500), AWAY])
    expect(processRegistrationPoll(busy, 5_000, FEISHU)).toEqual({ kind: 'pending', intervalMs: 10_000 })
})
