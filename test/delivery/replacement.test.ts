import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  createSharedFile,
  keptEdits,
  type NameExchange,
  removeLeftovers,
  replaceSharedFile,
} from '../../src/delivery/replacement.ts'
import { temporaryName } from '../../src/machine/files.ts'
import { loadNative } from '../../src/machine/native.ts'
import type { Rename } from '../../src/machine/rename.ts'
import { OWN_FILE, testIf } from '../support/needs.ts'
import { makeHome } from './home.ts'

const { swapSync } = loadNative()
const BASE = Buffer.from('base')
const OURS = Buffer.from('ours')

/** A file `f` in a folder of its own, and what the folder holds at last. */
function makeFile(): { path: string; contents: () => Record<string, string> } {
  const home = makeHome()
  const path = home.put('f', BASE)
  const contents = () =>
    Object.fromEntries(
      readdirSync(home.path).map((name) => [name, readFileSync(join(home.path, name), 'utf8')]),
    )
  return { path, contents }
}

/** Another program's save: a new file renamed onto the old one. */
function saveOver(path: string, text: string): void {
  writeFileSync(`${path}.other`, text)
  renameSync(`${path}.other`, path)
}

test('the file is replaced, for its owner alone, and nothing is left beside it', async () => {
  const { path, contents } = makeFile()
  expect(await replaceSharedFile(path, BASE, OURS)).toBe(true)
  expect(contents()).toEqual({ f: 'ours' })
  expect(statSync(path).mode & 0o777).toBe(OWN_FILE)
})

test('a file that changed since it was read is left as it is', async () => {
  const { path, contents } = makeFile()
  writeFileSync(path, 'theirs')
  expect(await replaceSharedFile(path, BASE, OURS)).toBe(false)
  expect(contents()).toEqual({ f: 'theirs' })
})

test.each([
  ['renamed onto it', saveOver],
  ['written into it', (path: string, text: string) => writeFileSync(path, text)],
])('an edit %s in the very moment of the exchange is given back', async (_how, save) => {
  const { path, contents } = makeFile()
  let exchanges = 0
  const exchange: NameExchange = (from, to) => {
    if (exchanges++ === 0) save(path, 'theirs')
    swapSync(from, to)
  }
  expect(await replaceSharedFile(path, BASE, OURS, { exchange })).toBe(false)
  expect(contents()).toEqual({ f: 'theirs' })
})

test('an editor that has truncated the file when the exchange comes writes to the right file', async () => {
  const { path, contents } = makeFile()
  const { openSync, writeSync, closeSync } = await import('node:fs')
  let fd = -1
  const exchange: NameExchange = (from, to) => {
    if (fd === -1) fd = openSync(path, 'w')
    swapSync(from, to)
  }
  expect(await replaceSharedFile(path, BASE, OURS, { exchange })).toBe(false)
  writeSync(fd, 'theirs')
  closeSync(fd)
  expect(contents()).toEqual({ f: 'theirs' })
})

test('two edits within the same moment are both kept, and no clean-up removes one', async () => {
  const { path, contents } = makeFile()
  let exchanges = 0
  const exchange: NameExchange = (from, to) => {
    saveOver(path, `theirs ${++exchanges}`)
    swapSync(from, to)
  }
  await expect(replaceSharedFile(path, BASE, OURS, { exchange })).rejects.toThrow(
    /twice in the same moment.*kept as .*\.kept$/,
  )
  removeLeftovers(path, Number.NEGATIVE_INFINITY)
  expect(Object.values(contents()).sort()).toEqual(['theirs 1', 'theirs 2'])
  expect(keptEdits(path).map((kept) => readFileSync(kept, 'utf8'))).toHaveLength(1)
})

test('an edit that brings back what the file held before is kept as well', async () => {
  const { path, contents } = makeFile()
  const edits = ['theirs', String(BASE)]
  const exchange: NameExchange = (from, to) => {
    saveOver(path, edits.shift() ?? '')
    swapSync(from, to)
  }
  await expect(replaceSharedFile(path, BASE, OURS, { exchange })).rejects.toThrow(/kept as .*\.kept$/)
  removeLeftovers(path, Number.NEGATIVE_INFINITY)
  expect(Object.values(contents()).sort()).toEqual(['base', 'theirs'])
})

test('an edit that the exchange takes is still there after a kill in that moment, whatever is cleaned up', async () => {
  const { path, contents } = makeFile()
  let left: Record<string, string> = {}
  const exchange: NameExchange = (from, to) => {
    if (Object.keys(left).length === 0) saveOver(path, 'theirs')
    swapSync(from, to)
    if (Object.keys(left).length > 0) return
    removeLeftovers(path, Number.NEGATIVE_INFINITY)
    left = contents()
  }
  expect(await replaceSharedFile(path, BASE, OURS, { exchange })).toBe(false)
  expect(left).toEqual({
    f: 'ours',
    [Object.keys(left).find((name) => /^f\..{6}(\..{12}){2}\.kept$/.test(name)) ?? '']: 'theirs',
  })
  expect(contents()).toEqual({ f: 'theirs' })
})

test.each<[when: string, edit: string | null, at: 'before' | 'after', left: string[]]>([
  ['before the exchange', null, 'before', ['base']],
  ['after the exchange', null, 'after', ['ours']],
  ['after an exchange that took an edit', 'theirs', 'after', ['ours', 'theirs']],
])(
  'what a delivery leaves that is killed %s is removed by the next one, but for an edit',
  async (_when, edit, at, left) => {
    const { path, contents } = makeFile()
    let killed: Record<string, string> = {}
    const isAlive = () => Object.keys(killed).length === 0
    const exchange: NameExchange = (from, to) => {
      if (edit !== null && isAlive()) saveOver(path, edit)
      if (at === 'before' && isAlive()) killed = contents()
      swapSync(from, to)
      if (isAlive()) killed = contents()
    }
    await replaceSharedFile(path, BASE, OURS, { exchange })
    const home = makeHome()
    for (const [name, text] of Object.entries(killed)) home.put(name, text)
    home.put('f.edited.kept', 'kept by its owner')
    home.put('g.aaaaaa.0123456789ab.0123456789ab.kept', 'of another file')
    const names = readdirSync(home.path)
    const edits = keptEdits(join(home.path, 'f')).map((kept) => readFileSync(kept, 'utf8'))
    // A name that looks like one of ours is told, too; what a delivery left of its own is not.
    expect(edits.sort()).toEqual(['kept by its owner', ...left.filter((text) => text === edit)])
    removeLeftovers(join(home.path, 'f'))
    expect(readdirSync(home.path)).toEqual(names)
    removeLeftovers(join(home.path, 'f'), Number.NEGATIVE_INFINITY)
    const texts = readdirSync(home.path).map((name) => readFileSync(join(home.path, name), 'utf8'))
    expect(texts.sort()).toEqual([...left, 'kept by its owner', 'of another file'].sort())
  },
)

test('where the file system cannot exchange, the file is renamed', async () => {
  const unknown: NameExchange = () => {
    throw Object.assign(new Error('EINVAL: invalid argument'), { code: 'EINVAL' })
  }
  for (const exchange of [null, unknown]) {
    const { path, contents } = makeFile()
    expect(await replaceSharedFile(path, BASE, OURS, { exchange })).toBe(true)
    expect(contents()).toEqual({ f: 'ours' })
  }
})

/** Mounting a file upon another one takes root, as in a container. */
const MOUNT = spawnSync('unshare', ['-m', 'true']).status === 0 ? null : 'root, who may mount'

testIf(MOUNT)('a file that is mounted by itself is refused at once, with what to do', async () => {
  const home = makeHome()
  const path = home.put('a folder/f', BASE)
  execFileSync('mount', ['--bind', home.put('source', BASE), path])
  onTestFinished(() => void execFileSync('umount', [path]))
  let renames = 0
  const rename: Rename = () => {
    renames += 1
  }
  await expect(replaceSharedFile(path, BASE, OURS, { rename })).rejects.toThrow(
    /^EBUSY: .*a folder\/f is mounted by itself.*mount the folder/,
  )
  expect(renames).toBe(0)
  expect(readFileSync(path, 'utf8')).toBe('base')
  expect(readdirSync(join(home.path, 'a folder'))).toEqual(['f'])
})

test('an edit that is saved while the system refuses the rename is left as it is', async () => {
  const { path, contents } = makeFile()
  let renames = 0
  const rename: Rename = (from, to) => {
    renames += 1
    if (renames > 1) return renameSync(from, to)
    writeFileSync(path, 'theirs')
    throw Object.assign(new Error('EBUSY: resource busy or locked'), { code: 'EBUSY' })
  }
  expect(await replaceSharedFile(path, BASE, OURS, { exchange: null, rename })).toBe(false)
  expect(contents()).toEqual({ f: 'theirs' })
})

test('a file that is only read while the system refuses the rename is replaced after that', async () => {
  const { path, contents } = makeFile()
  let renames = 0
  const rename: Rename = (from, to) => {
    renames += 1
    if (renames > 2) return renameSync(from, to)
    throw Object.assign(new Error('EBUSY: resource busy or locked'), { code: 'EBUSY' })
  }
  expect(await replaceSharedFile(path, BASE, OURS, { exchange: null, rename })).toBe(true)
  expect(contents()).toEqual({ f: 'ours' })
})

test('a file that was removed meanwhile is not created again', async () => {
  const home = makeHome()
  expect(await replaceSharedFile(join(home.path, 'gone'), BASE, OURS)).toBe(false)
  expect(readdirSync(home.path)).toEqual([])
})

test('a new file is never put over one that is there', async () => {
  const { path, contents } = makeFile()
  expect(await createSharedFile(path, OURS)).toBe(false)
  expect(contents()).toEqual({ f: 'base' })
})

test('what a killed delivery left is removed, once it is old, and nothing else', () => {
  const home = makeHome()
  const path = home.put('f', BASE)
  mkdirSync(join(home.path, 'folder.tmp'))
  home.put('f.other.tmp', 'another program’s')
  writeFileSync(temporaryName(join(home.path, '.feishu-token-mcp')), 'left')
  removeLeftovers(path)
  expect(readdirSync(home.path)).toHaveLength(4)
  removeLeftovers(path, Number.NEGATIVE_INFINITY)
  expect(readdirSync(home.path).sort()).toEqual(['f', 'f.other.tmp', 'folder.tmp'])
})
