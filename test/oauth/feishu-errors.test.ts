import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/errors.ts'
import { consoleUrl, FEISHU_ERRORS, feishuError } from '../../src/oauth/feishu-errors.ts'

/** The contract's mapping, written down a second time. */
const CONTRACT: readonly (readonly [ErrorCode, readonly number[]])[] = [
  ['invalid_client', [20002, 20024, 20028, 20048]],
  ['config_invalid', [20029, 20046]],
  ['unauthorized_client', [20008, 20009, 20010, 20042, 20066, 20069]],
  ['refresh_not_allowed', [20074]],
  ['invalid_scope', [20027, 20043, 20067, 20068]],
  ['challenge_required', [21000, 21001]],
  ['invalid_grant', [20026, 20037, 20064, 20073, 20003, 20004, 20049, 20065, 20071]],
  ['server_error', [20050]],
  ['temporarily_unavailable', [20072]],
  ['rate_limited', [99991400]],
  ['unexpected_response', [20001, 20005, 20021, 20022, 20023, 20036, 20063, 20070]],
  ['unexpected_response', [99991401, 99991661, 99991663, 99991668, 99991672, 99991677, 99991679]],
]
const NUMBERS = CONTRACT.flatMap(([code, numbers]) => numbers.map((number) => [number, code] as const))

test.each(NUMBERS)('%d is %s', (number, code) => {
  expect(feishuError(number)?.code).toBe(code)
})

test('the table has these numbers and no others', () => {
  expect([...FEISHU_ERRORS]).toEqual(NUMBERS.map(([number]) => number).sort((a, b) => a - b))
})

describe('what is left of a remedy that ends with a new attempt', () => {
  test.each([20003, 20004, 20050, 20065, 20071, 20072])('is nothing for %d', (number) => {
    expect(feishuError(number)?.fix).toBeNull()
  })

  test('is what comes before the attempt, or all of it', () => {
    expect(feishuError(20049)?.fix?.en).toBe('Set FEISHU_TOKEN_ENDPOINT to v2')
    expect(feishuError(21000)?.fix?.en).toBe('Complete the check in the browser')
    expect(feishuError(20002)?.fix).toEqual(feishuError(20002)?.remedy)
  })
})

test('only 20026, 20037, 20064 and 20073 send a person to authorize again', () => {
  const every = Array.from({ length: 2_000 }, (_, index) => 20_000 + index).concat(
    Array.from({ length: 500 }, (_, index) => 99_991_300 + index),
  )
  expect(every.filter((number) => feishuError(number)?.verdict === 'reauthorize')).toEqual([
    20026, 20037, 20064, 20073,
  ])
  expect(every.filter((number) => feishuError(number)?.verdict === 'retry')).toEqual([20050, 20072, 99991400])
})

test.each([0, -1, 20999, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  '%d is no number of the table',
  (number) => {
    expect(feishuError(number)).toBeNull()
  },
)

describe.each(NUMBERS.map(([number]) => number))('the text of %d', (number) => {
  const error = feishuError(number)

  test('is there in both languages, cause and remedy, without a full stop of its own', () => {
    for (const text of [error?.cause, error?.remedy]) {
      expect(text?.en).toMatch(/^[\x20-\x7e\p{Script=Han}]+[^.\s]$/u)
      expect(text?.zh).toMatch(/\p{Script=Han}/u)
      expect(text?.zh).not.toMatch(/[。.]$/)
    }
  })
})

test.each([
  [20074, 'https://open.feishu.cn/app/cli_a1/safe'],
  [20068, 'https://open.feishu.cn/app/cli_a1/auth?q=im%3Amessage'],
  [20002, 'https://open.feishu.cn/app/cli_a1'],
])('%d is mended at %s', (number, url) => {
  const error = feishuError(number)
  const app = { open: 'https://open.feishu.cn', appId: 'cli_a1', scopes: ['im:message'] }
  expect(error && consoleUrl(error, app)).toContain(url)
})

test('an error that no page mends has no page', () => {
  const error = feishuError(20050)
  expect(
    error && consoleUrl(error, { open: 'https://open.feishu.cn', appId: 'cli_a1', scopes: [] }),
  ).toBeNull()
})
