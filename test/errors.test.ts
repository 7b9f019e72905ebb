import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  CodedError,
  describeError,
  type ErrorCode,
  type Recovery,
  toCodedError,
  traceOf,
} from '../src/errors.ts'
import { say } from '../src/sentence.ts'

/** The contract's table, written down a second time. */
const CONTRACT: Readonly<Record<Recovery, readonly ErrorCode[]>> = {
  retry: [
    'network_error',
    'server_error',
    'temporarily_unavailable',
    'unexpected_response',
    'store_not_writable',
  ],
  wait: ['rate_limited', 'store_locked'],
  reauthorize: [
    'not_authorized',
    'invalid_grant',
    'no_refresh_token',
    'refresh_uncertain',
    'access_denied',
    'authorization_expired',
    'state_mismatch',
  ],
  fix_config: [
    'not_configured',
    'config_invalid',
    'invalid_client',
    'unauthorized_client',
    'refresh_not_allowed',
    'invalid_scope',
    'scope_unknown',
    'callback_port_in_use',
    'user_mismatch',
    'key_unavailable',
    'store_unreadable',
    'tls_error',
    'challenge_required',
  ],
}

describe.each(Object.entries(CONTRACT))('the recovery %s', (recovery, codes) => {
  test.each(codes)('belongs to %s', (code) => {
    expect(new CodedError(code, say`It failed.`, { nextStep: say`Mend it.` }).recovery).toBe(recovery)
  })
})

describe('an error', () => {
  test('without an answer of Feishu says so with null', () => {
    const error = new CodedError('network_error', say`It failed.`, { nextStep: say`Mend it.` })
    expect(error).toMatchObject({ name: 'CodedError', message: 'It failed.', nextStep: 'Mend it.' })
    expect([error.feishuCode, error.logId, error.cause]).toEqual([null, null, undefined])
  })

  test('keeps the number and log id of an answer, and its evidence', () => {
    const cause = new Error('why')
    const error = new CodedError('invalid_grant', say`No.`, {
      nextStep: say`.`,
      feishuCode: 20064,
      logId: 'l1',
      cause,
    })
    expect([error.feishuCode, error.logId, error.cause]).toEqual([20064, 'l1', cause])
    expect(inspect(error)).toContain('20064')
  })
})

test('a log names an error that nobody foresaw, and where it came from, without its text', () => {
  const known = new CodedError('store_locked', say`Another process holds the lock.`, { nextStep: say`Wait.` })
  expect(String(describeError(known))).toBe('store_locked: Another process holds the lock.')
  const bug = Object.assign(new TypeError('hunter2\nhunter2'), { code: 'ERR_INVALID_URL' })
  expect(String(describeError(bug))).toBe('TypeError (ERR_INVALID_URL)')
  expect(String(describeError(Object.assign(new Error('hunter2'), { code: 'hunter2' })))).toBe('Error')
  expect(String(describeError('hunter2'))).toBe('string')
  expect(traceOf(bug)).toMatch(/^ +at .*errors\.test\.ts/)
  expect(traceOf(bug)).not.toContain('hunter2')
  expect(traceOf(null)).toBe('')
})

test.each([
  ['EROFS', 'config_invalid'],
  ['EACCES', 'config_invalid'],
  ['ENOTSUP', 'config_invalid'],
  ['ENOSPC', 'store_not_writable'],
  ['EIO', 'store_not_writable'],
])('%s of a file is %s: whether trying again helps', (code, expected) => {
  const error = toCodedError(Object.assign(new Error(code), { code, path: '/tokens/f' }))
  expect([error.code, error.message]).toEqual([expected, `/tokens/f cannot be used (${code}).`])
})

test.each(['MODULE_NOT_FOUND', 'OTHER_BUILD'])(
  'an update or a removal while it ran (%s) says to restart it',
  (code) => {
    expect(toCodedError(Object.assign(new Error('/some/path'), { code }))).toMatchObject({
      code: 'config_invalid',
      message: 'feishu-token-mcp was updated or removed while it ran.',
      nextStep: 'Restart it: a client does so with a new session.',
    })
  },
)
