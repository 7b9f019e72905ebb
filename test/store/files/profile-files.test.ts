import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryName } from '../../../src/machine/files.ts'
import { canRefresh, encodeRecord } from '../../../src/oauth/token-set.ts'
import { failureOf } from '../../support/failure.ts'
import { NO_MODES, testIf } from '../../support/needs.ts'
import {
  type Disk,
  ID,
  LONG_MS,
  makeDisk,
  makeRecord,
  present,
  refreshTokenOf,
  sealedIn,
  spent,
  storeUpTo,
} from '../fixture.ts'

let disk: Disk
beforeEach(() => {
  disk = makeDisk()
})

/** The record of generation 2 as bytes, made elsewhere with the same key. */
async function nextRecord(generation = 2, from = disk): Promise<string> {
  const copy = from.crash()
  await copy.open().withLock(ID, LONG_MS, async (locked) => {
    const { generation: stored } = await locked.read()
    await locked.commit(makeRecord(generation), stored)
  })
  return readFileSync(copy.path, 'utf8')
}

describe('a record', () => {
  test('that is not there has the generation that there last was', async () => {
    expect(await disk.open().read(ID)).toEqual({ generation: 0, tokenSet: null })
    await storeUpTo(disk, 3)
    disk = disk.crash()
    await disk.open().withLock(ID, LONG_MS, (locked) => locked.remove())
    expect(existsSync(disk.path)).toBe(false)
    expect(await disk.open().read(ID)).toEqual({ generation: 3, tokenSet: null })
  })

  test('is read by every process as it was written', async () => {
    await storeUpTo(disk, 1)
    const record = await disk.open().read(ID)
    expect(record).toEqual(makeRecord(1))
    expect(spent(record)).toBe('canary-refresh-1')
  })

  test('cut at any length, or changed anywhere, is unreadable and never absent, and its bytes stay', async () => {
    await storeUpTo(disk, 1)
    const whole = readFileSync(disk.path)
    const damaged = [
      ...Array.from({ length: 40 }, (_, step) => whole.subarray(0, Math.floor((whole.length * step) / 40))),
      ...Array.from({ length: 100 }, () => {
        const bytes = Buffer.from(whole)
        const at = Math.floor(Math.random() * bytes.length)
        bytes[at] = (bytes[at] ?? 0) ^ (1 + Math.floor(Math.random() * 255))
        return bytes
      }),
    ]
    const store = disk.open()
    for (const bytes of damaged) {
      writeFileSync(disk.path, bytes)
      const { code } = await failureOf(() => store.read(ID))
      expect(['store_unreadable', 'key_unavailable']).toContain(code)
      await failureOf(() => store.withLock(ID, LONG_MS, (locked) => locked.read()))
      expect(readFileSync(disk.path).equals(bytes)).toBe(true)
    }
  })

  test('in which one letter of the profile became a capital is damaged, and nobody else’s', async () => {
    const store = await storeUpTo(disk, 1)
    writeFileSync(disk.path, readFileSync(disk.path, 'utf8').replace('"default"', '"Default"'))
    expect((await failureOf(() => store.read(ID))).code).toBe('store_unreadable')
    await store.withLock(ID, LONG_MS, async (locked) => {
      expect((await failureOf(() => locked.read())).code).toBe('store_unreadable')
    })
  })

  test('of another profile under this name is refused', async () => {
    const store = await storeUpTo(disk, 1)
    copyFileSync(disk.path, disk.path.replace('default', 'work'))
    const error = await failureOf(() => store.read({ ...ID, profile: 'work' }))
    expect(error.message).toContain('belongs to profile "default", not "work"')
  })

  test.each([
    ['another generation than its header', encodeRecord(makeRecord(1))],
    ['something else', {}],
  ])('with a good seal and %s in it is unreadable', async (_, content) => {
    const store = await storeUpTo(disk, 1)
    const sealed = sealedIn(disk.directory)
    const key = await sealed.sealingKey(disk.path)
    const binding = { kind: 'token-set', brand: ID.brand, app_id: ID.appId, profile: ID.profile } as const
    writeFileSync(disk.path, sealed.seal(key, binding, 2, content))
    const error = await failureOf(() => store.read(ID))
    expect(error).toMatchObject({
      code: 'store_unreadable',
      message: expect.stringContaining('no token set'),
    })
    expect(String(error.step)).toContain('start_authorization')
  })

  test('in a folder that is no folder is unreadable and not absent', async () => {
    const store = await storeUpTo(disk, 1)
    const copy = disk.crash()
    writeFileSync(join(copy.directory, 'file'), '')
    const elsewhere = makeDisk(join(copy.directory, 'file'))
    expect((await failureOf(() => elsewhere.open().read(ID))).message).toContain('ENOTDIR')
    expect((await store.read(ID)).generation).toBe(1)
  })
})

/** What is at a path and below it may not be read by this user until the test ends. */
function deny(path: string): void {
  if (process.getuid?.() === 0) {
    process.seteuid?.(65_534)
    onTestFinished(() => process.seteuid?.(0))
  } else {
    chmodSync(path, 0)
    onTestFinished(() => chmodSync(path, 0o600))
  }
}

testIf(NO_MODES)('a lock file that this user may not read makes its record unreadable', async () => {
  await storeUpTo(disk, 1)
  const lock = `${disk.path}.lock`
  deny(lock)
  expect(await failureOf(() => disk.open().read(ID))).toMatchObject({
    code: 'store_unreadable',
    message: `${lock} cannot be read (EACCES).`,
    nextStep: `Fix the permissions of ${lock}; it was left as it is.`,
  })
})

test('a key file that cannot be read is told as such, and no other key takes its place', async () => {
  await storeUpTo(disk, 1)
  const folder = join(disk.directory, 'key')
  renameSync(folder, `${folder}-away`)
  writeFileSync(folder, '')
  const error = {
    code: 'key_unavailable',
    message: expect.stringMatching(/\.key cannot be read \(ENOTDIR\)\.$/),
  }
  expect(await failureOf(() => disk.open().read(ID))).toMatchObject(error)
  const anew = disk.open().withLock(ID, LONG_MS, (locked) => locked.setAside())
  expect(await failureOf(() => anew)).toMatchObject(error)
  expect(readFileSync(disk.path, 'utf8')).not.toBe('')
})

test('room that cannot be reserved lets nothing be presented', async () => {
  const store = await storeUpTo(disk, 1)
  await store.withLock(ID, LONG_MS, async (locked) => {
    mkdirSync(`${disk.path}.next`)
    const error = await failureOf(() => locked.prepare(refreshTokenOf(1)))
    expect(error.message).toContain(`${disk.path}.next cannot be written`)
  })
})

describe('an older copy that somebody puts back', () => {
  test('is never presented: its refresh token was spent since', async () => {
    const store = await storeUpTo(disk, 1)
    const old = readFileSync(disk.path)
    await store.withLock(ID, LONG_MS, (locked) => locked.commit(makeRecord(2), 1))
    writeFileSync(disk.path, old)
    for (const record of [
      await disk.open().read(ID),
      await disk.open().withLock(ID, LONG_MS, (locked) => locked.read()),
    ]) {
      expect(record.tokenSet && canRefresh(record.tokenSet)).toBe(false)
      expect(record.tokenSet?.refusal).toMatchObject({ reason: 'outdated', code: 'refresh_uncertain' })
      expect(spent(record)).toBe('canary-refresh-1')
    }
  })

  test('does not turn the counter back, and a new authorization goes on from it', async () => {
    await storeUpTo(disk, 1)
    const old = readFileSync(disk.path)
    await storeUpTo(disk, 3)
    writeFileSync(disk.path, old)
    const store = disk.open()
    const { generation } = await store.read(ID)
    expect(generation).toBe(3)
    await store.withLock(ID, LONG_MS, (locked) => locked.commit(makeRecord(4), generation))
    expect(await disk.open().read(ID)).toEqual(makeRecord(4))
  })

  test('is known as such after the newer one was adopted from a crash', async () => {
    await storeUpTo(disk, 1)
    const old = readFileSync(disk.path)
    writeFileSync(`${disk.path}.next`, await nextRecord(), { mode: 0o600 })
    expect((await disk.open().withLock(ID, LONG_MS, (locked) => locked.read())).generation).toBe(2)
    writeFileSync(disk.path, old)
    expect((await disk.open().read(ID)).tokenSet?.refusal?.reason).toBe('outdated')
  })
})

describe('a record that a crash left written but not in place', () => {
  test('is taken over an older copy that somebody has put back, too', async () => {
    await storeUpTo(disk, 1)
    const old = readFileSync(disk.path)
    await storeUpTo(disk, 3)
    const next = await nextRecord(4)
    writeFileSync(disk.path, old)
    writeFileSync(`${disk.path}.next`, next, { mode: 0o600 })
    expect(await disk.open().withLock(ID, LONG_MS, (locked) => locked.read())).toEqual(makeRecord(4))
  })

  test.each([0, 1, 20_000])('is taken over, with %d blanks behind it', async (blanks) => {
    await storeUpTo(disk, 1)
    const next = await nextRecord()
    await disk.open().withLock(ID, LONG_MS, async (locked) => {
      await present(locked)
      disk = disk.crash()
    })
    writeFileSync(`${disk.path}.next`, next + ' '.repeat(blanks))
    const store = disk.open()
    const record = await store.withLock(ID, LONG_MS, (locked) => locked.read())
    expect(record).toEqual(makeRecord(2))
    expect(await store.readJournal(ID)).toBeNull()
    expect(disk.names()).toEqual([basename(disk.path)])
    expect(readFileSync(disk.path, 'utf8')).toBe(next)
  })

  test('is left alone by a reader without the lock', async () => {
    const store = await storeUpTo(disk, 1)
    writeFileSync(`${disk.path}.next`, await nextRecord())
    expect((await store.read(ID)).generation).toBe(1)
    expect(existsSync(`${disk.path}.next`)).toBe(true)
  })

  test('and cut anywhere is removed, never adopted', async () => {
    await storeUpTo(disk, 1)
    const next = await nextRecord()
    const store = disk.open()
    for (let step = 0; step < 20; step += 1) {
      writeFileSync(`${disk.path}.next`, next.slice(0, Math.floor((next.length * step) / 20)).padEnd(32_768))
      expect((await store.withLock(ID, LONG_MS, (locked) => locked.read())).generation).toBe(1)
      expect(existsSync(`${disk.path}.next`)).toBe(false)
    }
  })

  test.each([1, 3])('of generation %d is not the next and is removed', async (generation) => {
    await storeUpTo(disk, 1)
    writeFileSync(`${disk.path}.next`, await nextRecord(generation))
    expect(await disk.open().withLock(ID, LONG_MS, (locked) => locked.read())).toEqual(makeRecord(1))
    expect(disk.names()).toEqual([basename(disk.path)])
  })

  test('of another profile is removed', async () => {
    const store = await storeUpTo(disk, 1)
    const work = { ...ID, profile: 'work' }
    await store.withLock(work, LONG_MS, (locked) => locked.commit(makeRecord(2), 1))
    copyFileSync(disk.path.replace('default', 'work'), `${disk.path}.next`)
    expect(spent(await store.withLock(ID, LONG_MS, (locked) => locked.read()))).toBe('canary-refresh-1')
    expect(existsSync(`${disk.path}.next`)).toBe(false)
  })

  test('is kept while the record in place cannot be opened, since it may be needed yet', async () => {
    await storeUpTo(disk, 1)
    const next = await nextRecord()
    const whole = readFileSync(disk.path)
    writeFileSync(`${disk.path}.next`, next)
    writeFileSync(disk.path, whole.subarray(0, 100))
    await disk.open().withLock(ID, LONG_MS, async () => undefined)
    expect(readFileSync(`${disk.path}.next`, 'utf8')).toBe(next)
    writeFileSync(disk.path, whole)
    expect((await disk.open().withLock(ID, LONG_MS, (locked) => locked.read())).generation).toBe(2)
  })

  test('is taken over when the record in place was lost', async () => {
    const store = await storeUpTo(disk, 1)
    const next = await nextRecord()
    writeFileSync(`${disk.path}.next`, next)
    writeFileSync(disk.path, '')
    await store.withLock(ID, LONG_MS, async () => undefined)
    const lost = disk.crash()
    await lost.open().withLock(ID, LONG_MS, async (locked) => {
      expect(await locked.setAside()).toBe(1)
    })
    writeFileSync(`${lost.path}.next`, next)
    expect(await lost.open().withLock(ID, LONG_MS, (locked) => locked.read())).toEqual(makeRecord(2))
  })

  test('that is a directory is an error which names the place, and is not removed', async () => {
    const store = await storeUpTo(disk, 1)
    mkdirSync(`${disk.path}.next`)
    const error = await failureOf(() => store.withLock(ID, LONG_MS, (locked) => locked.read()))
    expect(error).toMatchObject({ code: 'store_not_writable', message: expect.stringContaining(disk.path) })
    expect(existsSync(`${disk.path}.next`)).toBe(true)
  })
})

test('temporary files of a process that died are removed at the next use, those of others stay', async () => {
  const store = await storeUpTo(disk, 1)
  const ours = [disk.path, `${disk.path}.intent`, `${disk.path}.pending`, `${disk.path}.next`].map(
    temporaryName,
  )
  const others = [
    temporaryName(disk.path.replace('default', 'default.json')),
    temporaryName(disk.path.replace('default', 'work')),
    `${disk.path}.mine.tmp`,
  ]
  for (const path of [...ours, ...others]) writeFileSync(path, 'x', { mode: 0o600 })
  await store.read(ID)
  expect(ours.every((path) => existsSync(path))).toBe(true)
  await store.withLock(ID, LONG_MS, async () => undefined)
  expect(ours.filter((path) => existsSync(path))).toEqual([])
  expect(others.filter((path) => existsSync(path))).toEqual(others)
})

describe('the journal', () => {
  test.each([
    '',
    '{',
    'null',
    '[]',
    '{"ambiguous":1}',
    '{"ambiguous":0,"sentAt":null,"cooldownUntil":null}',
    '{"tokenHash":"x","ambiguous":-1,"sentAt":null,"cooldownUntil":null}',
    '{"tokenHash":"x","ambiguous":0.5,"sentAt":null,"cooldownUntil":null}',
    '{"tokenHash":"x","ambiguous":0,"sentAt":"now","cooldownUntil":null}',
    '{"tokenHash":"x","ambiguous":0,"sentAt":null,"cooldownUntil":"later"}',
  ])('%j is damaged: no token is presented on its word', async (text) => {
    const store = await storeUpTo(disk, 1)
    writeFileSync(`${disk.path}.intent`, text)
    const error = await failureOf(() => store.readJournal(ID))
    expect(error).toMatchObject({ code: 'store_unreadable', message: expect.stringContaining('.intent') })
    expect(String(error.step)).toContain('start_authorization')
    await failureOf(() => store.withLock(ID, LONG_MS, (locked) => locked.prepare(refreshTokenOf(1))))
    expect(readFileSync(`${disk.path}.intent`, 'utf8')).toBe(text)
    await store.withLock(ID, LONG_MS, (locked) => locked.commit(makeRecord(2), 1))
    expect(await store.readJournal(ID)).toBeNull()
  })
})

describe('the pending authorization', () => {
  test('is sealed, and every process reads it', async () => {
    const store = disk.open()
    expect(await store.readPending(ID)).toBeNull()
    await store.withLock(ID, LONG_MS, (locked) => locked.writePending({ state: 'canary-state' }))
    expect(await disk.open().readPending(ID)).toEqual({ state: 'canary-state' })
    expect(readFileSync(`${disk.path}.pending`, 'utf8')).not.toContain('canary')
  })

  test('is no record, nor a record a pending authorization', async () => {
    const store = await storeUpTo(disk, 1)
    copyFileSync(disk.path, `${disk.path}.pending`)
    expect((await failureOf(() => store.readPending(ID))).message).toContain('belongs to kind "token-set"')
    await store.withLock(ID, LONG_MS, (locked) => locked.writePending({}))
    copyFileSync(`${disk.path}.pending`, disk.path)
    expect((await failureOf(() => store.read(ID))).message).toContain('belongs to kind "authorization"')
  })
})
