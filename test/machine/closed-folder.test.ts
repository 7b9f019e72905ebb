// Folders outside the person's own on Windows, as far as any system can try it: what is asked of icacls, and when.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Close, closerOf } from '../../src/machine/closed-folder.ts'
import { ensureOwnDirectory } from '../../src/machine/own-directory.ts'
import { failureOf } from '../support/failure.ts'
import { makeFolder } from '../support/folder.ts'

const HOME = 'C:\\Users\\kim'
const WHO = '"desk\\S-1-2","S-1-5-21-1004336348-1177238915-682003330-1001"\r\n'

test('the person alone, the system and its administrators get a folder elsewhere', () => {
  const asked: [string, string[]][] = []
  const run = (program: string, args: string[]) => {
    asked.push([program, args])
    return WHO
  }
  closerOf('D:\\tokens', HOME, run)?.('D:\\tokens.tmp')
  expect(asked).toEqual([
    ['whoami.exe', ['/user', '/fo', 'csv', '/nh']],
    [
      'icacls.exe',
      [
        'D:\\tokens.tmp',
        '/inheritance:r',
        '/grant:r',
        '*S-1-5-21-1004336348-1177238915-682003330-1001:(OI)(CI)F',
        '*S-1-5-18:(OI)(CI)F',
        '*S-1-5-32-544:(OI)(CI)F',
        '/q',
      ],
    ],
  ])
})

test('nothing is asked in the own folder, which is nobody else’s', () => {
  const own = ['C:\\Users\\kim\\x', 'c:\\users\\KIM\\x\\y', HOME]
  expect(own.map((path) => closerOf(path, HOME))).toEqual([null, null, null])
  expect(['C:\\Users\\kimono', '\\\\server\\share\\x'].map((path) => typeof closerOf(path, HOME))).toEqual([
    'function',
    'function',
  ])
})

test.each<[string, (program: string) => string]>([
  ['whoami names no one', () => '"desk\\kim"'],
  [
    'icacls fails, as on a disk without permissions',
    (program) => {
      if (program === 'icacls.exe') throw new Error('1')
      return WHO
    },
  ],
])('where %s the folder is refused, with what to do', async (_why, run) => {
  const error = await failureOf(() => closerOf('D:\\tokens', HOME, run)?.('D:\\tokens.tmp'))
  expect([error.code, error.message]).toEqual(['config_invalid', expect.stringContaining('D:\\tokens ')])
  expect(error.nextStep).toContain(HOME)
})

test('a folder has its name only when it is closed, and what is made in it is not closed once more', () => {
  const root = makeFolder()
  const path = join(root, 'a', 'b')
  const closed: string[] = []
  const close: Close = (folder) => {
    closed.push(folder)
    expect([existsSync(folder), existsSync(join(root, 'a'))]).toEqual([true, false])
  }
  ensureOwnDirectory(path, close)
  ensureOwnDirectory(path, close)
  expect([closed.length, existsSync(path), readdirSync(root)]).toEqual([1, true, ['a']])
})

test('one that cannot be closed, or that somebody was faster to fill, is not left behind', async () => {
  const root = makeFolder()
  const broken: Close = () => {
    throw new Error('it has no permissions')
  }
  await expect(async () => ensureOwnDirectory(join(root, 'a'), broken)).rejects.toThrow('no permissions')
  const error = await failureOf(() =>
    ensureOwnDirectory(join(root, 'a'), (folder) => writeFileSync(join(folder, 'theirs'), '')),
  )
  expect([error.code, readdirSync(root)]).toEqual(['store_unreadable', []])
})

test('one that another copy made meanwhile is taken', () => {
  const root = makeFolder()
  ensureOwnDirectory(join(root, 'a'), () => {
    mkdirSync(join(root, 'a'), { mode: 0o700 })
    writeFileSync(join(root, 'a', 'key'), '')
  })
  expect([readdirSync(root), readdirSync(join(root, 'a'))]).toEqual([['a'], ['key']])
})
