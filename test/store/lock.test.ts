import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { loadNative } from '../../src/machine/native.ts'
import { acquireLock, type HeldLock, type LockHolder, lockedError, peekHolder } from '../../src/store/lock.ts'
import { failureOf } from '../support/failure.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_LINKS, NO_SIGNALS, NO_SPECIAL_FILES, OWN_FILE, skipIf, testIf } from '../support/needs.ts'
import { HANGS_MS } from '../support/patience.ts'
import { setUmask } from '../support/umask.ts'

const NOW = 1_767_225_600_000
/** Longer than anything here takes; a test that reaches it has failed. */
const LONG_MS = HANGS_MS

let path = ''
beforeEach(() => {
  path = join(makeFolder(), 'profile.json.lock')
})

async function take(deadlineMs = 0): Promise<HeldLock> {
  const lock = await acquireLock(path, deadlineMs, () => NOW)
  if (lock?.kind !== 'held') throw new Error(`busy: ${JSON.stringify(lock)}`)
  onTestFinished(() => lock.release())
  return lock
}

async function busy(deadlineMs = 0): Promise<LockHolder | null> {
  const lock = await acquireLock(path, deadlineMs, () => NOW)
  if (lock?.kind !== 'held') return lock
  lock.release()
  throw new Error('the lock was free')
}

/** A process that holds the lock, and its word that it does. */
async function startHolder(
  deadlineMs = LONG_MS,
): Promise<{ child: ChildProcess; said: Record<string, unknown> }> {
  const child = fork('scripts/run.mjs', ['test/store/lock-process.ts', path, String(deadlineMs)])
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const [said] = (await once(child, 'message')) as [Record<string, unknown>]
  return { child, said }
}

describe('within one process', () => {
  test('the second is told who holds it, at once or after its deadline', async () => {
    const held = await take()
    held.describe({ generation: 3 })
    const holder = { kind: 'holder', pid: process.pid, host: hostname(), since: NOW, note: { generation: 3 } }
    expect(await busy()).toEqual(holder)
    const startedAt = performance.now()
    expect(await busy(60)).toEqual(holder)
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(60)
  })

  test('whoever waits gets it when it is given back', async () => {
    const first = await take()
    const waiting = take(LONG_MS)
    first.release()
    expect((await waiting).kind).toBe('held')
  })

  test('ten who wait get it one after the other', async () => {
    let inside = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const lock = await take(LONG_MS)
        inside += 1
        most = Math.max(most, inside)
        await new Promise((resume) => setImmediate(resume))
        inside -= 1
        lock.release()
      }),
    )
    expect(most).toBe(1)
  })

  test('giving it back twice does not take it from the next', async () => {
    const first = await take()
    first.release()
    const second = await take()
    first.release()
    expect(await busy()).not.toBeUndefined()
    second.release()
  })

  test('what the last holder noted is left to the next', async () => {
    const first = await take()
    expect(first.left).toBeNull()
    first.describe({ generation: 5 })
    first.describe({ generation: 6 })
    first.release()
    expect((await take()).left?.note).toEqual({ generation: 6 })
    expect(peekHolder(path)?.note).toEqual({ generation: 6 })
  })

  test('a long note followed by a short one leaves nothing of the long one', async () => {
    const lock = await take()
    lock.describe({ addresses: ['x'.repeat(1_000)] })
    lock.describe({})
    expect(peekHolder(path)?.note).toEqual({})
    expect(statSync(path).size).toBe(2_048)
  })

  test('the file is for its owner alone, whatever the umask, and stays', async () => {
    setUmask(0)
    const lock = await take()
    const { ino, mode } = statSync(path)
    expect(mode & 0o777).toBe(OWN_FILE)
    lock.release()
    await take()
    expect(statSync(path).ino).toBe(ino)
  })
})

describe('what lies in the file', () => {
  test.each(['', '{', 'null', '[]', '"x"', '{"pid":"7"}', '\0\0\0', 'x'.repeat(5_000)])(
    '%j is no holder',
    async (text) => {
      writeFileSync(path, text)
      expect(peekHolder(path)).toBeNull()
      expect((await take()).left).toBeNull()
    },
  )

  test('a holder without a note is one all the same', () => {
    writeFileSync(path, '{"pid":7,"host":"h","since":1}')
    expect(peekHolder(path)).toMatchObject({ pid: 7, note: {} })
  })

  test('is nobody where there is no file', () => {
    expect(peekHolder(path)).toBeNull()
  })
})

describe('under the name of the lock', () => {
  test.for<[string, (victim: string) => unknown]>([
    ['a symbolic link', (victim) => symlinkSync(victim, path)],
    ['a second name of another file', (victim) => linkSync(victim, path)],
    ['a FIFO', () => execFileSync('mkfifo', [path])],
    ['a directory', () => mkdirSync(path)],
  ])('%s is refused, and nothing is written', async ([what, put], context) => {
    skipIf(what === 'a FIFO' ? NO_SPECIAL_FILES : what === 'a symbolic link' ? NO_LINKS : null, context)
    const victim = join(path, '..', 'victim')
    writeFileSync(victim, 'keep me')
    put(victim)
    const error = await failureOf(() => acquireLock(path, LONG_MS, () => NOW))
    expect(error).toMatchObject({ code: 'store_unreadable', message: expect.stringContaining(path) })
    expect(readFileSync(victim, 'utf8')).toBe('keep me')
  })
})

describe('what the system says', () => {
  /** In place of the system, until the test ends. */
  function answerWith(errno: string): void {
    const native = loadNative()
    const { tryLock } = native
    onTestFinished(() => {
      native.tryLock = tryLock
    })
    native.tryLock = () => {
      throw Object.assign(new Error(errno), { code: errno })
    }
  }

  test.each(['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOLCK'])(
    '%s is told as a file system without locks',
    async (errno) => {
      answerWith(errno)
      expect(await failureOf(() => take())).toMatchObject({
        code: 'config_invalid',
        message: `The file system of ${dirname(path)} has no file locks (${errno}).`,
        nextStep: 'Set FEISHU_TOKEN_DIR to a folder on a disk of this machine.',
        cause: { code: errno },
      })
    },
  )

  test('otherwise is told as it is, at once', async () => {
    answerWith('EIO')
    await expect(take(LONG_MS)).rejects.toMatchObject({ code: 'EIO' })
  })

  testIf(process.platform === 'linux' ? null : 'only Linux tells which files are open')(
    'leaves no file open, and neither do a look and a wait in vain',
    async () => {
      const isOpen = () =>
        readdirSync('/proc/self/fd').some((fd) => {
          try {
            return readlinkSync(`/proc/self/fd/${fd}`) === path
          } catch {
            return false
          }
        })
      const lock = await take()
      lock.describe({})
      expect(isOpen()).toBe(true)
      await busy()
      lock.release()
      peekHolder(path)
      expect(isOpen()).toBe(false)
      answerWith('EIO')
      await expect(take()).rejects.toThrow('EIO')
      expect(isOpen()).toBe(false)
    },
  )
})

test('a look through what is no file of ours is refused too', async () => {
  mkdirSync(path)
  expect((await failureOf(async () => peekHolder(path))).code).toBe('store_unreadable')
})

test('a lock that could not be had is told with its holder, if it is known', () => {
  const holder = { kind: 'holder', pid: 7, host: 'h', since: NOW, note: {} } as const
  expect(lockedError(holder)).toMatchObject({
    code: 'store_locked',
    message: 'The token set is in use by process 7 on h.',
    nextStep: 'Try again in a few seconds; if that does not help, check that process and end it.',
  })
  expect(lockedError(null).message).toBe('The token set is in use by another process.')
})

describe('between processes', () => {
  test('a holder is named, and gives it to whoever waits', async () => {
    const { child, said } = await startHolder()
    expect(said).toEqual({ held: true, left: null })
    expect(await busy()).toMatchObject({ pid: child.pid, host: hostname(), note: { generation: 41 } })
    const waiting = take(LONG_MS)
    child.send('release')
    expect((await waiting).left?.pid).toBe(child.pid)
  })

  test('our own lock keeps another process out until its deadline', async () => {
    const lock = await take()
    lock.describe({ generation: 1 })
    const { said } = await startHolder(50)
    expect(said.busy).toMatchObject({ pid: process.pid })
  })

  test('kill -9 of the holder frees it, with what it noted', async () => {
    const { child } = await startHolder()
    const waiting = take(LONG_MS)
    child.kill('SIGKILL')
    const lock = await waiting
    expect(lock.left).toMatchObject({ pid: child.pid, note: { generation: 41 } })
  })

  testIf(NO_SIGNALS)('a holder that is stopped keeps it, and goes on with it afterwards', async () => {
    const { child } = await startHolder()
    child.kill('SIGSTOP')
    expect(await busy(200)).toMatchObject({ pid: child.pid })
    child.kill('SIGCONT')
    const described = once(child, 'message')
    child.send({ generation: 42 })
    await described
    expect(await busy()).toMatchObject({ note: { generation: 42 } })
  })

  test('a reader without the lock never finds half a note', async () => {
    const { child } = await startHolder()
    const found: unknown[] = []
    for (let generation = 100; generation < 160; generation += 1) {
      let described = false
      child.once('message', () => {
        described = true
      })
      child.send({ generation, filler: 'x'.repeat((generation % 7) * 100) })
      while (!described) {
        found.push(peekHolder(path)?.note.generation)
        await new Promise((resume) => setImmediate(resume))
      }
    }
    expect(found.length).toBeGreaterThan(60)
    expect(found.filter((generation) => typeof generation !== 'number')).toEqual([])
  })
})
