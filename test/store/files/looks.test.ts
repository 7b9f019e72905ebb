import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TokenRecord } from '../../../src/oauth/token-set.ts'
import { createLooks } from '../../../src/store/files/looks.ts'
import { ProfileFiles } from '../../../src/store/files/profile-files.ts'
import { createKeys } from '../../../src/store/key.ts'
import { SealedFiles } from '../../../src/store/sealed-files.ts'
import { makeFolder } from '../../support/folder.ts'
import { testIf } from '../../support/needs.ts'
import { type Disk, ID, LONG_MS, makeDisk, storeUpTo } from '../fixture.ts'

const NO_FOLDER_TIMES =
  process.platform === 'win32' ? 'Windows promises no times of folders: there they are read each time' : null

/** Names are looked for in a folder of its own, and counted how often it is read; a clock that stands still. */
function makeLooks() {
  const clock = { now: 10_000 }
  const looks = createLooks(() => clock.now)
  const folder = makeFolder()
  let reads = 0
  const look = (key = 'app') =>
    looks.names(folder, key, async () => {
      reads += 1
      return readdirSync(folder).map((name) => `${key} ${name}`)
    })
  return { clock, folder, look, reads: () => reads }
}

testIf(NO_FOLDER_TIMES)(
  'a folder that stays as it is, is read once when two seconds have passed',
  async () => {
    const { clock, folder, look, reads } = makeLooks()
    writeFileSync(join(folder, 'a'), '')
    for (const now of [10_000, 10_000, 11_999]) {
      clock.now = now
      expect(await look()).toEqual(['app a'])
    }
    // Two changes within one tick of its times look like one.
    expect(reads()).toBe(3)
    clock.now = 12_000
    const settled = await look()
    expect([await look(), await look()]).toEqual([settled, settled])
    expect(reads()).toBe(4)
    expect(await look('other')).toEqual(['other a'])
    expect([await look(), await look('other')]).toEqual([settled, ['other a']])
    expect(reads()).toBe(5)
  },
)

test.each<[string, (folder: string) => void, string[]]>([
  ['added', (folder) => writeFileSync(join(folder, 'b'), ''), ['app a', 'app b']],
  ['changed', (folder) => renameSync(join(folder, 'a'), join(folder, 'c')), ['app c']],
  ['taken away', (folder) => rmSync(join(folder, 'a')), []],
])('a name that is %s is seen by the next look', async (_how, change, expected) => {
  const { clock, folder, look } = makeLooks()
  writeFileSync(join(folder, 'a'), '')
  await look()
  clock.now = 12_000
  expect(await look()).toEqual(['app a'])
  change(folder)
  expect(await look()).toEqual(expected)
  expect(await look()).toEqual(expected)
})

test('a name that comes while the folder is read is seen by the next look', async () => {
  const { clock, folder, look } = makeLooks()
  await look()
  clock.now = 12_000
  const reading = look()
  writeFileSync(join(folder, 'a'), '')
  await reading
  expect(await look()).toEqual(['app a'])
})

test('another process’s new profile is named by the next look', async () => {
  const disk = makeDisk()
  const looking = disk.open().glance()
  expect(await looking.profileNames(ID)).toEqual([])
  await storeUpTo(disk, 1)
  expect(await looking.profileNames(ID)).toEqual(['default'])
  await disk.open().withLock(ID, LONG_MS, (locked) => locked.remove())
  expect(await looking.profileNames(ID)).toEqual([])
})

test('a record that is not there has the generation that there last was, whoever made it in between', async () => {
  const disk = makeDisk()
  const looking = disk.open().glance()
  for (const generation of [1, 2]) {
    await storeUpTo(disk, generation)
    rmSync(disk.path)
    expect(await looking.read(ID)).toEqual({ generation, tokenSet: null })
  }
})

test('a record is an older copy for as long as the lock file says so', async () => {
  const disk = makeDisk()
  await storeUpTo(disk, 1)
  const older = disk.crash()
  await storeUpTo(disk, 2)
  renameSync(older.path, disk.path)
  const looking = disk.open().glance()
  const refusal = async () => (await looking.read(ID)).tokenSet?.refusal?.reason
  expect(await refusal()).toBe('outdated')
  rmSync(`${disk.path}.lock`)
  expect(await refusal()).toBeUndefined()
})

test('a folder that is not there is asked for each time', async () => {
  let now = 10_000
  const looks = createLooks(() => now)
  const folder = join(makeFolder(), 'nowhere')
  let reads = 0
  for (now of [10_000, 12_000, 14_000]) {
    await looks.names(folder, 'app', async () => {
      reads += 1
      return []
    })
  }
  expect(reads).toBe(3)
})

test('a file is opened again when it has changed; what is remembered does not grow for ever', async () => {
  const looks = createLooks(() => 0)
  const folder = makeFolder()
  let opens = 0
  const look = (name: number) => {
    const path = join(folder, String(name))
    return looks.file(path, async () => {
      opens += 1
      return readFileSync(path, 'utf8')
    })
  }
  const names = Array.from({ length: 65 }, (_, name) => name)
  for (const name of names) writeFileSync(join(folder, String(name)), `of ${name}`)
  const first = names.slice(0, 64)
  for (const name of [...first, ...first]) expect(await look(name)).toBe(`of ${name}`)
  expect(opens).toBe(64)
  await look(64)
  expect(opens).toBe(65)
  await look(0)
  expect(opens).toBe(66)
  writeFileSync(join(folder, '0'), 'something else')
  expect([await look(0), await look(0)]).toEqual(['something else', 'something else'])
  expect(opens).toBe(67)
})

/** The files of {@link ID}, and how often its record was read. */
class CountedFiles extends ProfileFiles {
  reads = 0

  constructor({ directory }: Disk) {
    const keys = createKeys({ directory: join(directory, 'key'), source: 'file', environmentKey: null })
    super(new SealedFiles(directory, keys), ID)
  }

  override readRecord(): Promise<TokenRecord> {
    this.reads += 1
    return super.readRecord()
  }
}

test('a record hangs on its lock file for as long as that may make something else of it', async () => {
  const disk = makeDisk()
  await storeUpTo(disk, 1)
  const older = disk.crash()
  const files = new CountedFiles(disk)
  const looks = createLooks(() => 0)
  const lookThrice = async () => {
    const before = files.reads
    await looks.record(files)
    await disk.open().withLock(ID, LONG_MS, async () => undefined)
    await looks.record(files)
    await looks.record(files)
    return files.reads - before
  }
  expect(await lookThrice()).toBe(1)
  await storeUpTo(disk, 2)
  renameSync(older.path, disk.path)
  expect(await lookThrice()).toBe(2)
  rmSync(disk.path)
  expect(await lookThrice()).toBe(2)
})
