import { expect, test } from 'vitest'
import { copyProfiles } from '../../src/profiles/store-copy.ts'
import { cannotRefresh } from '../../src/refresh/reasons.ts'
import { Secret } from '../../src/secret.ts'
import { breakDisk, committing, ID, LONG_MS, makeDisk, makeRecord, storeUpTo } from '../store/fixture.ts'
import { openDeps } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'

test('a token that the old store cannot give up is not told to have moved', async () => {
  const [source, target] = [makeDisk(), makeDisk()]
  const from = await storeUpTo(source, 1)
  const to = target.open()
  const env = { FEISHU_APP_ID: ID.appId, FEISHU_APP_SECRET: 's', FEISHU_TOKEN_DIR: source.directory }
  const deps = await openDeps(env, source.directory)
  let mend = (): void => {}
  let commits = 0
  const breaking = committing(from, () => {
    commits += 1
    // The first says that the token is on its way.
    if (commits === 2) mend = breakDisk(source.directory)
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

test.each([
  ['before the new store has it', 1, 0],
  ['after the new store has it', 2, 1],
])(
  'killed %s, nobody presents the token twice, and the same copy completes it',
  async (_name, at, generation) => {
    const [source, target] = [makeDisk(), makeDisk()]
    const from = await storeUpTo(source, 1)
    const to = target.open()
    const env = { FEISHU_APP_ID: ID.appId, FEISHU_APP_SECRET: 's', FEISHU_TOKEN_DIR: source.directory }
    const deps = await openDeps(env, source.directory)
    let commits = 0
    const kill = () => {
      commits += 1
      if (commits > at) throw new Error('killed')
    }
    const copy = copyProfiles(deps, { from: committing(from, kill), to: committing(to, kill), profile: null })
    await expect(copy).rejects.toThrow('killed')
    const left = (await source.open().read(ID)).tokenSet
    expect(left?.refusal).toMatchObject({ reason: 'leaving' })
    expect(left && cannotRefresh(left).nextStep).toBe('Run the same `store copy` again.')
    const arrived = await target.open().read(ID)
    expect([arrived.generation, arrived.tokenSet?.refusal ?? null]).toEqual([generation, null])
    if (arrived.tokenSet) {
      // The new store is in use: its token was refreshed meanwhile.
      const later = {
        ...arrived.tokenSet,
        issuedAt: arrived.tokenSet.issuedAt + 1,
        refreshToken: new Secret('ur-later'),
      }
      await to.withLock(ID, LONG_MS, (locked) => locked.commit({ generation: 2, tokenSet: later }, 1))
    }
    expect(await copyProfiles(deps, { from: source.open(), to: target.open(), profile: null })).toMatchObject(
      [{ status: 'moved' }],
    )
    expect((await source.open().read(ID)).tokenSet).toBeNull()
    expect((await target.open().read(ID)).tokenSet?.refusal).toBeNull()
  },
)
