// Folders outside the person's own on Windows, as far as any system can try it: what is asked of icacls, and when.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Close, closerOf, createExposure } from '../../src/machine/closed-folder.ts'
import { ensureOwnDirectory } from '../../src/machine/own-directory.ts'
import { failureOf } from '../support/failure.ts'
import { makeFolder } from '../support/folder.ts'

const HOME = 'C:\\Users\\kim'
const KIM = 'S-1-5-21-1004336348-1177238915-682003330-1001'
const WHO = `"desk\\S-1-2","${KIM}"\r\n`

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
        `*${KIM}:(OI)(CI)F`,
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

describe('a folder elsewhere that is there', () => {
  /** A system in which `rights` are those of any folder. Notes what it was asked. */
  const system = (rights: string, asked: string[][] = []) => ({
    asked,
    run: (program: string, args: string[]) => {
      asked.push([program, ...args])
      if (program === 'whoami.exe') return WHO
      writeFileSync(args[2] as string, `\uFEFFtokens\r\n${rights}\r\n`, 'utf16le')
      return ''
    },
  })
  const environment = { USERDOMAIN: 'DESK', USERNAME: 'kim' }
  const exposure = (path: string, run: ReturnType<typeof system>['run']) =>
    createExposure(path, HOME, environment, run)

  test.each([
    ['as this program closes it', `D:PAI(A;OICI;FA;;;${KIM})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)`],
    ['as the warning’s commands close it', `D:PAI(A;OICI;FA;;;${KIM})`],
    ['closed by the folder above it', `D:AI(A;OICIID;FA;;;${KIM})(A;OICIID;FA;;;S-1-5-18)(A;ID;FA;;;LA)`],
    ['with guests kept out expressly', `D:PAI(D;OICI;FA;;;BG)(A;OICI;FA;;;${KIM})`],
  ])('%s is not warned of, and not asked about again', (_name, rights) => {
    const { run, asked } = system(rights)
    const path = makeFolder()
    const told = exposure(path, run)
    expect([told(), told()]).toEqual([null, null])
    expect(asked).toEqual([
      ['icacls.exe', path, '/save', expect.any(String), '/q'],
      ['whoami.exe', '/user', '/fo', 'csv', '/nh'],
    ])
    expect(existsSync(join(asked[0]?.[3] as string, '..'))).toBe(false)
  })

  test.each([
    [
      'as a disk has it',
      'D:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1301bf;;;AU)(A;OICIID;0x1200a9;;;BU)',
    ],
    ['with another person', `D:PAI(A;OICI;FA;;;${KIM})(A;;FR;;;${KIM}2)`],
    ['with a condition', `D:PAI(A;OICI;FA;;;${KIM})(XA;;FR;;;WD;(@USER.x == 1))`],
    ['without any list, which lets everybody in', 'D:NO_ACCESS_CONTROL'],
    ['with an empty list', 'D:P'],
    ['with what is no list', ''],
  ])('%s is warned of, with what closes it', (_name, rights) => {
    const path = makeFolder()
    const told = exposure(path, system(rights).run)
    expect(String(told())).toContain(
      `icacls "${path}" /reset, then icacls "${path}" /inheritance:r /grant:r "DESK\\kim:(OI)(CI)F"`,
    )
    expect(told()).toBe(told())
  })

  test('is warned of where the system says nothing, and until it is closed', () => {
    const path = makeFolder()
    const failing = () => {
      throw new Error('no such program')
    }
    expect(exposure(path, failing)()).not.toBeNull()
    const rights = [`D:AI(A;;FA;;;WD)`, `D:P(A;;FA;;;${KIM})`]
    const told = exposure(path, (...call) => system(rights[0] as string).run(...call))
    expect(told()).not.toBeNull()
    rights.shift()
    expect(told()).toBeNull()
  })

  test('is asked about only where it lies outside the own folder, and is there', () => {
    const { run, asked } = system('D:NO_ACCESS_CONTROL')
    const path = makeFolder()
    expect(createExposure(join(path, 'x'), path, environment, run)()).toBeNull()
    expect(exposure(join(path, 'not-there-yet'), run)()).toBeNull()
    expect(asked).toEqual([])
  })
})
