import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { createKeys, type Key, type Keys } from '../../src/store/key.ts'
import { APPS, notWritable, readText, SealedFiles } from '../../src/store/sealed-files.ts'
import { failureOf } from '../support/failure.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_POSIX_FILES, testIf } from '../support/needs.ts'

const BINDING = { kind: 'token-set', brand: 'feishu', app_id: 'cli_a1', profile: 'default' } as const

let directory: string
let keys: Keys
let sealed: SealedFiles
let path: string
beforeEach(() => {
  directory = makeFolder()
  const environmentKey = new Secret(Buffer.alloc(32, 7).toString('base64'))
  keys = createKeys({ directory: join(directory, 'key'), source: 'file', environmentKey })
  sealed = new SealedFiles(directory, keys)
  path = join(sealed.folder, 'feishu-cli_a1-default.json')
  mkdirSync(sealed.folder, { mode: 0o700 })
})

function put(
  file: string,
  key: Key,
  content: Record<string, unknown>,
  binding: typeof BINDING = BINDING,
): void {
  writeFileSync(file, sealed.seal(key, binding, 1, content), { mode: 0o600 })
}

describe('an error of a write', () => {
  const lasting = ['config_invalid', /Let this user write to \/a/] as const
  const passing = ['store_not_writable', /Free some disk space or fix the permissions of \/a/] as const

  test.each([
    // On Windows a virus scanner may be at work.
    ['EACCES', ...(process.platform === 'win32' ? passing : lasting)],
    ['EROFS', ...lasting],
    ['ENOSPC', ...passing],
  ])('%s says what to do', (errno, code, nextStep) => {
    const cause = Object.assign(new Error('no'), { code: errno })
    const error = notWritable('/a/b', cause)
    expect(error).toMatchObject({ code, message: `/a/b cannot be written (${errno}).`, cause })
    expect(error.nextStep).toMatch(nextStep)
    expect(notWritable('/elsewhere', error)).toBe(error)
  })

  test('without a number is told all the same', () => {
    expect(notWritable('/a/b', new Error('no')).message).toBe('/a/b cannot be written (unknown error).')
  })
})

describe('a file that cannot be read', () => {
  testIf(NO_POSIX_FILES)('is told with the errno and what to do', async () => {
    const name = join(directory, 'x'.repeat(300))
    const error = await failureOf(async () => readText(name))
    expect(error).toMatchObject({ code: 'store_unreadable', cause: { code: 'ENAMETOOLONG' } })
    expect(error.message).toBe(`${name} cannot be read (ENAMETOOLONG).`)
    expect(error.nextStep).toContain('Fix the permissions')
  })

  test('because of what lies there is told in those words', async () => {
    const error = await failureOf(async () => readText(sealed.folder))
    expect(error.code).toBe('store_unreadable')
    expect(error.message).not.toContain('cannot be read')
  })
})

test('the names are those of the records; without a folder there are none', () => {
  for (const name of ['a.json', 'a.json.lock', 'a.json.pending']) writeFileSync(join(sealed.folder, name), '')
  expect(sealed.names()).toEqual(['a.json'])
  rmSync(sealed.folder, { recursive: true })
  expect(sealed.names()).toEqual([])
})

test('there is no header where there is no file', () => {
  expect(sealed.header(path)).toBeNull()
  expect(sealed.anyHeader(path)).toBeNull()
})

test('the header of a record comes before that of what is pending, and both before all others', async () => {
  const first = await keys.first()
  const environment = await keys.obtain('env')
  writeFileSync(sealed.appsPath, sealed.seal(first, APPS, 0, {}), { mode: 0o600 })
  expect(sealed.anyHeader(path)?.kind).toBe('apps')
  put(`${path}.pending`, first, {})
  expect(sealed.anyHeader(path)?.kind).toBe('token-set')
  put(path, environment, {})
  expect(sealed.anyHeader(path)?.key_source).toBe('env')
})

test('a key to go on with is that of the setting, whatever the file names', async () => {
  const first = await sealed.newKey(path)
  expect(first).toEqual(await keys.first())
  put(path, await keys.obtain('env'), {})
  expect(await sealed.newKey(path)).toEqual(first)
  expect((await sealed.sealingKey(path)).source).toBe('env')
})

describe('a file whose key is gone', () => {
  /** Before the key is told to be gone, this happens. */
  function losing(meanwhile: () => void): SealedFiles {
    const find: Keys['find'] = async (named) => {
      if (named.key_source === 'env') return keys.find(named)
      meanwhile()
      return keys.find({ key_source: 'file', key_id: '0'.repeat(16) })
    }
    return new SealedFiles(directory, { ...keys, find })
  }

  beforeEach(async () => put(path, await keys.first(), { it: 'was' }))

  test('because it was sealed again meanwhile, opens with the new one', async () => {
    const environment = await keys.obtain('env')
    const opened = await losing(() => put(path, environment, { it: 'is' })).open(path, BINDING)
    expect(opened?.content).toEqual({ it: 'is' })
  })

  test.each<[string, () => void]>([
    ['lies unchanged', () => undefined],
    ['was removed meanwhile', () => rmSync(path)],
  ])('and that %s is told, once', async (_what, meanwhile) => {
    let times = 0
    const files = losing(() => {
      times += 1
      meanwhile()
    })
    expect((await failureOf(() => files.open(path, BINDING))).code).toBe('key_unavailable')
    expect(times).toBe(1)
  })
})
