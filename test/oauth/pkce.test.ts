import { expect, test } from 'vitest'
import { calculateCodeChallenge, createCodeVerifier, createState } from '../../src/oauth/pkce.ts'

test('the challenge of RFC 7636 appendix B is met', () => {
  const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
  expect(calculateCodeChallenge(verifier)).toBe('E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM')
})

test.each([
  ['verifier', 43, createCodeVerifier],
  ['state', 27, createState],
])('a %s has %i unreserved characters, never the same', (_name, length, create) => {
  const made = new Set(Array.from({ length: 200 }, create))
  expect(made.size).toBe(200)
  for (const value of made) expect(value).toMatch(/^[A-Za-z0-9_-]+$/)
  expect([...made].every((value) => value.length === length)).toBe(true)
})
