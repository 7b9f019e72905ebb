import { expect, test } from 'vitest'
import { calculateCodeChallenge, createCodeVerifier, createState } from '../../src/oauth/pkce.ts'

test('the challenge of RFC 7636 appendix B is met', () => {
  const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
  expect(calculateCodeChallenge(verifier)).toBe('E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM')
})

test.each([
  ['verifier', createCodeVerifier],
  ['state', createState],
])('a %s has 256 bits in 43 unreserved characters, never the same', (_name, create) => {
  const made = new Set(Array.from({ length: 200 }, create))
  expect(made.size).toBe(200)
  for (const value of made) expect(value).toMatch(/^[A-Za-z0-9_-]{43}$/)
})
