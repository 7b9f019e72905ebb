import { expect, test } from 'vitest'
import { copyProfiles } from '../../src/profiles/store-copy.ts'
import { breakDisk, committing, ID, makeDisk, makeRecord, storeUpTo } from '../store/fixture.ts'
import { openDeps } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'

test('a token that the old store cannot give up is not told to have moved', async () => {
  const [source, target] = [makeDisk(), makeDisk()]
  const from = await storeUpTo(source, 1)
  const to = target.open()
  const env = { FEISHU_APP_ID: ID.appId, FEISHU_APP_SECRET: 's', FEISHU_TOKEN_DIR: source.directory }
  const deps = await openDeps(env, source.directory)
  let mend = (): void => {}
  const breaking = committing(from, () => {
    mend = breakDisk(source.directory)
  })
  const error = await failureOf(() => copyProfiles(deps, { from: breaking, to, profile: null }))
  expect(error).toMatchObject({
    code: 'store_not_writable',
    nextStep: expect.stringContaining('same command again'),
  })
  mend()
  await from.flush()
  expect((await source.open().read(ID)).tokenSet).toBeNull()
  expect((await target.open().read(ID)).tokenSet).toEqual(makeRecord(1).tokenSet)
  expect(await copyProfiles(deps, { from, to, profile: null })).toMatchObject([{ status: 'empty' }])
})
