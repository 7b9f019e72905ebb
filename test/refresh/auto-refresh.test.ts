import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextStep } from '../../src/oauth/token-set.ts'
import { dueInMs } from '../../src/refresh/auto-refresh.ts'
import { makeTokenSet } from '../support/token-set.ts'

const MARGIN = 300_000

describe('auto-refresh renews', () => {
  const record = { generation: 1, tokenSet: makeTokenSet() }

  test('at the margin before the end', () => {
    expect(dueInMs(record, 7_013_000, MARGIN)).toBe(6_713_000)
    expect(dueInMs(record, MARGIN, MARGIN)).toBe(0)
    expect(dueInMs(record, 0, MARGIN)).toBe(0)
    expect(dueInMs(record, 5_000, 0)).toBe(5_000)
  })

  test('at half of its life a token whose whole life lies inside the margin', () => {
    const short = { generation: 1, tokenSet: makeTokenSet({ accessTokenLifetimeMs: 120_000 }) }
    expect(dueInMs(short, 120_000, MARGIN)).toBe(60_000)
    expect(dueInMs(short, 60_000, MARGIN)).toBe(0)
    const equal = { generation: 1, tokenSet: makeTokenSet({ accessTokenLifetimeMs: MARGIN }) }
    expect(dueInMs(equal, MARGIN, MARGIN)).toBe(MARGIN / 2)
  })

  test('nothing that Feishu refused, nothing without refresh token, and nothing at all', () => {
    const refusal = {
      reason: 'lost',
      at: 1,
      code: 'refresh_uncertain',
      feishuCode: null,
      logId: null,
      lostAt: 1,
    } as const
    expect(dueInMs({ generation: 1, tokenSet: makeTokenSet({ refusal }) }, 0, MARGIN)).toBeNull()
    expect(dueInMs({ generation: 1, tokenSet: makeTokenSet({ refreshToken: null }) }, 0, MARGIN)).toBeNull()
    expect(dueInMs({ generation: 1, tokenSet: null }, 0, MARGIN)).toBeNull()
  })

  test('only what the lifecycle calls due, so that no wake-up is for nothing', () => {
    fc.assert(
      fc.property(fc.nat(7_013_000), fc.nat(3_600_000), (remainingMs, marginMs) => {
        const dueMs = dueInMs(record, remainingMs, marginMs) ?? -1
        expect(dueMs === 0).toBe(nextStep(record.tokenSet, remainingMs, marginMs) === 'refresh')
        expect(dueMs).toBeLessThanOrEqual(remainingMs)
      }),
    )
  })
})
