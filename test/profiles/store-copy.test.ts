import { expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { copyProfiles } from '../../src/profiles/store-copy.ts'
import { cannotRefresh } from '../../src/refresh/reasons.ts'
import { say } from '../../src/sentence.ts'
import { breakDisk, changing, ID, makeDisk, makeRecord, storeUpTo } from '../store/fixture.ts'
import { openDeps } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'

test('a token that the old store cannot let go of is not told to have moved, and the same copy completes it', async () => {
  const [source, target] = [makeDisk(), makeDisk()]
  const from = await storeUpTo(source, 1)
  const to = target.open()
  const env = { FEISHU_APP_ID: ID.appId, FEISHU_APP_SECRET: 's', FEISHU_TOKEN_DIR: source.directory }
  const deps = await openDeps(env, source.directory)
  let mend = (): void => {}
  const breaking = changing(from, () => {
    mend = breakDisk(source.directory)
  })
  const error = await failureOf(() => copyProfiles(deps, { from: breaking, to, profile: null }))
  expect(error).toMatchObject({
    code: 'store_not_writable',
    message: '"default" was not moved: its old place could not be written.',
    nextStep: expect.stringContaining('same command again'),
  })
  mend()
  await from.flush()
  const left = (await source.open().read(ID)).tokenSet
  expect(left && cannotRefresh(left).nextStep).toBe('Run the same `feishu-token-mcp store copy` again.')
  expect(await copyProfiles(deps, { from, to, profile: null })).toMatchObject([
    { status: 'moved', generation: 1 },
  ])
  expect((await target.open().read(ID)).tokenSet).toEqual(makeRecord(1).tokenSet)
  expect((await source.open().read(ID)).tokenSet).toBeNull()
  expect(await copyProfiles(deps, { from, to, profile: null })).toEqual([])
})

test('a shared store that is away is told, and not taken for empty', async () => {
  const [source, target] = [makeDisk(), makeDisk()]
  const away = new CodedError('store_not_writable', say`It is away.`, { nextStep: say`Try again.` })
  const env = { FEISHU_APP_ID: ID.appId, FEISHU_APP_SECRET: 's', FEISHU_TOKEN_DIR: source.directory }
  const deps = await openDeps(env, source.directory)
  const from = { ...source.open(), outage: () => away }
  expect(await failureOf(() => copyProfiles(deps, { from, to: target.open(), profile: null }))).toBe(away)
})

test('a profile that is logged out is told to be empty, and stays', async () => {
  const [source, target] = [makeDisk(), makeDisk()]
  const from = source.open()
  await from.withLock(ID, 0, (locked) => locked.commit({ generation: 1, tokenSet: null }, 0))
  const env = { FEISHU_APP_ID: ID.appId, FEISHU_APP_SECRET: 's', FEISHU_TOKEN_DIR: source.directory }
  const deps = await openDeps(env, source.directory)
  const copied = await copyProfiles(deps, { from, to: target.open(), profile: null })
  expect(copied).toMatchObject([{ status: 'empty', generation: null }])
  expect(await from.profileNames(ID)).toEqual(['default'])
})
