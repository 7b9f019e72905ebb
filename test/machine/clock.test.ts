import { expect, test } from 'vitest'
import { type Clock, createClock } from '../../src/machine/clock.ts'
import type { TokenRecord } from '../../src/oauth/token-set.ts'
import { ISSUED_AT, makeTokenSet } from '../support/token-set.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const LIFETIME = 7_013_000

/** A clock whose two hands a test moves. */
function makeClock(): { clock: Clock; pass: (ms: number) => void; jump: (ms: number) => void } {
  let wall = ISSUED_AT
  let monotonic = 500
  return {
    clock: createClock(
      () => wall,
      () => monotonic,
    ),
    pass(ms) {
      wall += ms
      monotonic += ms
    },
    jump(ms) {
      wall += ms
    },
  }
}

const record: TokenRecord = { generation: 1, tokenSet: makeTokenSet() }

test('a token lives as long as both clocks say', () => {
  const { clock, pass } = makeClock()
  expect(clock.remainingMs(record, 'a')).toBe(LIFETIME)
  pass(HOUR)
  expect(clock.remainingMs(record, 'a')).toBe(LIFETIME - HOUR)
  pass(HOUR)
  expect(clock.remainingMs(record, 'a')).toBe(0)
})

test('a wall clock that is set back makes no token live longer', () => {
  const { clock, pass, jump } = makeClock()
  clock.remainingMs(record, 'a')
  pass(HOUR)
  jump(-HOUR / 2)
  expect(clock.remainingMs(record, 'a')).toBe(LIFETIME - HOUR)
  pass(HOUR)
  expect(clock.remainingMs(record, 'a')).toBe(0)
})

test('a suspend, in which only the wall clock goes on, ages a token', () => {
  const { clock, jump } = makeClock()
  clock.remainingMs(record, 'a')
  jump(HOUR)
  expect(clock.remainingMs(record, 'a')).toBe(LIFETIME - HOUR)
})

test.each([400 * DAY, -400 * DAY])('a jump by %d ms and back leaves the verdict as it was', (ms) => {
  const { clock, jump } = makeClock()
  clock.remainingMs(record, 'a')
  jump(ms)
  expect(clock.remainingMs(record, 'a')).toBe(0)
  jump(-ms)
  expect(clock.remainingMs(record, 'a')).toBe(LIFETIME)
})

test('a new generation starts afresh, and profiles do not share their sight of it', () => {
  const { clock, pass } = makeClock()
  clock.remainingMs(record, 'a')
  pass(HOUR)
  const renewed = {
    generation: 2,
    tokenSet: makeTokenSet({ accessTokenExpiresAt: ISSUED_AT + HOUR + LIFETIME }),
  }
  expect(clock.remainingMs(renewed, 'a')).toBe(LIFETIME)
  const other = { generation: 1, tokenSet: makeTokenSet({ accessTokenExpiresAt: ISSUED_AT + 2 * HOUR }) }
  expect(clock.remainingMs(other, 'b')).toBe(HOUR)
})

test('no token has no life left', () => {
  const { clock } = makeClock()
  expect(clock.remainingMs({ generation: 3, tokenSet: null }, 'a')).toBe(0)
  expect(clock.remainingMs({ generation: 4, tokenSet: makeTokenSet({ accessToken: null }) }, 'a')).toBe(0)
})

test('a sleep ends by its time, or as soon as it is aborted', async () => {
  const { clock } = makeClock()
  await clock.sleep(1)
  await clock.sleep(-1)
  const stop = new AbortController()
  const sleeping = clock.sleep(2 ** 31 - 1, stop.signal)
  stop.abort()
  await sleeping
  await clock.sleep(2 ** 31 - 1, stop.signal)
})
