import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { encodeRecord } from '../../../src/oauth/token-set.ts'
import type { Key } from '../../../src/store/key.ts'
import { LocalCopy } from '../../../src/store/postgres/local-copy.ts'
import type { SharedKeys } from '../../../src/store/postgres/shared-key.ts'
import { failureOf } from '../../support/failure.ts'
import { ISSUED_AT } from '../../support/token-set.ts'
import { breakDisk, ID, makeRecord } from '../fixture.ts'
import { type LocalPlace, makeLocalPlace } from './fixture.ts'

let directory: string
let keys: SharedKeys
let key: Key
let local: LocalCopy
let sealed: LocalPlace['sealed']
beforeEach(() => {
  ;({ directory, keys, key, local, sealed } = makeLocalPlace())
})

/** Writes a file of the profile as another process would. */
function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text, { mode: 0o600 })
}

test('a record that is sealed is opened where it is one, and of the generation that its head names', async () => {
  expect(await local.open(sealed(3), 'The row')).toEqual(makeRecord(3))
  for (const text of [sealed(4, encodeRecord(makeRecord(3))), sealed(3, { tokens: 'none' })]) {
    expect(await failureOf(() => local.open(text, 'The row'))).toMatchObject({
      code: 'store_unreadable',
      message: 'The row holds no token set; it was left as it is.',
      nextStep: 'Call start_authorization: a new authorization keeps what is there aside.',
    })
  }
})

test('the key of the shared store is found by its id, and opens what is pending', async () => {
  expect(await local.key(key.id)).toEqual(key)
  const { files } = local
  const text = files.sealed.seal(key, files.binding('authorization'), 0, { state: 's' })
  expect(await local.openPending(text, 'The row')).toEqual({ state: 's' })
  expect(await failureOf(() => local.openPending('garbage', 'The row'))).toMatchObject({
    code: 'store_unreadable',
    message: expect.stringContaining('The row'),
  })
})

test('a record and a rescue file are read without the blanks behind them; none and damaged ones are none', async () => {
  const { path, nextPath } = local.files
  expect([await local.read(), await local.readRescue()]).toEqual([null, null])
  put(path, sealed(1))
  put(nextPath, `${sealed(2).trimEnd()}${' '.repeat(500)}`)
  expect(await local.read()).toEqual({ text: readFileSync(path, 'utf8'), record: makeRecord(1) })
  const rescue = await local.readRescue()
  expect(rescue?.record).toEqual(makeRecord(2))
  expect(rescue?.text).toMatch(/\}\n$/)
  put(path, 'garbage')
  put(nextPath, sealed(2).slice(0, 100))
  expect([await local.read(), await local.readRescue()]).toEqual([null, null])
})

test('a record whose key is not on this machine is no damaged one', async () => {
  put(local.files.path, sealed(1))
  rmSync(join(directory, 'key'), { recursive: true })
  expect((await failureOf(() => local.read())).code).toBe('key_unavailable')
})

test('what was read is kept, and written again only where it is not there', () => {
  const { path } = local.files
  const [one, two] = [sealed(1), sealed(2)]
  expect(local.has(one)).toBe(false)
  local.keep(one)
  expect([local.has(one), local.has(two)]).toEqual([true, false])
  const written = statSync(path).ino
  local.keep(one)
  const other = new LocalCopy(local.files.sealed, keys, ID)
  expect(other.has(one)).toBe(false)
  other.keep(one)
  expect([other.has(one), statSync(path).ino]).toEqual([true, written])
  other.keep(two)
  expect([local.has(one), other.has(two)]).toEqual([false, true])
  local.keep(one)
  expect(readFileSync(path, 'utf8')).toBe(one)
})

test('a disk that takes nothing keeps nobody from what was read', () => {
  const text = sealed(1)
  local.keep(text)
  const mend = breakDisk(directory)
  local.keep(sealed(2))
  expect(local.has(text)).toBe(false)
  mend()
  expect([local.has(text), readFileSync(local.files.path, 'utf8')]).toEqual([true, text])
  local.drop()
  expect([local.has(text), existsSync(local.files.path)]).toEqual([false, false])
})

test('an attempt is undone until it is sent, and again when it is told so; nothing else proves it', () => {
  mkdirSync(local.files.sealed.folder)
  const attempt = local.beginAttempt()
  const known = () => [local.isUndone(attempt), local.isUndone('another')]
  expect(known()).toEqual([true, false])
  local.attemptSent(attempt)
  expect(known()).toEqual([false, false])
  local.attemptUndone(attempt)
  expect(known()).toEqual([true, false])
  local.endAttempt()
  expect(known()).toEqual([false, false])
  for (const note of ['null', '{', `{"attempt":"${attempt}"}`]) {
    put(local.files.intentPath, note)
    expect(known()).toEqual([false, false])
  }
  expect(local.beginAttempt()).not.toBe(attempt)
})

test('what cannot be written is told with its path', async () => {
  const { nextPath, intentPath } = local.files
  const aside = local.files.asidePath(ISSUED_AT)
  for (const path of [nextPath, intentPath, aside]) mkdirSync(join(path, 'full'), { recursive: true })
  for (const [path, work] of [
    [nextPath, () => local.dropRescue()],
    [intentPath, () => local.beginAttempt()],
    [intentPath, () => local.attemptSent('a')],
    [aside, () => local.setAside('garbage', ISSUED_AT)],
  ] as const) {
    const { code, message } = await failureOf(work)
    expect([code, message]).toEqual(['store_not_writable', expect.stringContaining(`${path} cannot be`)])
  }
})
