import { expect, test, vi } from 'vitest'
import { type Clock, createClock } from '../../src/machine/clock.ts'
import type { TokenRecord } from '../../src/oauth/token-set.ts'
import { holdTimers } from '../support/timers.ts'
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
  holdTimers()
  let awake = 0
  const wake = () => {
    awake += 1
  }
  void clock.sleep(1_000).then(wake)
  const stop = new AbortController()
  void clock.sleep(2_000, stop.signal).then(wake)
  await vi.advanceTimersByTimeAsync(999)
  expect(awake).toBe(0)
  await vi.advanceTimersByTimeAsync(1)
  expect(awake).toBe(1)
  stop.abort()
  await clock.sleep(2_000, stop.signal).then(wake)
  expect([awake, vi.getTimerCount()]).toEqual([3, 0])
})
