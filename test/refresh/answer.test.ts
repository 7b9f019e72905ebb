import { describe, expect, test } from 'vitest'
import type { Delivery } from '../../src/delivery/deliver.ts'
import type { Deps, RefreshResult } from '../../src/deps.ts'
import { refreshAnswer } from '../../src/refresh/answer.ts'
import { say } from '../../src/sentence.ts'
import { makeDeps } from '../support/deps.ts'
import { ISSUED_AT, makeTokenSet } from '../support/token-set.ts'

function resultOf(changes: Partial<RefreshResult> = {}): RefreshResult {
  const record = { generation: 4, tokenSet: makeTokenSet() }
  return { status: 'refreshed', record, remainingMs: 7_012_999, persisted: true, deliveries: [], ...changes }
}

function delivery(changes: Partial<Delivery> = {}): Delivery {
  const restart = { restart_required: true, restart_hint: say`Restart it.` }
  return { target: 't', status: 'delivered', detail: say`.`, ...restart, ...changes }
}

async function depsAt(now: number): Promise<Deps> {
  const { deps } = await makeDeps()
  return { ...deps, command: 'x', clock: { ...deps.clock, now: () => now } }
}

test('an answer tells both ends, in times and in whole seconds', async () => {
  const deps = await depsAt(ISSUED_AT + 1)
  const answer = refreshAnswer(deps, 'work', resultOf())
  expect({ ...answer, next_step: String(answer.next_step) }).toEqual({
    next_step: 'Nothing is needed.',
    status: 'refreshed',
    profile: 'work',
    access_token_expires_at: '2026-01-01T01:56:53Z',
    access_token_expires_in: 7_012,
    refresh_token_expires_at: '2026-01-07T22:40:11Z',
    refresh_token_expires_in: 600_010,
    generation: 4,
    persisted: true,
    deliveries: [],
  })
})

test.each([
  ['without a refresh token', makeTokenSet({ refreshToken: null })],
  ['whose end Feishu did not say', makeTokenSet({ refreshTokenExpiresAt: null })],
  ['without tokens', null],
])('an answer %s tells no end of it', async (_what, tokenSet) => {
  const deps = await depsAt(ISSUED_AT)
  const answer = refreshAnswer(deps, 'work', resultOf({ record: { generation: 1, tokenSet } }))
  expect([answer.refresh_token_expires_at, answer.refresh_token_expires_in]).toEqual([null, null])
  expect(answer.access_token_expires_at === null).toBe(tokenSet === null)
})

describe('the next step', () => {
  const NOTHING = 'Nothing is needed.'
  const COPIES = 'Some copies were not written: fix what deliveries says about them, then run `x deliver`.'

  test.each<[string, Delivery[], string]>([
    ['all copies are as they were', [delivery({ status: 'unchanged' })], NOTHING],
    ['a program is to be restarted', [delivery({ status: 'unchanged' }), delivery()], 'Restart it.'],
    ['a program reads by itself', [delivery({ restart_required: false })], NOTHING],
    ['a program has no words for it', [delivery({ restart_hint: null })], NOTHING],
    ['a copy failed', [delivery(), delivery({ status: 'failed' })], COPIES],
    ['a copy was refused', [delivery({ status: 'refused' })], COPIES],
    ['a copy drifted', [delivery({ status: 'drift' })], COPIES],
  ])('where %s', async (_what, deliveries, said) => {
    const deps = await depsAt(ISSUED_AT)
    expect(String(refreshAnswer(deps, 'work', resultOf({ deliveries })).next_step)).toBe(said)
  })

  test('where the token is in memory alone says so before all else', async () => {
    const deps = await depsAt(ISSUED_AT)
    const result = resultOf({ persisted: false, deliveries: [delivery()] })
    expect(String(refreshAnswer(deps, 'work', result).next_step)).toBe(
      `Free some disk space or fix the permissions of ${deps.config.tokenDir}: the new token is in memory only, and lost if this process ends; it is tried again every second.`,
    )
  })
})
