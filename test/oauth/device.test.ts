import { describe, expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import {
  deviceAuthorizationRequest,
  deviceGrantRequest,
  processDeviceAuthorization,
  processDevicePoll,
  slowerMs,
} from '../../src/oauth/device.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import type { HttpAnswer } from '../../src/oauth/http.ts'
import { Secret } from '../../src/secret.ts'
import { say } from '../../src/sentence.ts'
import { failureOf } from '../support/failure.ts'
import { answerOf, CONTEXT, GOOD, tokensOf } from './token-answers.ts'

const FEISHU = endpointsOf('feishu', { accountsUrl: null, openUrl: null })

function read(times: object): { lifetimeMs: number; intervalMs: number } {
  const json = {
    device_code: 'device-code-1234',
    user_code: 'ABCD-EFGH',
    verification_uri: 'https://accounts.feishu.cn/oauth/v1/device/verify',
    ...times,
  }
  const body = Buffer.from(JSON.stringify(json))
  return processDeviceAuthorization({ kind: 'answer', status: 200, headers: {}, body }, FEISHU)
}

test('the times of an answer are seconds, and have fallbacks', () => {
  expect(read({ expires_in: 600, interval: 7 })).toMatchObject({ lifetimeMs: 600_000, intervalMs: 7_000 })
  expect(read({ expires_in: '600', interval: '7' })).toMatchObject({
    lifetimeMs: 600_000,
    intervalMs: 7_000,
  })
  expect(read({})).toMatchObject({ lifetimeMs: 240_000, intervalMs: 5_000 })
  expect(read({ expires_in: 0, interval: -1 })).toMatchObject({ lifetimeMs: 240_000, intervalMs: 5_000 })
})

test.each([0.001, 0.5])('an interval of %d s makes no flood of polls', (interval) => {
  expect(read({ interval }).intervalMs).toBe(1_000)
})

// Node takes a timer of more than 2^31 - 1 ms for one of 1 ms.
test.each([5_000, 2_147_484, 1e300])('an interval of %d s is waited for at most a minute', (interval) => {
  expect(read({ interval }).intervalMs).toBe(60_000)
})

test('a link that Feishu would keep for ever is waited for at most an hour', () => {
  expect(read({ expires_in: 1e300 }).lifetimeMs).toBe(3_600_000)
})

const OPTIONS = { deadlineMs: 1, account: { key: 'k', forced: false } }
const CLIENT = { appId: 'cli_a1', appSecret: new Secret('s & t') }
const FORM = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
const FAILED: HttpAnswer = {
  kind: 'failure',
  sent: true,
  partialBody: Buffer.alloc(0),
  error: new CodedError('network_error', say`No.`, { nextStep: say`.` }),
}

test('the authorization request has the app in its header, as Feishu wants it, and the scopes', () => {
  expect(deviceAuthorizationRequest(FEISHU, CLIENT, ['a:b', 'offline_access'], OPTIONS)).toEqual({
    method: 'POST',
    url: FEISHU.deviceAuthorization,
    headers: { ...FORM, authorization: `Basic ${Buffer.from('cli_a1:s & t').toString('base64')}` },
    body: 'client_id=cli_a1&scope=a%3Ab+offline_access',
    ...OPTIONS,
  })
})

test('the grant request has code and app in its body', () => {
  const grant = 'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code'
  expect(deviceGrantRequest('https://open.feishu.cn/token', CLIENT, new Secret('d1'), OPTIONS)).toEqual({
    method: 'POST',
    url: 'https://open.feishu.cn/token',
    headers: FORM,
    body: `${grant}&device_code=d1&client_id=cli_a1&client_secret=s+%26+t`,
    ...OPTIONS,
  })
})

test('each answer that says nothing makes the pause longer, up to a minute', () => {
  expect([5_000, 55_000, 58_000].map(slowerMs)).toEqual([10_000, 60_000, 60_000])
})

describe('an authorization answer', () => {
  const good = {
    device_code: 'device-code-1234',
    user_code: 'ABCD-EFGH',
    verification_uri: 'https://accounts.feishu.cn/verify',
    verification_uri_complete: 'https://accounts.feishu.cn/verify?code=1',
  }
  const processed = (json: unknown) =>
    processDeviceAuthorization(answerOf(json, 200, { 'x-tt-logid': 'l1' }), FEISHU)

  test('is read whole; the complete link comes first', () => {
    const read = processed(good)
    expect(read).toMatchObject({ userCode: 'ABCD-EFGH', verificationUrl: good.verification_uri_complete })
    expect(read.deviceCode.reveal()).toBe('device-code-1234')
    const elsewhere = { ...good, verification_uri_complete: 'https://evil.example/' }
    expect(processed(elsewhere).verificationUrl).toBe(good.verification_uri)
    expect(processed({ ...good, user_code: 'A'.repeat(99) }).userCode).toBe('A'.repeat(40))
    expect(processed({ ...good, user_code: '' }).userCode).toBe('')
  })

  const CHECK = 'Check the scopes, or use method "browser".'
  test.each<[unknown, string, string, string]>([
    [{ ...good, device_code: '' }, 'unexpected_response', 'Feishu gave no code for a device.', CHECK],
    [{ ...good, device_code: 7 }, 'unexpected_response', 'Feishu gave no code for a device.', CHECK],
    [{ ...good, user_code: 7 }, 'unexpected_response', 'Feishu gave no code for a device.', CHECK],
    [
      { ...good, verification_uri: 'x', verification_uri_complete: 'y' },
      'unexpected_response',
      'Feishu gave no code for a device.',
      CHECK,
    ],
    ['<html>', 'unexpected_response', 'Feishu gave no code for a device.', CHECK],
    [{ error: 'slow_down' }, 'unexpected_response', 'Feishu gave no code for a device: "slow_down".', CHECK],
    [
      { error: 'invalid_scope', error_description: 'no' },
      'invalid_scope',
      'Feishu gave no code for a device: "no".',
      CHECK,
    ],
    [
      { error: 'unauthorized_client' },
      'unauthorized_client',
      'Feishu gave no code for a device: "unauthorized_client".',
      CHECK,
    ],
    [
      { error: 'invalid_client' },
      'invalid_client',
      'Feishu does not accept App ID and App Secret.',
      'Copy both again from the developer console, page Credentials & Basic Info (凭证与基础信息).',
    ],
  ])('%j is %s', async (json, code, message, nextStep) => {
    const error = await failureOf(async () => processed(json))
    expect(error).toMatchObject({ code, message, nextStep, logId: 'l1' })
  })

  test('that did not come is the error that kept it away', async () => {
    const error = await failureOf(async () => processDeviceAuthorization(FAILED, FEISHU))
    expect(error).toBe(FAILED.error)
  })
})

describe('a poll', () => {
  const poll = (json: unknown, status = 400) => processDevicePoll(answerOf(json, status), 7_000, CONTEXT)

  test('brings the tokens', () => {
    const result = poll(GOOD, 200)
    if (result.kind !== 'tokens') throw new Error(result.kind)
    expect(tokensOf(result).refreshToken?.reveal()).toBe(GOOD.refresh_token)
  })

  test.each<[unknown, number, number]>([
    [{ error: 'authorization_pending' }, 400, 7_000],
    [{ error: 'slow_down' }, 400, 12_000],
    [{ code: 20050 }, 500, 12_000],
    [null, 502, 12_000],
    ['<html>', 403, 12_000],
  ])('that is answered with %j (HTTP %d) goes on in %d ms', (json, status, intervalMs) => {
    expect(poll(json, status)).toEqual({ kind: 'pending', intervalMs })
  })

  test('without an answer goes on, slower', () => {
    expect(processDevicePoll(FAILED, 7_000, CONTEXT)).toEqual({ kind: 'pending', intervalMs: 12_000 })
  })

  const AGAIN = 'Call start_authorization again.'
  const LATE = 'The code was not used in time, or a newer one has replaced it.'
  test.each<[string, string, string, string]>([
    [
      'access_denied',
      'access_denied',
      'The person declined on the verification page.',
      'Call start_authorization again when the person wants to approve.',
    ],
    ['expired_token', 'authorization_expired', LATE, AGAIN],
    ['invalid_grant', 'authorization_expired', LATE, AGAIN],
  ])('that is answered with %s has ended', (error, code, message, nextStep) => {
    expect(poll({ error })).toMatchObject({ kind: 'ended', error: { code, message, nextStep } })
  })

  test('ends with an error that does not mend itself', () => {
    expect(poll({ error: 'invalid_client' })).toMatchObject({
      kind: 'ended',
      error: { code: 'invalid_client' },
    })
  })
})
