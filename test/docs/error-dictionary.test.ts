// The error dictionary: complete by the protocol's description, and the document says what the program says.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FEISHU_ERRORS } from '../../src/oauth/feishu-errors.ts'
import { API_ERRORS, PAGE_ERRORS as SANDBOX_PAGES, TOKEN_ERRORS } from '../feishu-sandbox/feishu-codes.ts'
import { PAGE_ERRORS, withNumbers } from './error-numbers.ts'

test('docs/errors.md lists every number once, in the words of the program (npm run docs)', () => {
  const document = readFileSync('docs/errors.md', 'utf8')
  expect(withNumbers(document)).toBe(document)
  const listed = [...document.matchAll(/^\| (\d+) \| `/gm)].map(([, number]) => Number(number))
  expect(listed.toSorted()).toEqual(FEISHU_ERRORS.toSorted())
})

/** The check of an app's credentials in `setup` tells these two in its own words. */
const CREDENTIALS = [10003, 10014]

test.each([
  ['page', SANDBOX_PAGES],
  ['token endpoint', TOKEN_ERRORS],
  ['gateway', API_ERRORS],
])('every number of the %s is explained', (_, numbers) => {
  const unknown = Object.keys(numbers)
    .map(Number)
    .filter((number) => !CREDENTIALS.includes(number) && !FEISHU_ERRORS.includes(number))
  expect(unknown).toEqual([])
})

test('every number that Feishu shows on its page is among those that an answer explains', () => {
  const shown = Object.keys(SANDBOX_PAGES).map(Number)
  expect(shown.filter((number) => !PAGE_ERRORS.includes(number))).toEqual([])
})
