// What is asked and told while a lease is taken: the lock of this machine, then the row.

import { mkdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { HeldLock, LockHolder } from '../../../src/store/lock.ts'
import type { LeasedProfile } from '../../../src/store/postgres/leased-profile.ts'
import { acquireLease, type LeaseRequest } from '../../../src/store/postgres/machine-lease.ts'
import type { Row } from '../../../src/store/postgres/rows.ts'
import { failureOf } from '../../support/failure.ts'
import { ISSUED_AT } from '../../support/token-set.ts'
import { ID } from '../fixture.ts'
import { makeLocalPlace } from './fixture.ts'

const ROW: Row = { generation: 0, record: null, journal: null, pending: null, key_id: '' }
const HOLDER: LockHolder = { kind: 'holder', pid: 7, host: 'other', since: ISSUED_AT, note: {} }

/** What happened, in order. */
let events: unknown[]
let answers: (Row | null | Error)[]
let holderText: string | null
beforeEach(() => {
  events = []
  answers = [ROW]
  holderText = null
})

/** A lock under which the last holder left that. */
function heldLock(note: LockHolder['note'] | null): HeldLock {
  return {
    kind: 'held',
    left: note && { ...HOLDER, note },
    describe: (said) => events.push(['describe', said]),
    release: () => events.push('release'),
  }
}

function acquire(
  lock: HeldLock | LockHolder | null = heldLock(null),
  deadlineMs = 0,
): Promise<LeasedProfile> {
  const { local } = makeLocalPlace()
  mkdirSync(local.files.sealed.folder)
  const rows = {
    async takeLease(_id, owner, before, holder) {
      events.push(['take', owner, before, JSON.parse(holder)])
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      if (answer instanceof Error) throw answer
      return answer ?? null
    },
    leaseHolder: async () => holderText,
  } as Partial<LeaseRequest['rows']> as LeaseRequest['rows']
  return acquireLease(ID, {
    rows,
    local,
    now: () => ISSUED_AT,
    lock: async () => lock,
    deadlineMs,
    keepTrying: () => undefined,
  })
}

test.each([
  [null, 'another process'],
  [HOLDER, 'process 7 on other'],
])('nobody asks the database while a process here has the lock', async (lock, who) => {
  const error = await failureOf(() => acquire(lock))
  expect(error).toMatchObject({ code: 'store_locked', message: `The token set is in use by ${who}.` })
  expect(events).toEqual([])
})

test.each([
  [null, []],
  [{}, []],
  [{ leases: ['a', 7, 'b'] }, ['a', 'b']],
  [{ leases: ['a', 'b', 'c', 'd', 'e'] }, ['a', 'b', 'c', 'd', 'e']],
])('the leases that were left here are noted until they are taken over: %o', async (note, left) => {
  await acquire(heldLock(note))
  const owner = expect.stringMatching(/^[0-9a-f-]{36}$/)
  const asked = { pid: process.pid, host: hostname(), since: ISSUED_AT }
  expect(events).toEqual([
    ['describe', { leases: [owner, ...left.slice(0, 3)] }],
    ['take', owner, left, asked],
    ['describe', { leases: [owner] }],
  ])
})

test.each([
  [null, 'another process'],
  ['garbage', 'another process'],
  [JSON.stringify({ pid: 8, host: 'far', since: 0 }), 'process 8 on far'],
])('a lease that another machine has is asked for once where there is no time: %s', async (text, who) => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  answers = [null]
  holderText = text
  const error = await failureOf(() => acquire())
  expect(error).toMatchObject({ code: 'store_locked', message: `The token set is in use by ${who}.` })
  expect(events.map((event) => (Array.isArray(event) ? event[0] : event))).toEqual([
    'describe',
    'take',
    'release',
  ])
})

test('a lease is asked for until it is free, or the time is over', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  answers = [null, null, ROW]
  const asked = () => events.filter((event) => Array.isArray(event) && event[0] === 'take').length
  const acquired = acquire(heldLock(null), 5_000)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(asked()).toBe(3)
  await acquired
  answers = [null]
  const failure = failureOf(() => acquire(heldLock(null), 5_000))
  await vi.advanceTimersByTimeAsync(6_000)
  expect((await failure).code).toBe('store_locked')
  expect(asked()).toBeGreaterThan(3 + 30)
})

test('what goes wrong gives back what is held', async () => {
  answers = [new Error('away')]
  await expect(acquire()).rejects.toThrow('away')
  expect(events.at(-1)).toBe('release')
})
