import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { keyIdOf } from '../../src/store/envelope.ts'
import { createKeys, type Keys } from '../../src/store/key.ts'
import { failureOf } from '../support/failure.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_LINKS, NO_MODES, OWN_FILE, OWN_FOLDER, testIf } from '../support/needs.ts'
import { setUmask } from '../support/umask.ts'

let directory = ''
beforeEach(() => {
  directory = join(makeFolder(), 'key')
  setUmask(0)
})

const secretKey = randomBytes(32)

function makeKeys(source: 'auto' | 'file' | 'env', environmentKey: Buffer | null = null): Keys {
  return createKeys({
    directory,
    source,
    environmentKey: environmentKey && new Secret(environmentKey.toString('base64')),
  })
}

describe.each(['auto', 'file'] as const)('with the key source %s', (source) => {
  test('nothing is made before the first key is asked for', () => {
    makeKeys(source)
    expect(existsSync(directory)).toBe(false)
  })

  test('the first key is 32 random bytes in a file for its owner alone, whatever the umask', async () => {
    const key = await makeKeys(source).first()
    expect(key).toMatchObject({ source: 'file', id: keyIdOf(key.bytes) })
    expect(key.bytes).toHaveLength(32)
    expect(readdirSync(directory)).toEqual([`${key.id}.key`])
    const path = join(directory, `${key.id}.key`)
    expect([statSync(directory).mode & 0o777, statSync(path).mode & 0o777]).toEqual([OWN_FOLDER, OWN_FILE])
    expect(readFileSync(path, 'utf8').trim()).toBe(key.bytes.toString('base64'))
  })

  test('the first key stays the first, for every process', async () => {
    const key = await makeKeys(source).first()
    expect(await makeKeys(source).first()).toEqual(key)
    expect(await makeKeys(source).find({ key_source: 'file', key_id: key.id })).toEqual(key)
    expect(readdirSync(directory)).toHaveLength(1)
  })
})

describe('a key file', () => {
  test('that a file names is found among others', async () => {
    const first = await makeKeys('file').first()
    const other = randomBytes(32)
    writeFileSync(join(directory, `${keyIdOf(other)}.key`), `${other.toString('base64')}\n`, { mode: 0o600 })
    for (const bytes of [first.bytes, other]) {
      const named = { key_source: 'file', key_id: keyIdOf(bytes) } as const
      expect((await makeKeys('file').find(named)).bytes.equals(bytes)).toBe(true)
    }
  })

  test('that is missing is unavailable: no new one is made in its place', async () => {
    const named = { key_source: 'file', key_id: '0123456789abcdef' } as const
    const error = await failureOf(() => makeKeys('file').find(named))
    expect(error).toMatchObject({ code: 'key_unavailable', recovery: 'fix_config' })
    expect(error.message).toContain(join(directory, '0123456789abcdef.key'))
    expect(error.nextStep).toContain('backup')
    expect(existsSync(directory)).toBe(false)
  })

  test.each<[string, string]>([
    ['empty', ''],
    ['cut', 'AAAA'],
    ['too long', Buffer.alloc(33).toString('base64')],
    ['the key of another name', Buffer.alloc(32, 9).toString('base64')],
    ['no base64', '%%%%'],
  ])('that is %s is not used, and not taken for the first', async (_what, content) => {
    mkdirSync(directory)
    const path = join(directory, '0123456789abcdef.key')
    writeFileSync(path, content)
    const named = { key_source: 'file', key_id: '0123456789abcdef' } as const
    expect((await failureOf(() => makeKeys('file').find(named))).code).toBe('key_unavailable')
    expect((await makeKeys('file').first()).id).not.toBe('0123456789abcdef')
    expect(readFileSync(path, 'utf8')).toBe(content)
  })

  test('that was found is missed as soon as it is gone, and found when it is back', async () => {
    const keys = makeKeys('file')
    const { id, bytes } = await keys.first()
    const path = join(directory, `${id}.key`)
    const named = { key_source: 'file', key_id: id } as const
    const text = readFileSync(path)
    expect((await keys.find(named)).bytes.equals(bytes)).toBe(true)
    rmSync(path)
    expect((await failureOf(() => keys.find(named))).code).toBe('key_unavailable')
    writeFileSync(path, text, { mode: 0o600 })
    expect((await keys.find(named)).bytes.equals(bytes)).toBe(true)
    writeFileSync(path, Buffer.alloc(32, 9).toString('base64'))
    expect((await failureOf(() => keys.find(named))).code).toBe('key_unavailable')
  })

  testIf(NO_MODES)('that lets others in is closed', async () => {
    const { id } = await makeKeys('file').first()
    const path = join(directory, `${id}.key`)
    chmodSync(path, 0o644)
    await makeKeys('file').find({ key_source: 'file', key_id: id })
    expect(statSync(path).mode & 0o777).toBe(OWN_FILE)
  })

  testIf(NO_LINKS)('that is a link is refused', async () => {
    mkdirSync(directory)
    symlinkSync('/dev/zero', join(directory, '0123456789abcdef.key'))
    const named = { key_source: 'file', key_id: '0123456789abcdef' } as const
    expect((await failureOf(() => makeKeys('file').find(named))).message).toContain('symbolic link')
  })

  test('beside the others is made where a new key is asked for', async () => {
    const first = await makeKeys('file').first()
    const created = makeKeys('file').create()
    expect(readdirSync(directory).sort()).toEqual([`${first.id}.key`, `${created.id}.key`].sort())
  })

  test('in use that was removed is put back; the key of the environment is never written down', async () => {
    const keys = makeKeys('file', secretKey)
    const key = await keys.first()
    const names = readdirSync(directory)
    rmSync(directory, { recursive: true })
    keys.restore(await keys.obtain('env'))
    expect(existsSync(directory)).toBe(false)
    keys.restore(key)
    expect(readdirSync(directory)).toEqual(names)
  })

  test('goes when its key is given up, and for no key of another source', async () => {
    const keys = makeKeys('file')
    const { id } = await keys.first()
    expect(await keys.discard({ key_source: 'env', key_id: id })).toBe(false)
    expect(await keys.discard({ key_source: 'keychain', key_id: id })).toBe(true)
    expect(readdirSync(directory)).toEqual([`${id}.key`])
    expect(await keys.discard({ key_source: 'file', key_id: id })).toBe(true)
    expect(readdirSync(directory)).toEqual([])
  })

  test('is the first of several by its name, whatever else lies there', async () => {
    mkdirSync(directory)
    const keys = Array.from({ length: 9 }, () => randomBytes(32)).sort((a, b) =>
      keyIdOf(a) < keyIdOf(b) ? -1 : 1,
    )
    for (const [at, bytes] of keys.entries()) {
      const name = `${keyIdOf(bytes)}${at === 0 ? '.shared.key' : '.key'}`
      writeFileSync(join(directory, name), bytes.toString('base64'), { mode: 0o600 })
    }
    writeFileSync(join(directory, '.0123456789abcde.key'), '')
    expect((await makeKeys('file').first()).id).toBe(keyIdOf(keys[1] ?? Buffer.alloc(0)))
  })

  test('of a name that leads elsewhere is never looked for', async () => {
    const outside = randomBytes(32)
    mkdirSync(directory)
    writeFileSync(join(directory, '..', 'outside.key'), outside.toString('base64'))
    const named = { key_source: 'file', key_id: '../outside' } as const
    expect(await failureOf(() => makeKeys('file').find(named))).toMatchObject({
      code: 'key_unavailable',
      message: expect.stringContaining('outside.key is missing'),
    })
  })

  test('of 33 bytes is not used, though it has its right name', async () => {
    const long = Buffer.alloc(33, 1)
    mkdirSync(directory)
    writeFileSync(join(directory, `${keyIdOf(long)}.key`), long.toString('base64'), { mode: 0o600 })
    const named = { key_source: 'file', key_id: keyIdOf(long) } as const
    expect((await failureOf(() => makeKeys('file').find(named))).code).toBe('key_unavailable')
    expect((await makeKeys('file').first()).bytes).toHaveLength(32)
  })
})

describe('with the key source env', () => {
  test('the key of the environment is the first and is found by its id', async () => {
    const keys = makeKeys('env', secretKey)
    const key = await keys.first()
    expect(key).toEqual({ source: 'env', id: keyIdOf(secretKey), bytes: secretKey })
    expect(await keys.find({ key_source: 'env', key_id: key.id })).toEqual(key)
    expect(existsSync(directory)).toBe(false)
  })

  test('no key in the environment says which setting is missing', async () => {
    const error = await failureOf(() => makeKeys('env').first())
    expect(error.code).toBe('key_unavailable')
    expect(error.message).toContain('FEISHU_TOKEN_KEY, which is not set')
    expect(error.nextStep).toContain('Set FEISHU_TOKEN_KEY to')
  })

  test('another key than the store was sealed with is told apart from none, and not shown', async () => {
    const named = { key_source: 'env', key_id: keyIdOf(randomBytes(32)) } as const
    const wrong = await failureOf(() => makeKeys('env', secretKey).find(named))
    expect(wrong.message).toContain('The key in FEISHU_TOKEN_KEY is not the one')
    expect(wrong.nextStep).toContain('Set FEISHU_TOKEN_KEY to the key that the store was sealed with')
    expect(`${wrong.message} ${wrong.nextStep}`).not.toContain(secretKey.toString('base64'))
    const missing = await failureOf(() => makeKeys('env').find(named))
    expect(missing.message).toContain('is missing')
  })

  test('a store of another source keeps its own key: the choice was made when it was created', async () => {
    const { id } = await makeKeys('file').first()
    const keys = makeKeys('env', secretKey)
    expect((await keys.find({ key_source: 'file', key_id: id })).source).toBe('file')
  })
})

test('the successor of a key is of the source that is chosen now', async () => {
  const { id } = await makeKeys('file').first()
  const successor = await makeKeys('env', secretKey).successor({ key_source: 'file', key_id: id })
  expect(successor.source).toBe('env')
})

test('a keychain that a file names, or that is to keep a key, is not replaced by the environment', async () => {
  const keys = makeKeys('env', secretKey)
  const named = { key_source: 'keychain', key_id: keyIdOf(secretKey) } as const
  for (const use of [() => keys.find(named), () => keys.obtain('keychain')]) {
    expect(await failureOf(use)).toMatchObject({
      code: 'key_unavailable',
      message: expect.stringContaining('no keychain'),
    })
  }
})

test('a keychain that is asked for by name and cannot be reached is not replaced by a file in silence', async () => {
  const keys = createKeys({ directory, source: 'keychain', environmentKey: null })
  const error = await failureOf(() => keys.first())
  expect(error).toMatchObject({ code: 'key_unavailable', message: expect.stringContaining('no keychain') })
  expect(error.nextStep).toContain('FEISHU_TOKEN_KEY_SOURCE')
  expect(existsSync(directory)).toBe(false)
})
