import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/errors.ts'
import { processErrorResponse } from '../../src/oauth/error-response.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import { feishuError, type Verdict } from '../../src/oauth/feishu-errors.ts'
import type { AnswerContext } from '../../src/oauth/token-answer.ts'
import { Secret } from '../../src/secret.ts'

const SECRET = 'app-secret-canary-4711'
const CONTEXT: AnswerContext = {
  endpoints: endpointsOf('feishu', { accountsUrl: null, openUrl: null }),
  appId: 'cli_a1',
  scopes: ['docx:document'],
  now: 0,
  secrets: [new Secret(SECRET)],
}

type Judged = ReturnType<typeof processErrorResponse>

function judge(
  status: number,
  json: Record<string, unknown> | null,
  headers: Record<string, string> = {},
): Judged {
  return processErrorResponse({ status, headers }, json, CONTEXT)
}

function verdictOf(judged: Judged): Verdict | 'foreign' | 'ambiguous' {
  return judged.kind === 'error' ? judged.verdict : judged.kind
}

describe('a number of Feishu decides, whatever the HTTP status', () => {
  test.each([200, 400, 401, 403, 500, 503])('HTTP %d', (status) => {
    expect(verdictOf(judge(status, { code: 20064, error: 'invalid_grant' }))).toBe('reauthorize')
    expect(verdictOf(judge(status, { code: '20002' }))).toBe('keep')
    expect(verdictOf(judge(status, { code: 20050 }))).toBe('retry')
  })
})

describe('an answer without a known number', () => {
  test.each<[string, number, Record<string, unknown> | null, Verdict | 'foreign' | 'ambiguous', ErrorCode]>([
    ['an unknown number', 400, { code: 20999 }, 'keep', 'unexpected_response'],
    ['an unknown number with HTTP 500', 500, { code: 20999 }, 'keep', 'unexpected_response'],
    [
      'invalid_grant alone: only the numbers end a grant',
      400,
      { error: 'invalid_grant' },
      'keep',
      'unexpected_response',
    ],
    ['invalid_client alone', 401, { error: 'invalid_client' }, 'keep', 'invalid_client'],
    ['unauthorized_client alone', 400, { error: 'unauthorized_client' }, 'keep', 'unauthorized_client'],
    ['invalid_scope with HTTP 200', 200, { error: 'invalid_scope' }, 'keep', 'invalid_scope'],
    ['server_error', 500, { error: 'server_error' }, 'retry', 'server_error'],
    [
      'temporarily_unavailable',
      400,
      { error: 'temporarily_unavailable' },
      'retry',
      'temporarily_unavailable',
    ],
    ['HTTP 429 without a body', 429, null, 'retry', 'rate_limited'],
    ['HTTP 503 without a body', 503, null, 'retry', 'temporarily_unavailable'],
    ['an unknown number with HTTP 200', 200, { code: 20999 }, 'keep', 'unexpected_response'],
    ['the number of a success with HTTP 400', 400, { code: 0 }, 'keep', 'unexpected_response'],
    ['a 400 page', 400, null, 'foreign', 'unexpected_response'],
    ['a 404 page', 404, null, 'foreign', 'unexpected_response'],
    ['a 403 of a proxy', 403, { message: 'Forbidden' }, 'foreign', 'unexpected_response'],
    ['an HTML page with 200', 200, null, 'ambiguous', 'unexpected_response'],
    ['an HTML page with 502', 502, null, 'ambiguous', 'unexpected_response'],
    ['an empty object', 200, {}, 'ambiguous', 'unexpected_response'],
    ['no error and no token', 200, { code: 0, error: null }, 'ambiguous', 'unexpected_response'],
    ['JSON with 500 and nothing said', 500, { message: 'oops' }, 'ambiguous', 'unexpected_response'],
  ])('%s', (_what, status, json, verdict, code) => {
    const judged = judge(status, json)
    expect([verdictOf(judged), judged.error.code]).toEqual([verdict, code])
    expect(judged.error.nextStep).not.toBe('')
  })

  test.each([
    'invalid_request',
    'invalid_grant',
    'unsupported_grant_type',
    'authorization_pending',
    'slow_down',
    'access_denied',
    'expired_token',
  ])('%s alone is the token endpoint’s own word', (error) => {
    expect(judge(400, { error })).toMatchObject({ kind: 'error', verdict: 'keep' })
  })

  test.each([300, 301, 302, 303, 304, 307, 308])('HTTP %d is a redirect: nothing was spent', (status) => {
    const judged = judge(status, { code: 20064 }, { location: 'https://evil.example/' })
    expect(verdictOf(judged)).toBe('keep')
    expect(judged.error).toMatchObject({
      code: 'unexpected_response',
      message: `The token endpoint answered with a redirect (HTTP ${status}), which is never followed.`,
      nextStep:
        'Check FEISHU_OPEN_URL, and whether a proxy or captive portal answers instead; nothing was lost.',
    })
    expect(`${judged.error.message} ${judged.error.nextStep}`).not.toContain('evil')
  })
})

test('the time to wait is told where the answer names it', () => {
  expect(judge(429, { code: 99991400 }, { 'x-ogw-ratelimit-reset': '7' })).toMatchObject({
    retryAfterMs: 7_000,
  })
  expect(judge(503, null, { 'retry-after': '9' })).toMatchObject({ retryAfterMs: 9_000 })
  expect(judge(500, { code: 20050 })).toMatchObject({ retryAfterMs: null })
})

describe('the text of an error', () => {
  test('has cause, remedy, console page, number and log id', () => {
    const { error } = judge(400, { code: 20074, error_description: 'Not allowed.' }, { 'x-tt-logid': 'l1' })
    expect(error).toMatchObject({ code: 'refresh_not_allowed', feishuCode: 20074, logId: 'l1' })
    expect(error.message).toBe('Feishu answered 20074: the app may not refresh user tokens ("Not allowed.").')
    expect(error.nextStep).toContain('https://open.feishu.cn/app/cli_a1/safe')
  })

  test('names a number that nobody foresaw', () => {
    const { error } = judge(400, { code: 20999, error_description: 'Something new.' })
    expect(error).toMatchObject({ code: 'unexpected_response', feishuCode: 20999 })
    expect(error.message).toBe('Feishu answered 20999: a number that is not known here ("Something new.").')
  })

  test.each([
    [400, { code: 20001 }, 'Feishu answered 20001: the request lacks a parameter.'],
    [400, { code: 20999 }, 'Feishu answered 20999: a number that is not known here.'],
    [500, { message: 'oops' }, 'The token endpoint answered HTTP 500 with JSON without a token.'],
    [400, { error: 'x' }, 'The token endpoint answered HTTP 400 with JSON without a token: "x".'],
    [
      502,
      null,
      'The token endpoint answered HTTP 502 with no JSON (perhaps from a proxy or a captive portal, or the address is wrong).',
    ],
  ])('of HTTP %d with %j is %j', (status, json, message) => {
    expect(judge(status, json).error.message).toBe(message)
  })

  test('ends without an address where there is no page to go to', () => {
    expect(judge(400, { code: 20050 }).error.nextStep).toBe(`${feishuError(20050)?.remedy.en}.`)
  })

  test.each([
    { code: 20002, error_description: `${SECRET} is wrong` },
    { code: 20002, msg: `…${SECRET.slice(3, 15)}` },
    { error: SECRET },
    { code: 21000, challenge_url: `https://accounts.feishu.cn/?s=${SECRET}` },
    { code: 20001, error_description: `client_secret=${SECRET}&grant_type=refresh_token` },
  ])('never holds a piece of a secret: %j', (json) => {
    const { error } = judge(400, json)
    const text = `${error.message} ${error.nextStep} ${error.logId}`
    for (let at = 0; at + 8 <= SECRET.length; at += 1) expect(text).not.toContain(SECRET.slice(at, at + 8))
  })

  test.each([
    '\u001b]8;;https://evil.example\u0007here\u001b]8;;\u0007',
    'abc\u202edcba',
    'x'.repeat(1 << 20),
    'line\r\nFAILED: [code=none]',
    { toString: 'no' },
    ['a'],
    7,
  ])('quotes what Feishu says bounded and plain: %#', (description) => {
    const { error } = judge(400, { code: 20001, error_description: description })
    expect(error.message).toMatch(/^[^\p{Cc}\p{Cf}]{1,300}$/u)
  })

  test('shows a challenge only on the hosts of the brand', () => {
    const good = judge(400, { code: 21000, challenge_url: 'https://accounts.feishu.cn/challenge?x=1' })
    expect(good.error).toMatchObject({ code: 'challenge_required', recovery: 'fix_config' })
    expect(good.error.nextStep).toContain('https://accounts.feishu.cn/challenge?x=1')
    const bad = judge(400, { code: 21000, challenge_url: 'https://feishu.cn.evil.example/' })
    expect(bad.error.nextStep).not.toContain('evil')
    const other = judge(400, { code: 20002, challenge_url: 'https://accounts.feishu.cn/challenge' })
    expect(other.error.nextStep).not.toContain('challenge')
  })
})
