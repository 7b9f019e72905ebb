import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { CodedError } from '../../../src/errors.ts'
import { Secret } from '../../../src/secret.ts'
import { say } from '../../../src/sentence.ts'
import { keyIdOf } from '../../../src/store/envelope.ts'
import { createKeys, type Keys } from '../../../src/store/key.ts'
import { createSharedKeys } from '../../../src/store/postgres/shared-key.ts'
import { failureOf } from '../../support/failure.ts'
import { makeFolder } from '../../support/folder.ts'

const BYTES = Buffer.alloc(32, 7)
const ENV_ID = keyIdOf(BYTES)

let directory: string
let keys: Keys
beforeEach(() => {
  directory = join(makeFolder(), 'key')
  const environmentKey = new Secret(BYTES.toString('base64'))
  keys = createKeys({ directory, ending: '.shared.key', source: 'file', environmentKey })
})

test('the first key is that of the environment where there is one, else a new file of its own each time', async () => {
  expect((await createSharedKeys(keys, 'auto', true).first()).id).toBe(ENV_ID)
  expect((await createSharedKeys(keys, 'env', true).first()).id).toBe(ENV_ID)
  const first = await createSharedKeys(keys, 'auto', false).first()
  const second = await createSharedKeys(keys, 'file', true).first()
  expect(readdirSync(directory).sort()).toEqual([`${first.id}.shared.key`, `${second.id}.shared.key`].sort())
})

test('a key is looked for where the setting says, by its id alone, and where it was found is told', async () => {
  const file = keys.create()
  const named = (id: string) => ({ key_source: 'keychain', key_id: id }) as const
  const auto = createSharedKeys(keys, 'auto', true)
  expect(auto.last()).toBeNull()
  expect((await auto.find(named(file.id))).source).toBe('file')
  expect(auto.last()).toBe('file')
  expect((await auto.successor(named(ENV_ID))).source).toBe('env')
  expect(auto.last()).toBe('env')
  expect((await createSharedKeys(keys, 'auto', false).find(named(file.id))).source).toBe('file')
  for (const [setting, has, id] of [
    ['env', true, file.id],
    ['file', true, ENV_ID],
    ['auto', false, ENV_ID],
  ] as const) {
    const error = await failureOf(() => createSharedKeys(keys, setting, has).find(named(id)))
    expect(error.code).toBe('key_unavailable')
  }
})

test('a key that is missing is told by its id and where it should be', async () => {
  const { id } = keys.create()
  rmSync(directory, { recursive: true })
  const named = { key_source: 'file', key_id: id } as const
  const inFile = await failureOf(() => createSharedKeys(keys, 'auto', false).find(named))
  expect(inFile.message).toContain(`key ${id}, and the key file key/${id}.shared.key does not hold it`)
  expect(inFile.nextStep).toContain('Copy the key from a machine where it works')
  const inEnvironment = await failureOf(() => createSharedKeys(keys, 'auto', true).find(named))
  expect(inEnvironment.message).toContain(`key ${id}, and FEISHU_TOKEN_KEY does not hold it`)
})

test('what goes wrong otherwise while a key is looked for is told as it is', async () => {
  const named = { key_source: 'file', key_id: ENV_ID } as const
  for (const error of [
    new Error('nobody foresaw it'),
    Object.assign(new Error('nobody foresaw it'), { code: 'key_unavailable' }),
    new CodedError('store_unreadable', say`It is a directory.`, { nextStep: say`Move it away.` }),
  ]) {
    const broken = { ...keys, find: () => Promise.reject(error) }
    await expect(createSharedKeys(broken, 'file', false).find(named)).rejects.toBe(error)
  }
})
