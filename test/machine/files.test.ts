import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { errnoOf } from '../../src/errors.ts'
import {
  createFileOnce,
  isMissing,
  isTemporaryNameOf,
  openOwnFile,
  readOwnFile,
  removeFile,
  replaceFile,
  reserveFile,
  temporaryName,
} from '../../src/machine/files.ts'
import { readForeignFile, readForeignSource } from '../../src/machine/foreign-file.ts'
import { ensureOwnDirectory } from '../../src/machine/own-directory.ts'
import { renameFile } from '../../src/machine/rename.ts'
import { failureOf } from '../support/failure.ts'
import { makeFolder } from '../support/folder.ts'
import {
  NO_LINKS,
  NO_MODES,
  NO_SPECIAL_FILES,
  OWN_FILE,
  OWN_FOLDER,
  skipIf,
  testIf,
} from '../support/needs.ts'
import { setUmask } from '../support/umask.ts'

const IS_ROOT = process.geteuid?.() === 0
const NOT_ROOT = 'not root: only root can give files away'
const SOMEBODY = 12_345
const ON_A_FOLDER = process.platform === 'win32' ? 'EPERM' : 'EISDIR'
/** Windows has no word for a path that goes through a file. */
const NOT_A_FOLDER = process.platform === 'win32' ? 'ENOENT' : 'ENOTDIR'

let folder = ''
beforeEach(() => {
  folder = makeFolder()
  setUmask(0)
})

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

function plant(name: string, content: string, mode = 0o600): string {
  const path = join(folder, name)
  writeFileSync(path, content, { mode })
  return path
}

describe('our directory', () => {
  test('is made for its owner alone, parents included, whatever the umask', () => {
    ensureOwnDirectory(join(folder, 'a', 'b 你好'))
    expect([modeOf(join(folder, 'a')), modeOf(join(folder, 'a', 'b 你好'))]).toEqual([OWN_FOLDER, OWN_FOLDER])
  })

  testIf(NO_MODES)('that lets others in is closed', () => {
    chmodSync(folder, 0o755)
    ensureOwnDirectory(folder)
    expect(modeOf(folder)).toBe(0o700)
  })

  testIf(NO_MODES)('that is meant for everybody is refused and left as it is', async () => {
    chmodSync(folder, 0o1777)
    const error = await failureOf(() => ensureOwnDirectory(folder))
    expect([error.code, statSync(folder).mode & 0o7777]).toEqual(['config_invalid', 0o1777])
  })

  test('that lets others in and holds files of theirs is refused and left as it is', async (ctx) => {
    if (!IS_ROOT) ctx.skip(NOT_ROOT)
    chmodSync(folder, 0o777)
    chownSync(plant('theirs', ''), SOMEBODY, SOMEBODY)
    const error = await failureOf(() => ensureOwnDirectory(folder))
    expect([error.code, modeOf(folder)]).toEqual(['config_invalid', 0o777])
  })

  testIf(NO_LINKS)('may be a link to a directory of ours', () => {
    symlinkSync(join(folder, 'real'), join(folder, 'link'))
    mkdirSync(join(folder, 'real'))
    ensureOwnDirectory(join(folder, 'link'))
    expect(modeOf(join(folder, 'real'))).toBe(OWN_FOLDER)
  })

  test('that belongs to somebody else is refused and left as it is', async (ctx) => {
    if (!IS_ROOT) ctx.skip(NOT_ROOT)
    chmodSync(folder, 0o755)
    chownSync(folder, SOMEBODY, SOMEBODY)
    const error = await failureOf(() => ensureOwnDirectory(folder))
    expect(error).toMatchObject({
      code: 'config_invalid',
      nextStep: expect.stringContaining('FEISHU_TOKEN_DIR'),
    })
    expect(error.message).toContain(folder)
    expect(modeOf(folder)).toBe(0o755)
  })

  test('that is a file is an error', () => {
    expect(() => ensureOwnDirectory(plant('f', ''))).toThrow('EEXIST')
    expect(() => ensureOwnDirectory(join(plant('g', ''), 'below'))).toThrow(NOT_A_FOLDER)
  })
})

/** A file that others may read, where there are modes. */
const OPEN_FILE = NO_MODES === null ? 0o644 : OWN_FILE

/** What an attacker, or an accident, puts under one of our names. */
const PLANTED: [what: string, missing: string | null, put: (path: string, victim: string) => unknown][] = [
  ['a symbolic link', NO_LINKS, (path, victim) => symlinkSync(victim, path)],
  ['a dangling symbolic link', NO_LINKS, (path) => symlinkSync(join(folder, 'nowhere'), path)],
  ['a symbolic link to itself', NO_LINKS, (path) => symlinkSync(basename(path), path)],
  ['a FIFO', NO_SPECIAL_FILES, (path) => execFileSync('mkfifo', [path])],
  ['a directory', null, (path) => mkdirSync(path)],
  [
    'a socket',
    NO_SPECIAL_FILES,
    async (path) => {
      const server = createServer().listen(path)
      onTestFinished(() => void server.close())
      await once(server, 'listening')
    },
  ],
  ['a device', NO_SPECIAL_FILES, (path) => symlinkSync('/dev/zero', path)],
]

describe.each(PLANTED)('%s under our name', (_what, missing, put) => {
  beforeEach((context) => skipIf(missing, context))

  const ways: [string, number][] = [
    ['reading', constants.O_RDONLY],
    ['writing', constants.O_WRONLY | constants.O_CREAT],
    ['both', constants.O_RDWR | constants.O_CREAT],
    ['appending', constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT],
  ]

  test.each(ways)('is refused for %s, at once, with its path, and touched in no way', async (_how, flags) => {
    const victim = plant('victim', 'keep me', 0o644)
    const path = join(folder, 'ours')
    await put(path, victim)
    const before = lstatSync(path)
    const error = await failureOf(() => openOwnFile(path, flags))
    expect(error.code).toBe('store_unreadable')
    expect(`${error.message} ${error.nextStep}`).toContain(path)
    expect(lstatSync(path)).toMatchObject({ ino: before.ino, mode: before.mode })
    expect([readFileSync(victim, 'utf8'), modeOf(victim)]).toEqual(['keep me', OPEN_FILE])
    expect(existsSync(join(folder, 'nowhere'))).toBe(false)
  })

  test('is not read', async () => {
    const path = join(folder, 'ours')
    await put(path, plant('victim', 'keep me'))
    expect((await failureOf(() => readOwnFile(path, 1_000))).code).toBe('store_unreadable')
  })

  test('is replaced by our file, never written through, unless it is a directory', async () => {
    const victim = plant('victim', 'keep me', 0o644)
    const path = join(folder, 'ours')
    await put(path, victim)
    if (lstatSync(path).isDirectory()) expect(() => replaceFile(path, 'new')).toThrow(ON_A_FOLDER)
    else {
      replaceFile(path, 'new')
      expect(lstatSync(path).isFile()).toBe(true)
      expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['new', OWN_FILE])
    }
    expect([readFileSync(victim, 'utf8'), modeOf(victim)]).toEqual(['keep me', OPEN_FILE])
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('a file of ours', () => {
  test('is created for its owner alone, whatever the umask', () => {
    const path = join(folder, 'f')
    closeSync(openOwnFile(path, constants.O_RDWR | constants.O_CREAT))
    expect(modeOf(path)).toBe(OWN_FILE)
  })

  test.for(['644', '666', '640', '604', '777'])('of mode %s is closed to others', (mode, context) => {
    skipIf(NO_MODES, context)
    const path = plant('f', 'x')
    chmodSync(path, Number.parseInt(mode, 8))
    expect(readOwnFile(path, 10)?.toString()).toBe('x')
    expect(modeOf(path)).toBe(0o600)
  })

  test('that belongs to somebody else is refused', async (ctx) => {
    if (!IS_ROOT) ctx.skip(NOT_ROOT)
    const path = plant('f', 'x', 0o644)
    chownSync(path, SOMEBODY, SOMEBODY)
    expect((await failureOf(() => readOwnFile(path, 10))).message).toContain('belongs to another user')
    expect(modeOf(path)).toBe(0o644)
  })

  test('with a second name is read, since backups make such, but not written in place', async () => {
    const path = plant('f', 'x')
    linkSync(path, join(folder, 'victim'))
    expect(readOwnFile(path, 10)?.toString()).toBe('x')
    const error = await failureOf(() => openOwnFile(path, constants.O_RDWR, { inPlace: true }))
    expect(error.message).toContain('second name')
    replaceFile(path, 'new')
    expect(readFileSync(join(folder, 'victim'), 'utf8')).toBe('x')
  })

  test('is null when there is none', () => {
    expect(readOwnFile(join(folder, 'none'), 10)).toBeNull()
    expect(readOwnFile(join(folder, 'no', 'folder', 'either'), 10)).toBeNull()
  })

  test('is not taken for absent when its folder is no folder', () => {
    expect(() => readOwnFile(join(plant('f', ''), 'x'), 10)).toThrow('ENOTDIR')
  })

  test('that is too large is refused, unread', async () => {
    expect(readOwnFile(plant('f', 'x'.repeat(10)), 10)).toHaveLength(10)
    expect((await failureOf(() => readOwnFile(plant('f', 'x'.repeat(11)), 10))).message).toContain(
      'larger than 10',
    )
  })
})

testIf(NO_LINKS)(
  'a link is refused too where the system follows it whatever it is told, as Windows does',
  async () => {
    const victim = plant('victim', 'keep me')
    symlinkSync(victim, join(folder, 'link'))
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'))
    const flags = constants.O_RDWR | constants.O_CREAT
    for (const name of ['link', 'dangling']) {
      const error = await failureOf(() => openOwnFile(join(folder, name), flags, { noFollow: 0 }))
      expect(error).toMatchObject({
        code: 'store_unreadable',
        message: expect.stringContaining('symbolic link'),
      })
    }
    expect(existsSync(join(folder, 'nowhere'))).toBe(false)
    closeSync(openOwnFile(victim, constants.O_RDWR, { noFollow: 0 }))
  },
)

describe('a file that the person named', () => {
  testIf(NO_LINKS)('is read through links, whoever may read it, up to the limit', () => {
    const path = plant('f', 'x'.repeat(100), 0o644)
    symlinkSync(path, join(folder, 'link'))
    expect(readForeignFile(join(folder, 'link'), 10)).toBe('x'.repeat(10))
    expect(modeOf(path)).toBe(OPEN_FILE)
  })

  testIf(NO_SPECIAL_FILES)('that is a FIFO keeps nobody waiting', () => {
    const path = join(folder, 'fifo')
    execFileSync('mkfifo', [path])
    expect(() => readForeignFile(path, 10)).toThrow('ESPIPE')
  })

  testIf(NO_SPECIAL_FILES)(
    'that is a pipe is read to its end, and is empty where nobody writes to it',
    async () => {
      const path = join(folder, 'fifo')
      execFileSync('mkfifo', [path])
      expect(await readForeignSource(path, 10)).toBe('')
      for (const early of ['the first half, ', '']) {
        const writer = openSync(path, constants.O_RDWR)
        writeSync(writer, early)
        const reading = readForeignSource(path, 100)
        writeSync(writer, 'the rest')
        closeSync(writer)
        expect(await reading).toBe(`${early}the rest`)
      }
      const writer = openSync(path, constants.O_RDWR)
      writeSync(writer, 'too long')
      const reading = readForeignSource(path, 5)
      closeSync(writer)
      expect(await reading).toBe('')
      expect(await readForeignSource(plant('f', 'plain'), 100)).toBe('plain')
    },
  )

  test('that is not there is an error with its errno', () => {
    expect(() => readForeignFile(join(folder, 'none'), 10)).toThrow('ENOENT')
  })

  test.each([
    ['UTF-8', Buffer.from('geheim 飞书')],
    ['UTF-16 as PowerShell writes it', Buffer.from('\ufeffgeheim 飞书', 'utf16le')],
    ['UTF-16, big end first', Buffer.from('\ufeffgeheim 飞书', 'utf16le').swap16()],
  ])('is read as text in %s', (_form, bytes) => {
    const path = join(folder, 'text')
    writeFileSync(path, bytes)
    expect(readForeignFile(path, 100)).toBe('geheim 飞书')
  })
})

describe('replacing a file', () => {
  test('leaves the new bytes, its owner alone, and nothing beside', () => {
    const path = plant('f', 'old', 0o666)
    replaceFile(path, Buffer.from('new'))
    expect([readFileSync(path, 'utf8'), modeOf(path), readdirSync(folder)]).toEqual(['new', OWN_FILE, ['f']])
  })

  test('that fails leaves what was there, and nothing beside', () => {
    mkdirSync(join(folder, 'f'))
    expect(() => replaceFile(join(folder, 'f'), 'new')).toThrow(ON_A_FOLDER)
    expect(() => replaceFile(join(folder, 'none', 'f'), 'new')).toThrow('ENOENT')
    expect(readdirSync(folder)).toEqual(['f'])
  })

  test('gives another inode, so that an open reader keeps its bytes', () => {
    const path = plant('f', 'old')
    const { ino } = statSync(path)
    replaceFile(path, 'new')
    expect(statSync(path).ino).not.toBe(ino)
  })

  test('waits, where it is told to, for those who read it', () => {
    const path = plant('f', 'old')
    const refusals = ['EPERM', 'EACCES', 'EBUSY']
    const rename = (from: string, to: string) => {
      const code = refusals.shift()
      if (code) throw Object.assign(new Error(code), { code })
      renameSync(from, to)
    }
    replaceFile(path, 'new', { patient: true, rename })
    expect(readFileSync(path, 'utf8')).toBe('new')
    refusals.push('EPERM')
    expect(() => replaceFile(path, 'newer', { patient: false, rename })).toThrow('EPERM')
    refusals.push('ENOSPC')
    expect(() => replaceFile(path, 'newer', { patient: true, rename })).toThrow('ENOSPC')
    expect([readFileSync(path, 'utf8'), readdirSync(folder)]).toEqual(['new', ['f']])
  })
})

test('a file is created once and never over anything', () => {
  const path = join(folder, 'f')
  expect(createFileOnce(path, Buffer.from('first'))).toBe(true)
  expect(createFileOnce(path, Buffer.from('second'))).toBe(false)
  expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['first', OWN_FILE])
})

testIf(NO_LINKS)('a file is created over no link either', () => {
  symlinkSync(join(folder, 'nowhere'), join(folder, 'link'))
  expect(createFileOnce(join(folder, 'link'), Buffer.from('x'))).toBe(false)
  expect(readlinkSync(join(folder, 'link'))).toBe(join(folder, 'nowhere'))
  expect(existsSync(join(folder, 'nowhere'))).toBe(false)
})

testIf(NO_LINKS)('removing takes the link and not its target, and minds nothing that is missing', () => {
  const victim = plant('victim', 'keep me')
  symlinkSync(victim, join(folder, 'link'))
  removeFile(join(folder, 'link'))
  removeFile(join(folder, 'link'))
  removeFile(join(folder, 'no', 'folder'))
  expect([readFileSync(victim, 'utf8'), readdirSync(folder)]).toEqual(['keep me', ['victim']])
})

test('a rename that can never be fails at once', async () => {
  let attempts = 0
  const rename = (from: string, to: string) => {
    attempts += 1
    renameSync(from, to)
  }
  await expect(renameFile(join(folder, 'none'), join(folder, 'f'), { rename })).rejects.toThrow('ENOENT')
  expect(attempts).toBe(1)
})

describe('a reserved file', () => {
  test('holds its blocks before they are needed, and is exactly the data afterwards', async () => {
    const path = plant('f', 'old')
    const reserved = reserveFile(join(folder, 'f.next'), path, 32_768)
    expect(statSync(join(folder, 'f.next'))).toMatchObject({ size: 32_768, blocks: 64 })
    expect(modeOf(join(folder, 'f.next'))).toBe(OWN_FILE)
    await reserved.commit(Buffer.from('new'))
    expect([readFileSync(path, 'utf8'), readdirSync(folder)]).toEqual(['new', ['f']])
  })

  test('takes more than was reserved', async () => {
    const path = join(folder, 'f')
    await reserveFile(join(folder, 'f.next'), path, 10).commit(Buffer.alloc(100_000, 'x'))
    expect(statSync(path).size).toBe(100_000)
  })

  test('that is given up is gone, and one that is left holds what it held', () => {
    const path = join(folder, 'f')
    reserveFile(join(folder, 'f.next'), path, 10).discard()
    expect(readdirSync(folder)).toEqual([])
    reserveFile(join(folder, 'f.next'), path, 10).leave()
    expect(readFileSync(join(folder, 'f.next'), 'utf8')).toBe(' '.repeat(10))
  })

  testIf(NO_LINKS)('never takes a name that is in use', () => {
    const victim = plant('victim', 'keep me')
    symlinkSync(victim, join(folder, 'f.next'))
    expect(() => reserveFile(join(folder, 'f.next'), join(folder, 'f'), 10)).toThrow('EEXIST')
    expect(readFileSync(victim, 'utf8')).toBe('keep me')
  })
})

describe('a temporary name', () => {
  test('lies beside its file, is never the same, and is known again', () => {
    const names = new Set(Array.from({ length: 100 }, () => temporaryName(join(folder, 'f.json'))))
    expect(names.size).toBe(100)
    for (const name of names) {
      expect(dirname(name)).toBe(folder)
      expect(isTemporaryNameOf(basename(name), join(folder, 'f.json'))).toBe(true)
    }
  })

  test('belongs to one file alone, however alike the names are', () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,12}$/)
    fc.assert(
      fc.property(name, name, (one, other) => {
        const temporary = basename(temporaryName(one))
        expect(isTemporaryNameOf(temporary, other)).toBe(one === other)
        expect(isTemporaryNameOf(basename(temporaryName(`${one}.json`)), one)).toBe(false)
      }),
    )
  })

  test.each(['f.json.tmp', 'f.json..tmp', 'f.json.short.tmp', 'f.json', 'g.json.AAAAAAAAAAAA.tmp'])(
    'is not %s',
    (name) => {
      expect(isTemporaryNameOf(name, '/x/f.json')).toBe(false)
    },
  )
})

test('errors are told apart by their errno', () => {
  const errors = [{ code: 'ENOENT' }, { code: 'ENOTDIR' }, { code: 'EACCES' }, { code: 7 }, null, 'ENOENT']
  expect(errors.map(errnoOf)).toEqual(['ENOENT', 'ENOTDIR', 'EACCES', null, null, null])
  expect(errors.map(isMissing)).toEqual([true, true, false, false, false, false])
})
