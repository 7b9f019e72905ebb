import { describe, expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import type { HttpAnswer } from '../../src/oauth/http.ts'
import { processTokenAnswer } from '../../src/oauth/token-endpoint.ts'
import { nextTokenSet } from '../../src/oauth/token-response.ts'
import { say } from '../../src/sentence.ts'
import { ISSUED_AT, makeTokenSet } from '../support/token-set.ts'
import { CONTEXT, GOOD, read, SENT, tokensOf } from './token-answers.ts'

test('a token response is read whole', () => {
  const date = new Date(ISSUED_AT + 5_000).toUTCString()
  const result = read(GOOD, 200, { 'x-tt-logid': 'l1', date })
  const response = tokensOf(result)
  expect(result).toMatchObject({ logId: 'l1' })
  expect(response.accessToken?.reveal()).toBe(GOOD.access_token)
  expect(response.refreshToken?.reveal()).toBe(GOOD.refresh_token)
  expect(response).toMatchObject({
    accessTokenLifetimeMs: 6_871_000,
    refreshTokenLifetimeMs: 600_011_000,
    scopes: ['docx:document', 'offline_access'],
    problem: null,
    serverDate: ISSUED_AT + 5_000,
  })
})

describe('an answer is as good as any', () => {
  test.each<[string, object]>([
    ['with the code as text', { ...GOOD, code: '0' }],
    ['without a code', { ...GOOD, code: undefined }],
    ['without token_type', { ...GOOD, token_type: undefined }],
    ['with token_type in capitals', { ...GOOD, token_type: 'BEARER' }],
    ['with an empty error', { ...GOOD, error: '' }],
    ['with unknown members', { ...GOOD, status_message: 'hello' }],
  ])('%s', (_what, body) => {
    expect(tokensOf(read(body)).problem).toBeNull()
    expect(tokensOf(read(body)).accessToken?.reveal()).toBe(GOOD.access_token)
  })
})

describe('a new refresh token is kept', () => {
  test.each<[string, unknown, RegExp]>([
    ['beside no access token', { ...GOOD, access_token: undefined }, /no usable access_token/],
    ['beside an access token with a line break', { ...GOOD, access_token: 'a\nb' }, /no usable access_token/],
    ['beside an access token that is too long', { ...GOOD, access_token: 'a'.repeat(16_385) }, /no usable/],
    ['beside an error', { ...GOOD, error: 'invalid_grant' }, /"error" beside/],
    ['beside a code', { ...GOOD, code: 20064 }, /"code" is 20064/],
    ['beside another token_type', { ...GOOD, token_type: 'DPoP' }, /not Bearer/],
    ['beside a token_type that is no text', { ...GOOD, token_type: 7 }, /not Bearer/],
    ['in an answer that breaks off', JSON.stringify(GOOD).slice(0, -20), /broke off/],
    ['wrapped in something', { code: 0, data: GOOD }, /no usable access_token/],
  ])('%s, and the access token is not', (_what, body, problem) => {
    const response = tokensOf(read(body))
    expect(response.refreshToken?.reveal()).toBe(GOOD.refresh_token)
    expect(response.accessToken).toBeNull()
    expect(String(response.problem)).toMatch(problem)
  })

  test.each<[string, unknown, number, RegExp]>([
    ['after a byte order mark', `\uFEFF${JSON.stringify(GOOD)}`, 200, /byte order mark/],
    ['with HTTP 500', GOOD, 500, /HTTP 500/],
    ['with HTTP 400', GOOD, 400, /HTTP 400/],
    ['with HTTP 199', GOOD, 199, /HTTP 199/],
  ])('%s, and the access token too', (_what, body, status, problem) => {
    const response = tokensOf(read(body, status))
    expect(response.refreshToken?.reveal()).toBe(GOOD.refresh_token)
    expect(response.accessToken?.reveal()).toBe(GOOD.access_token)
    expect(String(response.problem)).toMatch(problem)
  })

  test('from what had arrived when the connection broke', () => {
    const error = new CodedError('network_error', say`It broke.`, { nextStep: say`.` })
    const partialBody = Buffer.from(JSON.stringify(GOOD).slice(0, -20))
    const cut: HttpAnswer = { kind: 'failure', sent: true, partialBody, error }
    expect(tokensOf(processTokenAnswer(cut, CONTEXT, SENT)).refreshToken?.reveal()).toBe(GOOD.refresh_token)
    const unsent: HttpAnswer = { ...cut, sent: false }
    expect(processTokenAnswer(unsent, CONTEXT, SENT)).toEqual({ kind: 'unsent', error })
    const nothing: HttpAnswer = { ...cut, partialBody: Buffer.alloc(0) }
    expect(processTokenAnswer(nothing, CONTEXT, SENT)).toEqual({ kind: 'ambiguous', error, status: null })
  })

  test('of any length that one may have', () => {
    const refresh_token = 'r'.repeat(16_384)
    expect(tokensOf(read({ ...GOOD, refresh_token })).refreshToken?.reveal()).toBe(refresh_token)
  })

  test('at every length of the answer that holds it whole, and at no other', () => {
    const body = JSON.stringify(GOOD)
    const end = body.indexOf(GOOD.refresh_token) + GOOD.refresh_token.length + 1
    for (let length = 0; length < body.length; length += 1) {
      const result = read(body.slice(0, length))
      expect([length, result.kind]).toEqual([length, length >= end ? 'tokens' : 'ambiguous'])
    }
  })
})

describe('no new refresh token is', () => {
  test.each<[string, unknown]>([
    ['the one that was sent', SENT.reveal()],
    ['an empty one', ''],
    ['a number', 7],
    ['nothing', null],
    ['one that is too long to be one', 'r'.repeat(16_385)],
  ])('%s', (_what, token) => {
    const response = tokensOf(read({ ...GOOD, refresh_token: token }))
    expect(response.refreshToken).toBeNull()
    expect(response.accessToken?.reveal()).toBe(GOOD.access_token)
  })

  test('an echo of our request, in whatever answer', () => {
    const echo = {
      grant_type: 'refresh_token',
      refresh_token: SENT.reveal(),
      client_secret: 'app-secret-4711',
    }
    for (const status of [200, 201, 400, 500]) {
      for (const body of [echo, { request: echo }, JSON.stringify(echo).slice(0, -1)]) {
        const result = read(body, status)
        expect(result.kind).not.toBe('tokens')
      }
    }
  })

  test('one in an error: nothing was issued', () => {
    const stray = { ...GOOD, code: 20002, error: 'invalid_client' }
    expect(read(stray, 400)).toMatchObject({ kind: 'error', error: { code: 'invalid_client' } })
    expect(read({ ...GOOD, access_token: undefined }, 199).kind).toBe('ambiguous')
    expect(read(GOOD, 300)).toMatchObject({ kind: 'error', verdict: 'keep' })
    expect(read(GOOD, 307)).toMatchObject({ kind: 'error', verdict: 'keep' })
  })
})

test.each<[unknown, number | null]>([
  [6871, 6_871_000],
  ['6871', 6_871_000],
  [0.5, 500],
  [86_401, 86_400_000],
  [1e12, 86_400_000],
  [0, null],
  [-1, null],
  ['', null],
  ['7200s', null],
  ['1e3', null],
  [null, null],
  [true, null],
  [[7200], null],
])('expires_in %j is a life of %j ms', (seconds, ms) => {
  expect(tokensOf(read({ ...GOOD, expires_in: seconds })).accessTokenLifetimeMs).toBe(ms)
})

test.each<[unknown, string[] | null]>([
  ['a:b c:d', ['a:b', 'c:d']],
  ['a:b,c:d a:b', ['a:b', 'c:d']],
  ['a:b <script> \u202e', ['a:b']],
  ['a:b <c:d e:f>', ['a:b']],
  [`a:b ${'c'.repeat(129)}`, ['a:b']],
  [['a:b'], null],
  [undefined, null],
])('the scope %j is %j', (scope, scopes) => {
  expect(tokensOf(read({ ...GOOD, scope })).scopes).toEqual(scopes)
})

test('of a scope that is too long the beginning is read', () => {
  const scope = `a:b${' '.repeat(65_536)}c:d`
  expect(tokensOf(read({ ...GOOD, scope })).scopes).toEqual(['a:b'])
})

describe('the token set that follows', () => {
  const before = makeTokenSet({ user: { openId: 'ou_1', name: null }, authorizationId: 'a1' })
  const now = ISSUED_AT + 7_000_000
  const next = (changes: object, headers: Record<string, string> = {}) =>
    nextTokenSet(tokensOf(read({ ...GOOD, ...changes }, 200, headers)), before, now)

  test('has the new tokens and times, and what was known before', () => {
    const tokenSet = next({})
    expect(tokenSet.accessToken?.reveal()).toBe(GOOD.access_token)
    expect(tokenSet.refreshToken?.reveal()).toBe(GOOD.refresh_token)
    expect(tokenSet).toMatchObject({
      accessTokenExpiresAt: now + 6_871_000,
      accessTokenLifetimeMs: 6_871_000,
      refreshTokenExpiresAt: now + 600_011_000,
      scopes: ['docx:document', 'offline_access'],
      user: before.user,
      authorizedAt: ISSUED_AT,
      authorizationId: 'a1',
      issuedAt: now,
      lifetimeAssumed: false,
      clockSkewMs: null,
    })
  })

  test('keeps the old refresh token as doubtful when no new one came', () => {
    const tokenSet = next({ refresh_token: undefined })
    expect(tokenSet.refreshToken?.reveal()).toBe('refresh-token-1')
    expect(tokenSet).toMatchObject({
      refreshTokenDoubtful: true,
      refreshTokenExpiresAt: before.refreshTokenExpiresAt,
    })
  })

  test('has no doubt about a refresh token that never was', () => {
    const response = tokensOf(read({ ...GOOD, refresh_token: undefined }))
    expect(nextTokenSet(response, { ...before, refreshToken: null }, now).refreshTokenDoubtful).toBe(false)
  })

  test('ends doubt and refusal with a new refresh token', () => {
    const refusal = {
      reason: 'lost',
      at: 1,
      code: 'refresh_uncertain',
      feishuCode: null,
      logId: null,
      lostAt: 1,
    } as const
    const response = tokensOf(read(GOOD))
    expect(nextTokenSet(response, { ...before, refreshTokenDoubtful: true, refusal }, now)).toMatchObject({
      refreshTokenDoubtful: false,
      refusal: null,
    })
  })

  test('keeps the old access token and its end when no usable one came', () => {
    const tokenSet = next({ access_token: 7, expires_in: 99 })
    expect(tokenSet.accessToken?.reveal()).toBe('access-token-1')
    expect(tokenSet.accessTokenExpiresAt).toBe(before.accessTokenExpiresAt)
  })

  test('assumes two hours when the answer does not say, and notes it', () => {
    expect(next({ expires_in: 'soon' })).toMatchObject({
      accessTokenExpiresAt: now + 7_200_000,
      lifetimeAssumed: true,
    })
  })

  test('does not know the end of a refresh token that was not said', () => {
    expect(next({ refresh_token_expires_in: undefined }).refreshTokenExpiresAt).toBeNull()
  })

  test('keeps the scopes when the answer does not name them', () => {
    expect(next({ scope: undefined }).scopes).toEqual(before.scopes)
  })

  test('notes how far the server’s clock is off', () => {
    expect(next({}, { date: new Date(now - 3_600_000).toUTCString() }).clockSkewMs).toBe(-3_600_000)
  })

  test('keeps what a newer version of this program added', () => {
    const extended = { ...before, addedLater: 7 }
    expect(nextTokenSet(tokensOf(read(GOOD)), extended, now)).toMatchObject({ addedLater: 7 })
  })
})
