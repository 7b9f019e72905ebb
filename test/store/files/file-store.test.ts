import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { temporaryName } from '../../../src/machine/files.ts'
import { acquireLock } from '../../../src/store/lock.ts'
import type { TokenStore } from '../../../src/store/token-store.ts'
import { failureOf } from '../../support/failure.ts'
import {
  NO_LINKS,
  NO_MODES,
  NO_POSIX_FILES,
  NO_SPECIAL_FILES,
  OWN_FOLDER,
  skipIf,
  testIf,
} from '../../support/needs.ts'
import { setUmask } from '../../support/umask.ts'
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

const IS_ROOT = process.geteuid?.() === 0

let disk: Disk
beforeEach(() => {
  disk = makeDisk()
})

/** Everything the store ever does, under one lock after the other. */
async function useAll(store: TokenStore): Promise<void> {
  await store.withLock(ID, LONG_MS, async (locked) => {
    const { generation, tokenSet } = await locked.read()
    await locked.writePending({ state: 'canary-state' })
    if (tokenSet?.refreshToken) {
      await locked.prepare(tokenSet.refreshToken)
      locked.markSent()
      await locked.settle({ cooldownUntil: 7 })
      await locked.prepare(tokenSet.refreshToken)
      locked.markSent()
    }
    await locked.commit(makeRecord(generation + 1), generation)
  })
  const held = await store.holdAuthorization(ID)
  if (held?.kind === 'held') held.release()
  await store.updateApps((apps) => ({ ...apps, default: { app_secret: 'canary-secret' } }))
}

describe('a store that nobody has used yet', () => {
  test('is read without leaving anything', async () => {
    const store = disk.open()
    expect(await store.read(ID)).toEqual({ generation: 0, tokenSet: null })
    expect(await store.readJournal(ID)).toBeNull()
    expect(await store.readPending(ID)).toBeNull()
    expect(await store.readApps()).toBeNull()
    expect(store.keySource(ID)).toBeNull()
    expect([store.isUnsaved(ID), await store.profileNames(ID)]).toEqual([false, []])
    expect(existsSync(disk.directory)).toBe(false)
  })
})

describe('what others may see', () => {
  test.each(['000', '022', '077'])('is nothing, with the umask %s', async (mask) => {
    setUmask(Number.parseInt(mask, 8))
    await useAll(disk.open())
    await useAll(disk.open())
    expect(exposed(disk.directory)).toEqual([])
    expect(lstatSync(disk.directory).mode & 0o777).toBe(OWN_FOLDER)
  })

  testIf(NO_MODES)('of a store whose modes were loosened is nothing again after its next use', async () => {
    await useAll(disk.open())
    const names = readdirSync(disk.directory, { recursive: true, encoding: 'utf8' })
    for (const name of names) {
      const path = join(disk.directory, name)
      chmodSync(path, lstatSync(path).isDirectory() ? 0o777 : 0o666)
    }
    const store = disk.open()
    await useAll(store)
    expect([await store.readPending(ID), await store.readApps()]).not.toContain(null)
    expect(exposed(disk.directory).filter((name) => name !== 'key')).toEqual([])
  })

  test('is no secret, in whatever is left by a crash in the middle of a refresh', async () => {
    await storeUpTo(disk, 1)
    await disk.open().withLock(ID, LONG_MS, async (locked) => {
      await locked.writePending({ state: 'canary-state' })
      await present(locked)
      expect(exposed(disk.crash().directory)).toEqual([])
    })
  })
})

describe('a look', () => {
  test('opens a record once, and again whenever it or its counter has changed, whoever changed it', async () => {
    await storeUpTo(disk, 1)
    const store = disk.open()
    const looking = store.glance()
    const seen = await looking.read(ID)
    expect(seen.generation).toBe(1)
    expect(await looking.read(ID)).toBe(seen)
    // Whoever decides on a refresh takes nobody's word for it.
    expect(await store.read(ID)).not.toBe(seen)
    await storeUpTo(disk, 2)
    expect((await looking.read(ID)).generation).toBe(2)
    const [name = ''] = readdirSync(join(disk.directory, 'store')).filter((file) => file.endsWith('.json'))
    const path = join(disk.directory, 'store', name)
    const whole = readFileSync(path)
    writeFileSync(path, whole.subarray(0, -20))
    expect(await failureOf(() => looking.read(ID))).toMatchObject({ code: 'store_unreadable' })
    writeFileSync(path, whole)
    expect((await looking.read(ID)).generation).toBe(2)
    rmSync(path)
    expect(await looking.read(ID)).toEqual({ generation: 2, tokenSet: null })
  })

  test('the same holds of the credentials', async () => {
    const looking = disk.open().glance()
    expect(await looking.readApps()).toBe(null)
    await disk.open().updateApps(() => ({ default: { app_id: 'a' } }))
    const seen = await looking.readApps()
    expect(seen).toEqual({ default: { app_id: 'a' } })
    expect(await looking.readApps()).toBe(seen)
    await disk.open().updateApps(() => ({ default: { app_id: 'b' } }))
    expect(await looking.readApps()).toEqual({ default: { app_id: 'b' } })
  })
})

describe('the lock of a profile', () => {
  test('is given back when the work fails, and nothing reserved is left', async () => {
    await storeUpTo(disk, 1)
    const work = disk.open().withLock(ID, LONG_MS, async (locked) => {
      await locked.prepare(refreshTokenOf(1))
      throw new Error('in the middle')
    })
    await expect(work).rejects.toThrow('in the middle')
    expect(existsSync(`${disk.path}.next`)).toBe(false)
    await disk.open().withLock(ID, 0, async () => undefined)
  })
})

describe('a record that cannot be written', () => {
  /** A store with generation 2 in memory alone, and how to mend its disk. */
  async function loseDisk(): Promise<{ store: TokenStore; mend: () => void }> {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const store = await storeUpTo(disk, 1)
    let mend = (): void => {}
    await store.withLock(ID, LONG_MS, async (locked) => {
      await present(locked)
      mend = breakDisk(disk.directory)
      expect(await locked.commit(makeRecord(2), 1)).toBe(false)
    })
    return { store, mend }
  }

  test('is served from memory, and its process says that it is not on disk', async () => {
    const { store, mend } = await loseDisk()
    expect(store.isUnsaved(ID)).toBe(true)
    expect(await store.read(ID)).toEqual(makeRecord(2))
    const error = await failureOf(() => store.withLock(ID, 0, async () => undefined))
    expect(error).toMatchObject({
      code: 'store_not_writable',
      message: expect.stringMatching(/default\.json(\.next)? cannot be written/),
    })
    expect(store.isUnsaved(ID)).toBe(true)
    mend()
    await store.flush()
  })

  test('keeps the lock: nobody else presents the spent token meanwhile', async () => {
    const { store, mend } = await loseDisk()
    mend()
    expect(spent(await disk.open().read(ID))).toBe('canary-refresh-1')
    const error = await failureOf(() => disk.open().withLock(ID, 0, async () => undefined))
    expect(error.message).toContain(`process ${process.pid}`)
    await store.flush()
    await disk.open().withLock(ID, 0, async (locked) => expect(await locked.read()).toEqual(makeRecord(2)))
  })

  test('is tried again every second until it is written; then its intent ends and the lock is free', async () => {
    const { store, mend } = await loseDisk()
    vi.advanceTimersByTime(1_000)
    expect(store.isUnsaved(ID)).toBe(true)
    mend()
    vi.advanceTimersByTime(999)
    expect(store.isUnsaved(ID)).toBe(true)
    await vi.advanceTimersByTimeAsync(1)
    expect(store.isUnsaved(ID)).toBe(false)
    expect(await disk.open().read(ID)).toEqual(makeRecord(2))
    expect(disk.names()).toEqual(['feishu-cli_a1-default.json'])
    await disk.open().withLock(ID, 0, async () => undefined)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is written before the same process works on the profile again', async () => {
    const { store, mend } = await loseDisk()
    mend()
    await store.withLock(ID, LONG_MS, async (locked) => {
      expect(await locked.read()).toEqual(makeRecord(2))
      expect(await locked.readJournal()).toBeNull()
      await locked.commit(makeRecord(3), 2)
    })
    expect(await disk.open().read(ID)).toEqual(makeRecord(3))
  })

  test('written in the middle of the work keeps the lock until that work is over', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const store = await storeUpTo(disk, 1)
    await store.withLock(ID, LONG_MS, async (locked) => {
      await present(locked)
      const mend = breakDisk(disk.directory)
      expect(await locked.commit(makeRecord(2), 1)).toBe(false)
      mend()
      await vi.advanceTimersByTimeAsync(1_000)
      expect(store.isUnsaved(ID)).toBe(false)
      const error = await failureOf(() => disk.open().withLock(ID, 0, async () => undefined))
      expect(error.code).toBe('store_locked')
    })
    await disk.open().withLock(ID, 0, async (locked) => expect(await locked.read()).toEqual(makeRecord(2)))
  })

  test('is written although its whole folder is gone', async () => {
    const { store } = await loseDisk()
    rmSync(join(disk.directory, 'store'))
    await store.flush()
    expect(store.isUnsaved(ID)).toBe(false)
    expect(spent(await disk.open().read(ID))).toBe('canary-refresh-2')
  })

  test('gets its last attempts within two seconds when the process is about to leave', async () => {
    const { store, mend } = await loseDisk()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    let left = false
    const leaving = store.flush().then(() => {
      left = true
    })
    await vi.advanceTimersByTimeAsync(1_000)
    expect([left, store.isUnsaved(ID)]).toEqual([false, true])
    await vi.advanceTimersByTimeAsync(1_000)
    expect([left, store.isUnsaved(ID)]).toEqual([true, true])
    await leaving
    const again = store.flush()
    mend()
    await vi.advanceTimersByTimeAsync(200)
    await again
    expect(store.isUnsaved(ID)).toBe(false)
  })

  testIf(NO_POSIX_FILES)('is kept, when the folder vanished in the middle of the refresh', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const store = await storeUpTo(disk, 1)
    await store.withLock(ID, LONG_MS, async (locked) => {
      await locked.prepare(refreshTokenOf(1))
      rmSync(join(disk.directory, 'store'), { recursive: true })
      expect(await locked.commit(makeRecord(2), 1)).toBe(false)
    })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(store.isUnsaved(ID)).toBe(false)
    expect(spent(await disk.open().read(ID))).toBe('canary-refresh-2')
  })
})

/** What may lie under one of our names; `victim` is a file that must not be touched. */
const PLANTED: Record<string, (path: string, victim: string) => unknown> = {
  'a symbolic link': (path, victim) => symlinkSync(victim, path),
  'a symbolic link to nowhere': (path) => symlinkSync(`${path}.nowhere`, path),
  'a second name of another file': (path, victim) => linkSync(victim, path),
  'a FIFO': (path) => execFileSync('mkfifo', [path]),
  'a directory': (path) => mkdirSync(path),
}
const RECORD = 'store/feishu-cli_a1-default.json'
const NAMES = ['', '.lock', '.holder.lock', '.intent', '.pending', '.next'].map(
  (ending) => `${RECORD}${ending}`,
)

describe.each([...NAMES, 'app.json', 'app.json.lock'])('under %s', (name) => {
  test.for(Object.entries(PLANTED))(
    '%s is never written through, and keeps nobody waiting',
    async ([what, put], context) => {
      skipIf(what === 'a FIFO' ? NO_SPECIAL_FILES : what.startsWith('a symbolic') ? NO_LINKS : null, context)
      await storeUpTo(disk, 1)
      const victim = join(disk.directory, 'victim')
      writeFileSync(victim, 'keep me', { mode: 0o600 })
      const path = join(disk.directory, name)
      rmSync(path, { force: true })
      put(path, victim)
      const error = await useAll(disk.open()).then(
        () => null,
        (reason: unknown) => reason,
      )
      expect(readFileSync(victim, 'utf8')).toBe('keep me')
      expect(existsSync(`${path}.nowhere`)).toBe(false)
      // Either it was in nobody's way, or the error says where to look.
      if (error === null) return
      expect(error).toBeInstanceOf(CodedError)
      expect(String(error)).toContain(join(disk.directory, name.startsWith('app') ? 'app.json' : RECORD))
    },
  )
})

describe('files of somebody else', () => {
  test('are refused and left as they are', async (ctx) => {
    if (!IS_ROOT) ctx.skip('not root: only root can give files away')
    const store = await storeUpTo(disk, 1)
    chownSync(disk.path, 12_345, 12_345)
    expect(await failureOf(() => store.read(ID))).toMatchObject({ code: 'store_unreadable' })
    chownSync(disk.path, 0, 0)
    chownSync(disk.directory, 12_345, 12_345)
    const error = await failureOf(() => store.withLock(ID, 0, async () => undefined))
    expect(error).toMatchObject({ code: 'config_invalid', message: expect.stringContaining(disk.directory) })
  })
})

describe('the key source of a profile', () => {
  test('is that of its record, else of any other file', async () => {
    const store = await storeUpTo(disk, 1)
    expect(store.keySource(ID)).toBe('file')
    expect(store.keySource({ ...ID, profile: 'work' })).toBe('file')
    writeFileSync(disk.path, 'garbage')
    expect(store.keySource(ID)).toBeNull()
  })

  test('and its key are those of the files in place: no second key is made', async () => {
    await storeUpTo(disk, 1)
    await disk
      .open()
      .withLock({ ...ID, profile: 'work' }, LONG_MS, (locked) => locked.commit(makeRecord(1), 0))
    await disk.open().updateApps(() => ({}))
    expect(readdirSync(join(disk.directory, 'key'))).toHaveLength(1)
  })

  test('that is missing makes no new key while a sealed file lies in place', async () => {
    await storeUpTo(disk, 1)
    rmSync(join(disk.directory, 'key'), { recursive: true })
    const error = await failureOf(() => disk.open().updateApps(() => ({ default: {} })))
    expect(error.code).toBe('key_unavailable')
    expect(existsSync(join(disk.directory, 'key'))).toBe(false)
    expect(existsSync(join(disk.directory, 'app.json'))).toBe(false)
  })
})

describe('what a store tells of itself', () => {
  test('is where it lies, and what is to be done when nothing can be written', async () => {
    const { description, init } = disk.open()
    expect(description).toMatchObject({
      kind: 'file',
      folder: join(disk.directory, 'store'),
      place: disk.directory,
      keychain: true,
    })
    expect(String(description.unsaved.place)).toBe('in memory only')
    expect(String(description.unsaved.nextStep)).toContain(`fix the permissions of ${disk.directory}`)
    expect(await init()).toBeNull()
  })

  test('is a name of its own, given once, and anew where it is damaged', async () => {
    await storeUpTo(disk, 1)
    const path = join(disk.directory, 'store', 'identity')
    const name = disk.open().description.identity()
    expect(name).toMatch(/^[0-9a-f-]{36}$/)
    expect(disk.open().description.identity()).toBe(name)
    for (const damaged of [`0${name}`, `${name}0`, '']) {
      writeFileSync(path, damaged, { mode: 0o600 })
      const given = disk.open().description.identity()
      expect(given).not.toBe(damaged)
      expect(readFileSync(path, 'utf8')).toBe(given)
    }
    rmSync(join(disk.directory, 'store'), { recursive: true })
    const error = await failureOf(async () => disk.open().description.identity())
    expect(error).toMatchObject({ code: 'store_not_writable', message: expect.stringContaining(path) })
  })
})

test('a lock whose holder has left no name is told all the same', async () => {
  await storeUpTo(disk, 1)
  rmSync(`${disk.path}.lock`)
  const held = await acquireLock(`${disk.path}.lock`, 0, () => 0)
  const error = await failureOf(() => disk.open().withLock(ID, 0, async () => undefined))
  expect(error).toMatchObject({ code: 'store_locked', message: expect.stringContaining('another process') })
  if (held?.kind === 'held') held.release()
})

describe('the names of the profiles', () => {
  test('of other apps are told apart from longer names of the same app', async () => {
    const store = disk.open()
    const write = (id: typeof ID) => store.withLock(id, LONG_MS, (locked) => locked.commit(makeRecord(1), 0))
    await write({ ...ID, profile: 'my-work' })
    expect(await store.otherApps({ ...ID, profile: 'work' })).toEqual([])
    await write({ ...ID, appId: 'cli_b2', profile: 'work' })
    expect(await store.otherApps({ ...ID, profile: 'work' })).toEqual(['feishu-cli_b2'])
  })
})

describe('two profiles that come to one file name', () => {
  test('by a "-" in an app id are told apart: the second is refused and leaves the first as it is', async () => {
    const first = { brand: 'feishu', appId: 'cli_a-b', profile: 'work' } as const
    const second = { brand: 'feishu', appId: 'cli_a', profile: 'b-work' } as const
    const store = disk.open()
    await store.withLock(first, LONG_MS, (locked) => locked.commit(makeRecord(1), 0))
    const files = () =>
      readdirSync(join(disk.directory, 'store')).map((name) => [
        name,
        readFileSync(join(disk.directory, 'store', name), 'utf8'),
      ])
    const before = files()
    for (const attempt of [
      () => store.read(second),
      () => store.withLock(second, LONG_MS, (locked) => locked.remove()),
      () => store.withLock(second, LONG_MS, (locked) => locked.setAside()),
    ]) {
      expect(await failureOf(attempt)).toMatchObject({
        code: 'config_invalid',
        message: expect.stringContaining(
          'Profile "b-work" of app cli_a would have the same file as profile "work" of app cli_a-b',
        ),
        nextStep: expect.stringContaining('another name'),
      })
    }
    expect(files()).toEqual(before)
    expect(await store.read(first)).toEqual(makeRecord(1))
    // Without its key no one can tell whether the first is whole: then it may be.
    rmSync(join(disk.directory, 'key'), { recursive: true })
    expect((await failureOf(() => disk.open().read(second))).code).toBe('config_invalid')
  })

  test('by a file system that does not tell "A" from "a" are told apart too', async () => {
    const store = disk.open()
    await store.withLock({ ...ID, appId: 'cli_A1' }, LONG_MS, (locked) => locked.commit(makeRecord(1), 0))
    // As such a file system would find it.
    renameSync(join(disk.directory, 'store', 'feishu-cli_A1-default.json'), disk.path)
    expect(await failureOf(() => store.read(ID))).toMatchObject({ code: 'config_invalid' })
  })

  test('are another thing than a file that somebody gave a wrong name, which a new authorization sets aside', async () => {
    const store = disk.open()
    await store.withLock({ ...ID, profile: 'work' }, LONG_MS, (locked) => locked.commit(makeRecord(1), 0))
    renameSync(join(disk.directory, 'store', 'feishu-cli_a1-work.json'), disk.path)
    expect(await failureOf(() => store.read(ID))).toMatchObject({ code: 'store_unreadable' })
    await store.withLock(ID, LONG_MS, (locked) => locked.setAside())
    expect(disk.names()).toEqual([expect.stringMatching(/^feishu-cli_a1-default\.json\.corrupt-/)])
  })
})

describe("the apps' credentials", () => {
  test('are sealed, and changes of several processes add up', async () => {
    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        disk.open().updateApps((apps) => ({ ...apps, [`p${index}`]: 'canary' })),
      ),
    )
    expect(Object.keys((await disk.open().readApps()) ?? {}).sort()).toEqual(
      Array.from({ length: 8 }, (_, index) => `p${index}`),
    )
    expect(readFileSync(join(disk.directory, 'app.json'), 'utf8')).not.toContain('canary')
  })

  test('that cannot be opened are left as they are', async () => {
    const store = disk.open()
    await store.updateApps(() => ({ default: {} }))
    writeFileSync(join(disk.directory, 'app.json'), 'garbage')
    for (const use of [() => store.readApps(), () => store.updateApps(() => ({}))]) {
      const { code, nextStep } = await failureOf(use)
      expect(code).toBe('store_unreadable')
      expect(nextStep).toContain('otherwise move ')
      expect(nextStep).toContain('app.json away, set FEISHU_APP_ID and FEISHU_APP_SECRET')
    }
    expect(readFileSync(join(disk.directory, 'app.json'), 'utf8')).toBe('garbage')
  })

  test('whose key is gone are told with what to set; no new authorization is advised', async () => {
    const store = disk.open()
    await store.updateApps(() => ({ default: {} }))
    rmSync(join(disk.directory, 'key'), { recursive: true })
    const { code, nextStep } = await failureOf(() => disk.open().readApps())
    expect(code).toBe('key_unavailable')
    expect(nextStep).toBe(
      'Restore it from a backup, or set FEISHU_APP_ID and FEISHU_APP_SECRET, then call start_authorization.',
    )
  })

  test('leave no temporary file of a process that died', async () => {
    const store = disk.open()
    await store.updateApps(() => ({}))
    writeFileSync(temporaryName(join(disk.directory, 'app.json')), 'x')
    await store.updateApps(() => ({}))
    expect(readdirSync(disk.directory).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

test('a generation that somebody writes into the lock file makes no record an older copy', async () => {
  const disk = makeDisk()
  await storeUpTo(disk, 2)
  const path = `${disk.path}.lock`
  const forge = (generation: number) => {
    const holder = JSON.parse(readFileSync(path, 'utf8'))
    holder.note.generation = generation
    writeFileSync(path, JSON.stringify(holder).padEnd(2048), { mode: 0o600 })
  }
  const old = readFileSync(disk.path)
  await disk.open().withLock(ID, LONG_MS, (profile) => profile.commit(makeRecord(3), 2))
  forge(9e15)
  expect(await disk.open().read(ID)).toMatchObject({ generation: 3, tokenSet: { refusal: null } })
  await disk.open().withLock(ID, LONG_MS, (profile) => profile.commit(makeRecord(4), 3))
  // What is proved still tells an old copy.
  writeFileSync(disk.path, old, { mode: 0o600 })
  expect(await disk.open().read(ID)).toMatchObject({
    generation: 4,
    tokenSet: { refusal: { reason: 'outdated' } },
  })
})
