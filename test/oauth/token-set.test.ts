import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  accessTokenEndsAt,
  accessTokenRemainingMs,
  canRefresh,
  decodeRecord,
  encodeRecord,
  grantEndsAt,
  missingScopes,
  nextStep,
  type Refusal,
  reauthorizeBy,
  type TokenRecord,
  withheld,
} from '../../src/oauth/token-set.ts'
import { Secret } from '../../src/secret.ts'
import { ISSUED_AT, makeTokenSet } from '../support/token-set.ts'

const DAY = 86_400_000
const MARGIN = 300_000
const REFUSAL: Refusal = {
  reason: 'refused',
  at: ISSUED_AT,
  code: 'invalid_grant',
  feishuCode: 20064,
  logId: 'l1',
  lostAt: null,
}

describe('the next step', () => {
  const whole = makeTokenSet()
  const refused = makeTokenSet({ refusal: REFUSAL })
  const unrefreshable = makeTokenSet({ refreshToken: null })
  test.each([
    ['without a token set', null, 9_999_999, 'authorize'],
    ['with life beyond the margin', whole, MARGIN + 1, 'use'],
    ['at the margin', whole, MARGIN, 'refresh'],
    ['after the end', whole, 0, 'refresh'],
    ['refused, beyond the margin', refused, MARGIN + 1, 'use'],
    ['refused, inside the margin', refused, MARGIN, 'authorize'],
    ['without refresh token, inside the margin', unrefreshable, 1, 'use'],
    ['without refresh token, after the end', unrefreshable, 0, 'authorize'],
    ['doubtful, inside the margin', makeTokenSet({ refreshTokenDoubtful: true }), MARGIN, 'refresh'],
    ['past the known end of the refresh token', makeTokenSet({ refreshTokenExpiresAt: 1 }), 0, 'refresh'],
  ] as const)('%s is right', (_what, tokenSet, remainingMs, step) => {
    expect(nextStep(tokenSet, remainingMs, MARGIN)).toBe(step)
  })

  test('never asks for a refresh that cannot be, nor for a person while there is one that can', () => {
    const tokenSet = fc.record({
      refreshToken: fc.constantFrom(null, new Secret('r')),
      refusal: fc.constantFrom(null, REFUSAL),
    })
    fc.assert(
      fc.property(tokenSet, fc.nat(), fc.nat(3_600_000), (changes, remainingMs, marginMs) => {
        const step = nextStep(makeTokenSet(changes), remainingMs, marginMs)
        const refreshable = canRefresh(makeTokenSet(changes))
        if (step === 'refresh') expect(refreshable).toBe(true)
        if (step === 'authorize') expect(refreshable).toBe(false)
        if (step === 'use') expect(remainingMs).toBeGreaterThan(0)
      }),
    )
  })
})

describe('the remaining life of an access token', () => {
  const tokenSet = makeTokenSet()

  test('is counted to its end and never below nothing', () => {
    expect(accessTokenRemainingMs(tokenSet, ISSUED_AT)).toBe(7_013_000)
    expect(accessTokenRemainingMs(tokenSet, ISSUED_AT + 7_013_000)).toBe(0)
    expect(accessTokenRemainingMs(tokenSet, ISSUED_AT + 400 * DAY)).toBe(0)
  })

  test('is nothing when the clock stands before the issue: it cannot be true', () => {
    expect(accessTokenRemainingMs(tokenSet, ISSUED_AT - 60_000)).toBe(7_073_000)
    expect(accessTokenRemainingMs(tokenSet, ISSUED_AT - 60_001)).toBe(0)
    expect(accessTokenRemainingMs(tokenSet, ISSUED_AT - 400 * DAY)).toBe(0)
  })

  test('is nothing without one', () => {
    expect(accessTokenRemainingMs(makeTokenSet({ accessToken: null }), ISSUED_AT)).toBe(0)
  })
})

test.each([
  [{}, ISSUED_AT + 7_013_000],
  [{ accessTokenExpiresAt: 1 }, 1],
  [{ accessTokenExpiresAt: 0 }, null],
  [{ accessToken: null }, null],
])('the end of an access token with %j is %j', (changes, at) => {
  expect(accessTokenEndsAt(makeTokenSet(changes))).toBe(at)
})

test.each([
  ['the end of the refresh token', {}, ISSUED_AT + 600_011_000],
  [
    '365 days, if the refresh token lives on',
    { refreshTokenExpiresAt: ISSUED_AT + 400 * DAY },
    ISSUED_AT + 365 * DAY,
  ],
  ['365 days, if its end is unknown', { refreshTokenExpiresAt: null }, ISSUED_AT + 365 * DAY],
  ['the end of the access token, if it cannot be renewed', { refreshToken: null }, ISSUED_AT + 7_013_000],
  ['the end of the access token, if Feishu refused', { refusal: REFUSAL }, ISSUED_AT + 7_013_000],
])('a person must come back by %s', (_what, changes, at) => {
  expect(reauthorizeBy(makeTokenSet(changes))).toBe(at)
})

test('nobody knows when a person must come back where neither begin nor end is known', () => {
  const tokenSet = makeTokenSet({ authorizedAt: 0, refreshTokenExpiresAt: null })
  expect([grantEndsAt(tokenSet), reauthorizeBy(tokenSet)]).toEqual([null, null])
})

test.each([
  ['refresh_uncertain', { reason: 'outdated' }],
  ['not_authorized', { reason: 'logout' }],
  ['not_authorized', { reason: 'leaving', way: { renamedTo: 'home', arrivesAs: 1 } }],
] as const)('a token set that is withheld (%s: %o) keeps all else', (code, why) => {
  const tokenSet = makeTokenSet()
  const refusal = { ...why, at: 7, code, feishuCode: null, logId: null, lostAt: null }
  const held = withheld(tokenSet, { ...why, at: 7 })
  expect(held).toStrictEqual({ ...tokenSet, refusal })
  expect(canRefresh(held)).toBe(false)
})

test('scopes that were requested and not granted are missing', () => {
  const tokenSet = makeTokenSet({ requestedScopes: ['a:b', 'c:d', 'offline_access'], scopes: ['c:d', 'e:f'] })
  expect(missingScopes(tokenSet)).toEqual(['a:b', 'offline_access'])
})

describe('a record', () => {
  /** What lies on disk: plain JSON. */
  const stored = (record: TokenRecord) => JSON.parse(JSON.stringify(encodeRecord(record)))

  test('is read back as it was written', () => {
    const text = fc.option(fc.string({ minLength: 1 }))
    const instant = fc.option(fc.nat({ max: 2 ** 45 }))
    const arbitrary = fc.record({
      accessToken: text,
      refreshToken: text,
      refreshTokenExpiresAt: instant,
      refreshTokenDoubtful: fc.boolean(),
      refusal: fc.constantFrom(null, REFUSAL),
      scopes: fc.array(fc.string()),
      user: fc.option(fc.record({ openId: fc.string(), name: fc.option(fc.string()) })),
      refreshedAt: instant,
      endpoint: fc.constantFrom('v2' as const, 'v3' as const),
      clockSkewMs: fc.option(fc.integer()),
    })
    fc.assert(
      fc.property(arbitrary, fc.nat(), (changes, generation) => {
        const secretOf = (value: string | null) => (value === null ? null : new Secret(value))
        const tokenSet = makeTokenSet({
          ...changes,
          accessToken: secretOf(changes.accessToken),
          refreshToken: secretOf(changes.refreshToken),
        })
        const read = decodeRecord(stored({ generation, tokenSet }))
        expect(read).toEqual({ generation, tokenSet })
        expect(read?.tokenSet?.accessToken?.reveal() ?? null).toBe(changes.accessToken)
        expect(read?.tokenSet?.refreshToken?.reveal() ?? null).toBe(changes.refreshToken)
      }),
    )
  })

  test('without tokens keeps its generation', () => {
    expect(decodeRecord(stored({ generation: 9, tokenSet: null }))).toEqual({ generation: 9, tokenSet: null })
  })

  test('keeps what a newer version added', () => {
    const record = { generation: 1, tokenSet: { ...makeTokenSet(), addedLater: { deep: [1] } } }
    expect(stored(decodeRecord(stored(record)) as TokenRecord)).toEqual(stored(record))
  })

  test.each([{}, { generation: 'x', token_set: null }, { generation: 1 }, { generation: 1, token_set: [] }])(
    '%j is none',
    (json) => {
      expect(decodeRecord(json)).toBeNull()
    },
  )

  test('whose fields are of other kinds is read as one that lacks them', () => {
    const odd = {
      accessToken: 7,
      refreshToken: '',
      accessTokenExpiresAt: '1',
      accessTokenLifetimeMs: Number.POSITIVE_INFINITY,
      scopes: ['a', 7, null],
      requestedScopes: 'a b',
      user: { openId: 'ou_1', name: 7 },
      lifetimeAssumed: true,
      forcedAt: [1, 'x', null],
    }
    expect(decodeRecord({ generation: 1, token_set: odd })?.tokenSet).toMatchObject({
      accessToken: null,
      refreshToken: null,
      accessTokenExpiresAt: 0,
      accessTokenLifetimeMs: 0,
      scopes: ['a'],
      requestedScopes: [],
      user: { openId: 'ou_1', name: null },
      lifetimeAssumed: true,
      forcedAt: [1],
    })
    const empty = decodeRecord({ generation: 1, token_set: {} })?.tokenSet
    expect(empty).toMatchObject({ lifetimeAssumed: false, user: null })
    expect(empty).not.toHaveProperty('forcedAt')
  })

  test('of any JSON is read or none, never half of one', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('generation', 'token_set'), fc.jsonValue()), (json) => {
        const record = decodeRecord(json)
        if (record?.tokenSet) expect(Number.isFinite(record.tokenSet.accessTokenExpiresAt)).toBe(true)
      }),
    )
  })
})
