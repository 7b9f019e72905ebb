import { expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { isRevoked, revocationRequest } from '../../src/oauth/revocation.ts'
import { Secret } from '../../src/secret.ts'
import { say } from '../../src/sentence.ts'

test('the request names the token, its kind and the app, in its body alone', () => {
  const client = { appId: 'cli_a1', appSecret: new Secret('s & t') }
  const options = { deadlineMs: 1, account: { key: 'k', forced: false } }
  const token = { value: new Secret('r1'), hint: 'refresh_token' as const }
  expect(revocationRequest('https://open.feishu.cn/revoke', client, token, options)).toEqual({
    method: 'POST',
    url: 'https://open.feishu.cn/revoke',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'client_id=cli_a1&client_secret=s+%26+t&token=r1&token_type_hint=refresh_token',
    ...options,
  })
})

test('no answer ends no grant', () => {
  const error = new CodedError('network_error', say`No.`, { nextStep: say`.` })
  expect(isRevoked({ kind: 'failure', sent: true, partialBody: Buffer.alloc(0), error })).toBe(false)
})

test.each<[unknown, number, boolean]>([
  ['', 200, true],
  [' \n', 204, true],
  [{ code: 0 }, 200, true],
  [{ code: '0' }, 200, true],
  [{ code: 20064 }, 200, false],
  [{ code: 0 }, 199, false],
  [{ code: 0 }, 299, true],
  [{ code: 0 }, 300, false],
  [{ code: 0 }, 400, false],
  ['<html>', 200, false],
])('%j with HTTP %d: revoked %s', (body, status, revoked) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  expect(isRevoked({ kind: 'answer', status, headers: {}, body: Buffer.from(text) })).toBe(revoked)
})
