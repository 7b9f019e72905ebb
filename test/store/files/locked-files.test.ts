import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { LockedProfile, TokenStore } from '../../../src/store/token-store.ts'
import { failureOf } from '../../support/failure.ts'
import { NO_POSIX_FILES, testIf } from '../../support/needs.ts'
import { ISSUED_AT } from '../../support/token-set.ts'
import {
  breakDisk,
  type Disk,
  exposed,
  ID,
  LONG_MS,
  makeDisk,
  makeRecord,
  present,
  refreshTokenOf,
  spent,
  storeUpTo,
} from '../fixture.ts'

const RECORD = 'feishu-cli_a1-default.json'

let disk: Disk
let store: TokenStore
beforeEach(async () => {
  disk = makeDisk()
  store = await storeUpTo(disk, 1)
})

function locked<T>(work: (profile: LockedProfile) => Promise<T>, of = disk): Promise<T> {
  return of.open().withLock(ID, LONG_MS, work)
}

const NEVER = { ambiguous: 0, sentAt: null }

describe('the intent', () => {
  test('is on disk, with room for the next record, before the token may be presented', async () => {
    await locked(async (profile) => {
      await profile.prepare(refreshTokenOf(1))
      expect(disk.names().sort()).toEqual([RECORD, `${RECORD}.intent`, `${RECORD}.next`])
      expect(statSync(`${disk.path}.next`).blocks * 512).toBeGreaterThanOrEqual(32_768)
      expect(await profile.presentations(refreshTokenOf(1))).toEqual(NEVER)
      expect(exposed(disk.directory)).toEqual([])
    })
  })

  test('counts a presentation before its first byte, durably', async () => {
    await locked(async (profile) => {
      await present(profile)
      const counted = { ambiguous: 1, sentAt: ISSUED_AT }
      expect(await profile.presentations(refreshTokenOf(1))).toEqual(counted)
      await locked(
        async (later) => expect(await later.presentations(refreshTokenOf(1))).toEqual(counted),
        disk.crash(),
      )
    })
  })

  test('of a crash before anything was sent counts nothing, and takes no room', async () => {
    disk = await locked(async (profile) => {
      await profile.prepare(refreshTokenOf(1))
      return disk.crash()
    })
    await locked(async (profile) => {
      expect(await profile.presentations(refreshTokenOf(1))).toEqual(NEVER)
      expect(await profile.read()).toEqual(makeRecord(1))
    })
    expect(existsSync(`${disk.path}.next`)).toBe(false)
  })

  test('that is not followed by a commit leaves its count and no reserved room', async () => {
    await locked(async (profile) => {
      await present(profile)
    })
    expect(disk.names().sort()).toEqual([RECORD, `${RECORD}.intent`])
    expect((await store.readJournal(ID))?.ambiguous).toBe(1)
  })

  test('names this process and this token to nobody who has not the key', async () => {
    await locked((profile) => profile.prepare(refreshTokenOf(1)))
    const journal = JSON.parse(readFileSync(`${disk.path}.intent`, 'utf8'))
    expect(journal).toMatchObject({ pid: process.pid, ambiguous: 0, cooldownUntil: null })
    expect(journal.tokenHash).toMatch(/^[0-9a-f]{64}$/)
    const other = makeDisk()
    await storeUpTo(other, 1)
    await locked((profile) => profile.prepare(refreshTokenOf(1)), other)
    expect(JSON.parse(readFileSync(`${other.path}.intent`, 'utf8')).tokenHash).not.toBe(journal.tokenHash)
  })

  test('counts for its own token alone, also under the key that the record is moved to', async () => {
    const intent = `${disk.path}.intent`
    await locked(async (profile) => {
      await present(profile)
      expect(await profile.presentations(refreshTokenOf(2))).toEqual(NEVER)
      const journal = JSON.parse(readFileSync(intent, 'utf8'))
      const moved = { ...journal, tokenHash: 'by another key', movedHash: journal.tokenHash }
      writeFileSync(intent, JSON.stringify(moved))
      expect(await profile.presentations(refreshTokenOf(1))).toEqual({ ambiguous: 1, sentAt: ISSUED_AT })
      expect(await profile.presentations(refreshTokenOf(2))).toEqual(NEVER)
    })
  })

  testIf(NO_POSIX_FILES)('that cannot be written lets nothing be presented', async () => {
    const error = await failureOf(() =>
      locked(async (profile) => {
        rmSync(join(disk.directory, 'store'), { recursive: true })
        await profile.prepare(refreshTokenOf(1))
      }),
    )
    expect(error).toMatchObject({ code: 'store_not_writable', recovery: 'retry' })
    expect(error.message).toContain(`${disk.path}.`)
    expect(error.message).toContain('ENOENT')
  })

  testIf(NO_POSIX_FILES)('that cannot be counted throws before the first byte', async () => {
    await locked(async (profile) => {
      await profile.prepare(refreshTokenOf(1))
      rmSync(join(disk.directory, 'store'), { recursive: true })
      expect((await failureOf(() => profile.markSent())).code).toBe('store_not_writable')
    })
  })
})

describe('an answer that consumed nothing', () => {
  test('takes the count back and leaves nothing', async () => {
    await locked(async (profile) => {
      await present(profile)
      await profile.settle({})
      expect(await profile.presentations(refreshTokenOf(1))).toEqual(NEVER)
    })
    expect(disk.names()).toEqual([RECORD])
  })

  test('after a lost one leaves the count and the time of the lost one', async () => {
    const lostAt = ISSUED_AT - 3_600_000
    await locked(async (profile) => {
      await present(profile)
    })
    const journal = JSON.parse(readFileSync(`${disk.path}.intent`, 'utf8'))
    writeFileSync(`${disk.path}.intent`, JSON.stringify({ ...journal, sentAt: lostAt }), { mode: 0o600 })
    await locked(async (profile) => {
      await present(profile)
      expect(await profile.presentations(refreshTokenOf(1))).toEqual({ ambiguous: 2, sentAt: ISSUED_AT })
      await profile.settle({})
      expect(await profile.presentations(refreshTokenOf(1))).toEqual({ ambiguous: 1, sentAt: lostAt })
    })
  })
})

describe('a refusal by someone who is not Feishu', () => {
  test('consumed nothing, and is remembered', async () => {
    const refused = { ...NEVER, refusedByOthers: true }
    await locked(async (profile) => {
      await present(profile)
      await profile.settle({ refusedByOthers: true })
      expect(await profile.presentations(refreshTokenOf(1))).toEqual(refused)
    })
    await locked(async (profile) => {
      await profile.prepare(refreshTokenOf(1))
      await profile.settle({})
      expect(await profile.presentations(refreshTokenOf(1))).toEqual(refused)
    })
  })
})

test('a pause that Feishu asked for is remembered, although nothing was consumed', async () => {
  await locked(async (profile) => {
    await present(profile)
    await profile.settle({ cooldownUntil: ISSUED_AT + 5_000 })
  })
  expect(await store.readJournal(ID)).toMatchObject({ ...NEVER, cooldownUntil: ISSUED_AT + 5_000 })
})

test('where nothing was begun, nothing is counted, and settling leaves nothing', async () => {
  await locked(async (profile) => {
    profile.markSent()
    await profile.settle({ cooldownUntil: ISSUED_AT })
  })
  expect(disk.names()).toEqual([RECORD])
})

describe('a commit', () => {
  test('by someone else meanwhile stays: it is newer', async () => {
    await storeUpTo(disk, 2)
    const copy = disk.crash()
    await storeUpTo(copy, 3)
    const read = locked(async (profile) => {
      await profile.read()
      writeFileSync(disk.path, readFileSync(copy.path))
      await profile.commit(makeRecord(3), 2)
    })
    expect((await failureOf(() => read)).code).toBe('store_locked')
    expect(readFileSync(disk.path).equals(readFileSync(copy.path))).toBe(true)
  })

  test('begins the journal of the new token with what is known of it', async () => {
    const known = { ambiguous: 1, sentAt: ISSUED_AT - 1 }
    await locked(async (profile) => {
      await profile.commit(makeRecord(2), 1, { ...known, pid: 1, host: 'elsewhere', cooldownUntil: null })
      expect(await profile.presentations(refreshTokenOf(2))).toEqual(known)
    })
    expect(await store.readJournal(ID)).toMatchObject({ ...known, host: 'elsewhere' })
  })

  test('of a record without a token set begins none', async () => {
    const known = { ambiguous: 1, sentAt: ISSUED_AT, pid: 1, host: 'elsewhere', cooldownUntil: null }
    await locked((profile) => profile.commit({ generation: 2, tokenSet: null }, 1, known))
    expect(await store.read(ID)).toEqual({ generation: 2, tokenSet: null })
    expect(disk.names()).toEqual([RECORD])
  })

  testIf(NO_POSIX_FILES)(
    'that no room was reserved for is kept in memory, too, where nothing can be written',
    async () => {
      const own = disk.open()
      await own.withLock(ID, LONG_MS, async (profile) => {
        const mend = breakDisk(disk.directory)
        expect(await profile.commit(makeRecord(2), 1)).toBe(false)
        mend()
      })
      expect(own.isUnsaved(ID)).toBe(true)
      await own.flush()
      expect(await store.read(ID)).toEqual(makeRecord(2))
    },
  )

  test('puts the next record in place, and the intent ends with it', async () => {
    await locked(async (profile) => {
      await present(profile)
      expect(await profile.commit(makeRecord(2), 1)).toBe(true)
    })
    expect(disk.names()).toEqual([RECORD])
    expect(await store.read(ID)).toEqual(makeRecord(2))
    expect(exposed(disk.directory)).toEqual([])
  })

  test('on what became unreadable meanwhile keeps that aside: the new token was paid for', async () => {
    await locked(async (profile) => {
      await profile.prepare(refreshTokenOf(1))
      writeFileSync(disk.path, 'garbage')
      expect(await profile.commit(makeRecord(2), 1)).toBe(true)
    })
    expect(await store.read(ID)).toEqual(makeRecord(2))
    const aside = disk.names().find((name) => name.includes('.corrupt-'))
    expect(readFileSync(join(disk.directory, 'store', aside ?? ''), 'utf8')).toBe('garbage')
  })

  test('on a record that was removed or set back meanwhile goes through', async () => {
    const old = readFileSync(disk.path)
    await locked(async (profile) => {
      rmSync(disk.path)
      await profile.commit(makeRecord(2), 1)
    })
    expect(spent(await store.read(ID))).toBe('canary-refresh-2')
    await locked(async (profile) => {
      writeFileSync(disk.path, old)
      await profile.commit(makeRecord(3), 2)
    })
    expect(await store.read(ID)).toEqual(makeRecord(3))
  })
})

describe('setting a record aside', () => {
  test('keeps its bytes under a name with the time, and resolves to the counter', async () => {
    const bytes = Buffer.concat([readFileSync(disk.path).subarray(0, 200), Buffer.from('damage')])
    writeFileSync(disk.path, bytes)
    await locked(async (profile) => {
      await failureOf(() => profile.read())
      expect(await profile.setAside()).toBe(1)
      await profile.commit(makeRecord(2), 1)
    })
    expect(await store.read(ID)).toEqual(makeRecord(2))
    const aside = `${disk.path}.corrupt-2026-01-01T00-00-00-000Z`
    expect(readFileSync(aside).equals(bytes)).toBe(true)
    expect(exposed(disk.directory)).toEqual([])
  })

  test('goes on with a new key where the old one is gone, and with the same one where it is there', async () => {
    const keys = () => readdirSync(join(disk.directory, 'key'))
    const [first = ''] = keys()
    const renew = () =>
      locked(async (profile) => {
        const generation = await profile.setAside()
        await profile.commit(makeRecord(generation + 1), generation)
      })
    await renew()
    expect(keys()).toEqual([first])
    rmSync(join(disk.directory, 'key', first))
    expect((await failureOf(() => store.read(ID))).code).toBe('key_unavailable')
    await renew()
    expect(keys()).toHaveLength(1)
    expect(keys()).not.toContain(first)
    expect(await disk.open().read(ID)).toEqual(makeRecord(3))
  })

  test('onto a name that cannot be taken says so', async () => {
    mkdirSync(`${disk.path}.corrupt-2026-01-01T00-00-00-000Z`)
    const error = await failureOf(() => locked((profile) => profile.setAside()))
    expect(error.message).toContain(`${disk.path} cannot be written`)
    expect(await store.read(ID)).toEqual(makeRecord(1))
  })

  test('of none is no error', async () => {
    rmSync(disk.path)
    await locked(async (profile) => expect(await profile.setAside()).toBe(1))
    expect(disk.names()).toEqual([])
  })
})

test('a pending authorization can be begun although the record and its key are lost', async () => {
  rmSync(join(disk.directory, 'key'), { recursive: true })
  const bytes = readFileSync(disk.path)
  await locked((profile) => profile.writePending({ state: 's' }))
  expect(await disk.open().readPending(ID)).toEqual({ state: 's' })
  expect(readFileSync(disk.path).equals(bytes)).toBe(true)
})

test('a pending authorization is read under the lock, and one that cannot be written says so', async () => {
  await locked(async (profile) => {
    await profile.writePending({ state: 's' })
    expect(await profile.readPending()).toEqual({ state: 's' })
    rmSync(`${disk.path}.pending`)
    mkdirSync(`${disk.path}.pending`)
    const error = await failureOf(() => profile.writePending({ state: 't' }))
    expect(error.message).toContain(`${disk.path}.pending cannot be written`)
  })
})

test('what cannot be removed says so', async () => {
  await locked(async (profile) => {
    rmSync(disk.path)
    mkdirSync(disk.path)
    const error = await failureOf(() => profile.remove())
    expect(error.message).toContain(`${disk.path} cannot be written`)
  })
})

test('removing takes everything of the profile but the counter', async () => {
  await locked(async (profile) => {
    await profile.writePending({})
    await profile.prepare(refreshTokenOf(1))
  })
  await locked((profile) => profile.remove())
  expect(disk.names()).toEqual([])
  expect(await store.read(ID)).toEqual({ generation: 1, tokenSet: null })
})
