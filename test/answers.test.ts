import { expect, test } from 'vitest'
import { toSeconds, toTime } from '../src/answers.ts'

test.each([
  [null, null],
  [1_767_232_471_042, '2026-01-01T01:54:31Z'],
  [1e300, '9999-12-31T23:59:59Z'],
  [-1e300, '1970-01-01T00:00:00Z'],
])('the instant %d is told as RFC 3339: %s', (at, told) => {
  expect(toTime(at)).toBe(told)
})

test.each([
  [null, null],
  [1_999, 1],
  [-5, 0],
])('%d milliseconds are %d whole seconds', (ms, told) => {
  expect(toSeconds(ms)).toBe(told)
})
