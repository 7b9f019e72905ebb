import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import {
  counted,
  type GenerationNote,
  noteOf,
  noteWith,
  proved,
} from '../../../src/store/files/generation-note.ts'
import type { Key } from '../../../src/store/key.ts'
import type { SealedFiles } from '../../../src/store/sealed-files.ts'
import { type Disk, ID, makeDisk, sealedIn } from '../fixture.ts'

let disk: Disk
let sealed: SealedFiles
let key: Key
beforeEach(async () => {
  disk = makeDisk()
  sealed = sealedIn(disk.directory)
  key = await sealed.sealingKey(disk.path)
})

/** What the note says to those who only look, and to who takes the lock. */
async function believed(note: GenerationNote | null): Promise<[number, number]> {
  return [await proved(sealed, ID, note), await counted(sealed, ID, note)]
}

test('is the one that the last holder of the lock has left', () => {
  const note = noteWith(ID, key, 3)
  expect(noteOf({ kind: 'holder', pid: 1, host: 'here', since: 0, note })).toEqual(note)
})

test.each([
  {},
  { generation: 3 },
  { proof: 'x' },
  { generation: 1.5, proof: 'x' },
  { generation: 3, proof: 4 },
])('%j is none', (note) =>
  expect(noteOf({ kind: 'holder', pid: 1, host: 'here', since: 0, note })).toBeNull(),
)

test('of a lock that nobody ever held is none, and counts nothing', async () => {
  expect(noteOf(null)).toBeNull()
  expect(await believed(null)).toEqual([0, 0])
})

test('counts when its key proves it', async () => {
  expect(await believed(noteWith(ID, key, 3))).toEqual([3, 3])
})

test('with another number, or of another profile, counts nothing', async () => {
  expect(await believed({ ...noteWith(ID, key, 3), generation: 4 })).toEqual([0, 0])
  expect(await believed(noteWith({ ...ID, profile: 'work' }, key, 3))).toEqual([0, 0])
})

test('whose key is gone proves nothing, and is gone on from unless it cannot be', async () => {
  const note = (generation: number) => noteWith(ID, key, generation)
  rmSync(join(disk.directory, 'key'), { recursive: true })
  expect(await believed(note(3))).toEqual([0, 3])
  expect(await believed(note(1e12))).toEqual([0, 1e12])
  expect(await believed(note(1e12 + 1))).toEqual([0, 0])
})
