import { expect, test } from 'vitest'
import { errorAnswer, toSeconds, toTime } from '../src/answers.ts'
import { CodedError } from '../src/errors.ts'
import { call, say } from '../src/sentence.ts'

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

const DOOR = { command: 'feishu-token-mcp', profile: 'work' }

test('what to do next about an error is a command for a command line, a tool for all else', () => {
  const error = new CodedError('not_authorized', say`Nobody has logged in.`, {
    nextStep: say`${call('start_authorization')}.`,
  })
  expect(errorAnswer(error, DOOR).error.next_step).toBe('Run `feishu-token-mcp login --profile work`.')
  expect(errorAnswer(error).error.next_step).toBe('Call start_authorization.')
})

test('for a command line it has at most 300 characters', () => {
  const error = new CodedError('invalid_scope', say`Scopes are missing.`, {
    nextStep: say`Enable ${'docx:document '.repeat(30)}.`,
  })
  expect(errorAnswer(error, DOOR).error.next_step).toBe(
    'Run `feishu-token-mcp doctor`, which says what to do.',
  )
})
