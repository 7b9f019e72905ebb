import { describe, expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { probes, verdictOf } from '../../src/oauth/credentials.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import { Secret } from '../../src/secret.ts'
import { say } from '../../src/sentence.ts'

test('credentials are tried with a tenant token, then with an authorization that nobody will answer', () => {
  const endpoints = endpointsOf('feishu', { accountsUrl: null, openUrl: null })
  const app = { brand: 'feishu' as const, appId: 'cli_a1', appSecret: new Secret('s:1 & t'), endpoints }
  const [tenant, device, ...others] = probes(app)
  const common = { method: 'POST', deadlineMs: 8_000, account: { key: 'setup', forced: false } }
  expect(tenant).toEqual({
    ...common,
    url: 'https://open.feishu.cn/open-apis/auth/v3/tenant_access_token/internal',
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: '{"app_id":"cli_a1","app_secret":"s:1 & t"}',
  })
  expect(device).toEqual({
    ...common,
    url: endpoints.deviceAuthorization,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('cli_a1:s:1 & t').toString('base64')}`,
    },
    body: 'client_id=cli_a1&scope=auth%3Auser.id%3Aread',
  })
  expect(others).toEqual([])
})

describe('the answer', () => {
  test.each<[unknown, boolean | null]>([
    [{ code: 0, tenant_access_token: 't' }, true],
    [{ code: '0', tenant_access_token: 't' }, true],
    [{ device_code: 'd' }, true],
    [{ code: 10003 }, false],
    [{ code: 10014 }, false],
    [{ code: 20002, device_code: 'd' }, false],
    [{ code: 20048 }, false],
    [{ error: 'invalid_client' }, false],
    [{ error: 'invalid_scope' }, null],
    [{ code: 0 }, null],
    [{ code: 0, tenant_access_token: 7 }, null],
    [{ code: 99991400, tenant_access_token: 't' }, null],
    [{ device_code: 7 }, null],
    [{}, null],
    ['<html>', null],
  ])('%j says %j of the credentials', (body, verdict) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    expect(verdictOf({ kind: 'answer', status: 200, headers: {}, body: Buffer.from(text) })).toBe(verdict)
  })

  test('that did not come says nothing', () => {
    const error = new CodedError('network_error', say`No.`, { nextStep: say`.` })
    expect(verdictOf({ kind: 'failure', sent: true, partialBody: Buffer.from('{}'), error })).toBeNull()
  })
})
