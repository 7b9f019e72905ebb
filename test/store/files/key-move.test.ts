import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { temporaryName } from '../../../src/machine/files.ts'
import { Secret } from '../../../src/secret.ts'
import { keyIdOf } from '../../../src/store/envelope.ts'
import { createFileStore } from '../../../src/store/files/file-store.ts'
import { moveKey } from '../../../src/store/files/key-move.ts'
import { ProfileFiles } from '../../../src/store/files/profile-files.ts'
import { createKeys, type Keys } from '../../../src/store/key.ts'
import { acquireLock, type HeldLock } from '../../../src/store/lock.ts'
import { SealedFiles } from '../../../src/store/sealed-files.ts'
import type { TokenStore } from '../../../src/store/token-store.ts'
import { failureOf } from '../../support/failure.ts'
import { ISSUED_AT } from '../../support/token-set.ts'
import { type Disk, ID, LONG_MS, makeDisk, makeRecord, refreshTokenOf, storeUpTo } from '../fixture.ts'

const WORK = { ...ID, profile: 'work' }
const APPS = { default: { app_id: 'cli_a1' } }

let disk: Disk
beforeEach(() => {
  disk = makeDisk()
})

/** The keys of a process that has one in its environment as well. */
function keysOf({ directory }: Disk): Keys {
  const environmentKey = new Secret(Buffer.alloc(32, 7).toString('base64'))
  return createKeys({ directory: join(directory, 'key'), source: 'file', environmentKey })
}

function open(keys: Keys = keysOf(disk)): TokenStore {
  return createFileStore({ directory: disk.directory, keys, now: () => ISSUED_AT })
}

function keyFolder(): string[] {
  return readdirSync(join(disk.directory, 'key'))
}

function pathOf(profile: string): string {
  return disk.path.replace('default', profile)
}

/** Two records, an authorization that is pending beside one and one on its own, and the credentials: five files. */
async function fill(): Promise<void> {
  const store = await storeUpTo(disk, 2)
  await store.withLock(ID, LONG_MS, (locked) => locked.writePending({ state: 'one' }))
  await store.withLock({ ...ID, profile: 'new' }, LONG_MS, (locked) => locked.writePending({ state: 'two' }))
  await store.withLock(WORK, LONG_MS, (locked) => locked.commit(makeRecord(1), 0))
  await store.updateApps(() => APPS)
}

const DONE = { from: ['file'], resealed: 5, left: [], oldKeys: 'removed' }
const NOTHING = { from: [], resealed: 0, left: [], oldKeys: 'removed' }

test('a store that nobody has used yet has no key to move, and is not made by it', async () => {
  expect(await open().moveKey('env')).toEqual(NOTHING)
  expect(existsSync(disk.directory)).toBe(false)
})

test('everything is sealed again, opens with the new key alone, and the old one is gone', async () => {
  await fill()
  writeFileSync(temporaryName(join(disk.directory, 'app.json')), 'x')
  expect(await open().moveKey('env')).toEqual(DONE)
  expect(keyFolder()).toEqual([])
  expect(readdirSync(disk.directory).filter((name) => name.endsWith('.tmp'))).toEqual([])
  const store = open()
  expect(await store.read(ID)).toEqual(makeRecord(2))
  expect(await store.read(WORK)).toEqual(makeRecord(1))
  expect(await store.readPending(ID)).toEqual({ state: 'one' })
  expect(await store.readPending({ ...ID, profile: 'new' })).toEqual({ state: 'two' })
  expect(await store.readApps()).toEqual(APPS)
  expect(store.keySource(ID)).toBe('env')
  expect(await store.moveKey('env')).toEqual(NOTHING)
  // The counter is proved with the new key.
  rmSync(disk.path)
  expect(await open().read(ID)).toEqual({ generation: 2, tokenSet: null })
  await store.withLock(WORK, 0, async () => undefined)
})

test('a name whose record went before its key did is used again: the next record is no older copy', async () => {
  await fill()
  await open().withLock(ID, LONG_MS, (locked) => locked.remove())
  await open().moveKey('env')
  const store = open()
  expect(await store.read(ID)).toEqual({ generation: 2, tokenSet: null })
  await store.withLock(ID, LONG_MS, async (locked) => {
    const { generation, tokenSet } = await locked.read()
    expect([generation, tokenSet]).toEqual([2, null])
    await locked.commit(makeRecord(generation + 1), generation)
  })
  expect(await store.read(ID)).toEqual(makeRecord(3))
})

test('the key of the environment is given up and stays where it is', async () => {
  await fill()
  await open().moveKey('env')
  expect(await open().moveKey('file')).toEqual({ ...DONE, from: ['env'], oldKeys: 'given' })
  expect(await disk.open().read(ID)).toEqual(makeRecord(2))
  expect(keyFolder()).toEqual([expect.stringMatching(/^[0-9a-f]{16}\.key$/)])
})

test('what was noted of a refresh token holds under the new key, and under the one after it', async () => {
  await storeUpTo(disk, 1)
  const present = (store: TokenStore) =>
    store.withLock(ID, LONG_MS, async (locked) => {
      await locked.prepare(refreshTokenOf(1))
      locked.markSent()
      return (await locked.presentations(refreshTokenOf(1))).ambiguous
    })
  expect(await present(disk.open())).toBe(1)
  await open().moveKey('env')
  await open().moveKey('file')
  expect(await present(disk.open())).toBe(2)
  await open().moveKey('env')
  expect(await present(open())).toBe(3)
})

test('a note beside a record without tokens keeps nothing from being sealed again', async () => {
  await storeUpTo(disk, 1)
  await disk.open().withLock(ID, LONG_MS, async (locked) => {
    await locked.commit({ generation: 2, tokenSet: null }, 1)
    await locked.prepare(refreshTokenOf(1))
    locked.markSent()
  })
  expect(await open().moveKey('env')).toEqual({ ...DONE, resealed: 1 })
})

test('a note about another refresh token is left as it is', async () => {
  await storeUpTo(disk, 1)
  await disk.open().withLock(ID, LONG_MS, async (locked) => {
    await locked.prepare(refreshTokenOf(7))
    locked.markSent()
  })
  const before = readFileSync(`${disk.path}.intent`, 'utf8')
  expect(await open().moveKey('env')).toMatchObject({ resealed: 1 })
  expect(readFileSync(`${disk.path}.intent`, 'utf8')).toBe(before)
})

test('a record that cannot be opened is left with its key; the next move goes on', async () => {
  await fill()
  const whole = readFileSync(disk.path)
  writeFileSync(disk.path, String(whole).replace('"sealed":"', '"sealed":"AAAA'))
  const why = expect.stringContaining('its seal does not hold')
  expect(await open().moveKey('env')).toEqual({
    from: ['file'],
    resealed: 3,
    left: [{ path: disk.path, why }],
    oldKeys: 'needed',
  })
  expect(keyFolder()).toHaveLength(2)
  writeFileSync(disk.path, whole, { mode: 0o600 })
  expect(await open().moveKey('env')).toEqual({ ...DONE, resealed: 2 })
  expect(keyFolder()).toEqual([])
})

test('where nothing at all can be opened the move fails with the reason', async () => {
  await storeUpTo(disk, 1)
  writeFileSync(disk.path, String(readFileSync(disk.path)).replace('"sealed":"', '"sealed":"AAAA'))
  const error = await failureOf(() => open().moveKey('env'))
  expect(error).toMatchObject({ code: 'store_unreadable', message: expect.stringContaining(disk.path) })
})

test('a record in the place of another is left there', async () => {
  await fill()
  renameSync(pathOf('work'), pathOf('play'))
  const { left, resealed } = await open().moveKey('env')
  expect(left).toEqual([{ path: pathOf('play'), why: expect.stringContaining('belongs in another place') }])
  expect(resealed).toBe(4)
  for (const name of ['default', 'new']) rmSync(pathOf(name), { force: true })
  for (const name of ['default', 'new']) rmSync(`${pathOf(name)}.pending`)
  rmSync(join(disk.directory, 'app.json'))
  expect(await failureOf(() => open().moveKey('env'))).toMatchObject({
    code: 'store_unreadable',
    nextStep: `Check ${pathOf('play')} and move it away.`,
  })
})

test('a pending authorization that cannot be opened keeps no key', async () => {
  await fill()
  writeFileSync(`${disk.path}.pending`, 'torn', { mode: 0o600 })
  expect(await open().moveKey('env')).toEqual({ ...DONE, resealed: 4 })
})

test.each(['apps', 'token-set', 'authorization'])(
  'a disk that takes no file of the kind %s ends the move',
  async (kind) => {
    await fill()
    class FullDisk extends SealedFiles {
      override seal(...given: Parameters<SealedFiles['seal']>): string {
        if (given[1].kind === kind) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
        return super.seal(...given)
      }
    }
    const keys = keysOf(disk)
    const place = { directory: disk.directory, keys, sealed: new FullDisk(disk.directory, keys), lock }
    expect(await failureOf(() => moveKey(place, 'env'))).toMatchObject({ code: 'store_not_writable' })
    expect(keyFolder()).toEqual(expect.arrayContaining(['move.json']))
    expect(await open().moveKey('env')).toMatchObject({ left: [], oldKeys: 'removed' })
    expect(await open().read(ID)).toEqual(makeRecord(2))
    expect(keyFolder()).toEqual([])
  },
)

async function lock(path: string): Promise<HeldLock> {
  const held = await acquireLock(path, LONG_MS, () => ISSUED_AT)
  if (held?.kind !== 'held') throw new Error('busy')
  return held
}

test('what another process seals with the old key meanwhile is found by the next round', async () => {
  await fill()
  const keys = keysOf(disk)
  const sealed = new SealedFiles(disk.directory, keys)
  const old = await sealed.sealingKey(disk.path)
  const late = { ...ID, profile: 'a' }
  let isLate = true
  const place = {
    directory: disk.directory,
    keys,
    sealed,
    async lock(path: string) {
      if (isLate && path === `${pathOf('work')}.lock`) {
        isLate = false
        const files = new ProfileFiles(sealed, late)
        const text = sealed.seal(old, files.binding('authorization'), 0, { state: 'late' })
        writeFileSync(files.pendingPath, text, { mode: 0o600 })
      }
      return lock(path)
    },
  }
  expect(await moveKey(place, 'env')).toEqual({ ...DONE, resealed: 6 })
  expect(await open().readPending(late)).toEqual({ state: 'late' })
})

test('a move that begins while another one removes the old keys seals with none of them', async () => {
  await fill()
  let asked = (): void => undefined
  const asks = new Promise<void>((resolve) => {
    asked = resolve
  })
  const placeWith = (keys: Keys, onLock = (): void => undefined) => ({
    directory: disk.directory,
    keys,
    sealed: new SealedFiles(disk.directory, keys),
    lock(path: string) {
      onLock()
      return lock(path)
    },
  })
  let back: Promise<unknown> | null = null
  const discard: Keys['discard'] = async (named) => {
    back ??= moveKey(placeWith(keysOf(disk), asked), 'file')
    await asks
    return keysOf(disk).discard(named)
  }
  expect(await moveKey(placeWith({ ...keysOf(disk), discard }), 'env')).toEqual(DONE)
  await back
  expect(await open().read(ID)).toEqual(makeRecord(2))
  expect(open().keySource(ID)).toBe('file')
})

test('a key that a file which was kept aside names stays', async () => {
  await fill()
  writeFileSync(`${disk.path}.corrupt-1`, readFileSync(disk.path), { mode: 0o600 })
  const before = keyFolder()
  expect(await open().moveKey('env')).toEqual({ ...DONE, oldKeys: 'needed' })
  expect(keyFolder()).toEqual(before)
})

test('a key that could not be removed is removed by the next move', async () => {
  await fill()
  const keys = { ...keysOf(disk), discard: () => Promise.reject(new Error('locked')) }
  expect(await open(keys).moveKey('env')).toEqual({ ...DONE, oldKeys: 'stuck' })
  expect(keyFolder()).toHaveLength(2)
  const path = join(disk.directory, 'key', 'move.json')
  writeFileSync(temporaryName(path), 'x')
  writeFileSync(path, readFileSync(path, 'utf8').replace('[', '[null,'), { mode: 0o600 })
  expect(await open().moveKey('env')).toEqual({ ...DONE, resealed: 0 })
  expect(keyFolder()).toEqual([])
})

test.each([
  ['a note that is damaged', '[{"key_so'],
  ['a note that is no list', '{}'],
  [
    'a note that names no keys',
    '[null, 7, {"key_source":"file","key_id":"../app"}, {"key_id":"0123456789abcdef"}]',
  ],
])('%s names nothing to remove', async (_what, note) => {
  await storeUpTo(disk, 1)
  writeFileSync(join(disk.directory, 'key', 'move.json'), note, { mode: 0o600 })
  expect(await open().moveKey('env')).toEqual({ ...DONE, resealed: 1 })
  expect(keyFolder()).toEqual([])
})

test('a key that is in use again is not removed, though it is noted', async () => {
  await storeUpTo(disk, 1)
  const [name] = keyFolder()
  const note = [{ key_source: 'file', key_id: name?.slice(0, 16) }]
  writeFileSync(join(disk.directory, 'key', 'move.json'), JSON.stringify(note), { mode: 0o600 })
  expect(await open().moveKey('file')).toEqual(NOTHING)
  expect(keyFolder()).toEqual([name])
})

test('the move goes on with the key that some file has already, not with another', async () => {
  await storeUpTo(disk, 1)
  const [name = ''] = keyFolder()
  for (const first of Array.from({ length: 256 }, (_, byte) => Buffer.alloc(32, byte))) {
    const other = `${keyIdOf(first)}.key`
    if (other < name)
      writeFileSync(join(disk.directory, 'key', other), first.toString('base64'), { mode: 0o600 })
  }
  expect(keyFolder().sort()[0]).not.toBe(name)
  expect(await open().moveKey('file')).toEqual(NOTHING)
})
