import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AuthError } from '../../src/errors.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import {
  type AnswerContext,
  authorizationCodeGrantRequest,
  type HttpAnswer,
  nextTokenSet,
  processTokenAnswer,
  refreshTokenGrantRequest,
  type TokenAnswer,
  type TokenResponse,
} from '../../src/oauth/token-endpoint.ts'
import { Secret } from '../../src/secret.ts'
import { ISSUED_AT, makeTokenSet } from '../support/token-set.ts'

const SENT = new Secret('refresh-token-that-was-sent')
const CONTEXT: AnswerContext = {
  endpoints: endpointsOf('feishu', { accountsUrl: null, openUrl: null }),
  appId: 'cli_a1',
  scopes: ['docx:document'],
  now: ISSUED_AT,
  secrets: [SENT, new Secret('app-secret-4711')],
}
const GOOD = {
  code: 0,
  access_token: 'eyJ.access.token',
  expires_in: 6871,
  refresh_token: 'eyJ.fresh.token',
  refresh_token_expires_in: 600_011,
  scope: 'docx:document offline_access',
  token_type: 'Bearer',
}

function answerOf(body: unknown, status = 200, headers: Record<string, string> = {}): HttpAnswer {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return { kind: 'answer', status, headers, body: bytes }
}

function read(body: unknown, status = 200, headers: Record<string, string> = {}): TokenAnswer {
  return processTokenAnswer(answerOf(body, status, headers), CONTEXT, SENT)
}

function tokensOf(result: TokenAnswer): TokenResponse {
  if (result.kind === 'tokens') return result.response
  throw new Error(`no tokens: ${result.kind} ${result.error.message}`)
}

describe('a request', () => {
  const client = { appId: 'cli_a1', appSecret: new Secret('s & t') }
  const options = { deadlineMs: 1, account: { key: 'k', forced: false } }

  test('of the code grant bears what RFC 6749 §4.1.3 and RFC 7636 §4.5 name', () => {
    const grant = {
      code: new Secret('c1'),
      redirectUri: 'http://localhost:9000/',
      codeVerifier: new Secret('v1'),
    }
    const request = authorizationCodeGrantRequest('https://open.feishu.cn/token', client, grant, options)
    expect(request).toMatchObject({ method: 'POST', url: 'https://open.feishu.cn/token' })
    expect(Object.fromEntries(new URLSearchParams(request.body ?? ''))).toEqual({
      grant_type: 'authorization_code',
      code: 'c1',
      redirect_uri: 'http://localhost:9000/',
      code_verifier: 'v1',
      client_id: 'cli_a1',
      client_secret: 's & t',
    })
  })

  test('of the refresh grant asks for no scope, which would only narrow the token', () => {
    const request = refreshTokenGrantRequest('https://open.feishu.cn/token', client, SENT, options)
    expect(Object.fromEntries(new URLSearchParams(request.body ?? ''))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: SENT.reveal(),
      client_id: 'cli_a1',
      client_secret: 's & t',
    })
    expect(JSON.stringify([request.url, request.headers])).not.toContain('secret')
  })
})

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
    expect(response.problem).toMatch(problem)
  })

  test.each<[string, unknown, number, RegExp]>([
    ['after a byte order mark', `\uFEFF${JSON.stringify(GOOD)}`, 200, /byte order mark/],
    ['with HTTP 500', GOOD, 500, /HTTP 500/],
    ['with HTTP 400', GOOD, 400, /HTTP 400/],
  ])('%s, and the access token too', (_what, body, status, problem) => {
    const response = tokensOf(read(body, status))
    expect(response.refreshToken?.reveal()).toBe(GOOD.refresh_token)
    expect(response.accessToken?.reveal()).toBe(GOOD.access_token)
    expect(response.problem).toMatch(problem)
  })

  test('from what had arrived when the connection broke', () => {
    const error = new AuthError('network_error', 'It broke.', { nextStep: '.' })
    const partialBody = Buffer.from(JSON.stringify(GOOD).slice(0, -20))
    const cut: HttpAnswer = { kind: 'failure', sent: true, partialBody, error }
    expect(tokensOf(processTokenAnswer(cut, CONTEXT, SENT)).refreshToken?.reveal()).toBe(GOOD.refresh_token)
    const unsent: HttpAnswer = { ...cut, sent: false }
    expect(processTokenAnswer(unsent, CONTEXT, SENT)).toEqual({ kind: 'unsent', error })
    const nothing: HttpAnswer = { ...cut, partialBody: Buffer.alloc(0) }
    expect(processTokenAnswer(nothing, CONTEXT, SENT)).toEqual({ kind: 'ambiguous', error })
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
  [['a:b'], null],
  [undefined, null],
])('the scope %j is %j', (scope, scopes) => {
  expect(tokensOf(read({ ...GOOD, scope })).scopes).toEqual(scopes)
})

describe('whatever is answered', () => {
  const member = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>(
      GOOD.access_token,
      GOOD.refresh_token,
      SENT.reveal(),
      0,
      '0',
      20064,
      20050,
      'Bearer',
    ),
  )
  const object = fc.dictionary(
    fc.constantFrom(...Object.keys(GOOD), 'error', 'error_description', 'data'),
    member,
  )
  const body = fc.oneof(
    object.map((json) => Buffer.from(JSON.stringify(json))),
    object.chain((json) => {
      const text = JSON.stringify(json)
      return fc.nat(text.length).map((length) => Buffer.from(text.slice(0, length)))
    }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  )
  const status = fc.constantFrom(200, 201, 204, 301, 400, 401, 403, 404, 429, 500, 502, 503)

  test('it is judged, without a crash and without a secret in any text', () => {
    fc.assert(
      fc.property(body, status, (bytes, code) => {
        const result = read(bytes, code, { 'retry-after': '5' })
        if (result.kind === 'tokens') {
          const { accessToken, refreshToken, problem } = result.response
          expect(accessToken !== null || refreshToken !== null).toBe(true)
          expect(refreshToken?.reveal()).not.toBe(SENT.reveal())
          if (refreshToken === null) expect(problem).toBeNull()
        } else {
          expect(`${result.error.message} ${result.error.nextStep}`).not.toMatch(/that-was-sent|app-secret/)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('a megabyte of it takes no long time', () => {
    const startedAt = performance.now()
    for (const unit of ['"refresh_token":', '"refresh_token":"a', '{"a":', '[', ' ', '"refresh_token"  ']) {
      read(unit.repeat((1 << 20) / unit.length))
    }
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })
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
