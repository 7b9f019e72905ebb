import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { isKeyNamed } from '../../src/store/key-names.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_LINKS, testIf } from '../support/needs.ts'

const ID = '0123456789abcdef'

let directory: string
beforeEach(() => {
  directory = makeFolder()
})

/** Puts a sealed file of that key in a place below the directory, after so many other bytes. */
function put(path: string, before = 0, keyId = ID): void {
  mkdirSync(join(directory, path, '..'), { recursive: true })
  writeFileSync(join(directory, path), `${' '.repeat(before)}{"key_id":"${keyId}","sealed":"x"}\n`)
}

test.each([
  ['in the directory itself', 'app.json', 0, true],
  ['in a folder of a folder, beside others', 'postgres/1f/store/a.json.corrupt-2026', 0, true],
  ['among the keys', 'key/move.json', 0, false],
  ['in a file of that name', 'key', 0, true],
  ['where no head is', 'store/a.json', 1_024, false],
  ['at the end of a head', 'store/a.json', 900, true],
])('a key that is named %s', (_where, path, before, named) => {
  put('other.json', 0, 'fedcba9876543210')
  expect(isKeyNamed(directory, ID)).toBe(false)
  put(path, before)
  expect(isKeyNamed(directory, ID)).toBe(named)
})

testIf(NO_LINKS)('what lies elsewhere, behind a link, names no key', () => {
  const elsewhere = makeFolder()
  writeFileSync(join(elsewhere, 'a.json'), `{"key_id":"${ID}"}`)
  symlinkSync(join(elsewhere, 'a.json'), join(directory, 'a.json'))
  symlinkSync(elsewhere, join(directory, 'folder'))
  expect(isKeyNamed(directory, ID)).toBe(false)
})

/** An id that, once the first file was read, does something to both. */
function idThat(change: (path: string) => void): string {
  const paths = ['a.json', 'b.json'].map((name) => join(directory, name))
  for (const path of paths) writeFileSync(path, '')
  const asText = () => {
    for (const path of paths.splice(0)) {
      rmSync(path)
      change(path)
    }
    return ID
  }
  return { toString: asText } as unknown as string
}

testIf(NO_LINKS)(
  'a file that has just gone names no key; one that cannot be read may, and is an error',
  () => {
    const gone = idThat(() => undefined)
    expect(isKeyNamed(directory, gone)).toBe(false)
    const unreadable = idThat((path) => symlinkSync(path, path))
    expect(() => isKeyNamed(directory, unreadable)).toThrow('ELOOP')
  },
)

test('each file is closed again', () => {
  const nextFd = (): number => {
    const fd = openSync(join(directory, 'app.json'), 'r')
    closeSync(fd)
    return fd
  }
  put('app.json')
  const before = nextFd()
  isKeyNamed(directory, ID)
  expect(nextFd()).toBe(before)
})
