import { expect, test } from 'vitest'
import { listGatewayKeys, newGatewayKey } from '../../src/hand-over/gateway-keys.ts'
import { moveRecord, withoutPending } from '../../src/profiles/move.ts'
import { removeProfile, renameProfile } from '../../src/profiles/profiles.ts'
import { changing } from '../store/fixture.ts'
import { makeDeps, seed } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'

test.each(['three', 'one'])(
  'a name that a killed rename has reached is not given up for "%s" before that rename is completed',
  async (to) => {
    const world = await makeDeps()
    const { deps } = world
    const { app, record } = await seed(world, 'one')
    const at = (profile: string) => ({ ...app.id, profile })
    let changes = 0
    const store = changing(deps.store, () => {
      changes += 1
      if (changes === 3) throw new Error('killed')
    })
    const killed = moveRecord({ store, id: at('one') }, { store, id: at('two') }, 1_000)
    await expect(killed).rejects.toThrow('killed')
    expect(await failureOf(() => renameProfile(deps, { from: 'two', to }))).toMatchObject({
      code: 'config_invalid',
      message: 'Profile "one" was being renamed to "two" when that was interrupted; nothing was changed.',
      nextStep: `Run \`${deps.command} profile rename one two\` first.`,
    })
    await renameProfile(deps, { from: 'one', to: 'two' })
    await renameProfile(deps, { from: 'two', to })
    expect(await deps.store.profileNames(app.id)).toEqual([to])
    const { tokenSet } = await deps.store.read(at(to))
    expect(tokenSet?.refusal).toBeNull()
    expect(tokenSet?.refreshToken?.reveal()).toBe(record.tokenSet?.refreshToken?.reveal())
  },
)

test('a rename that is refused leaves the keys of the gateway with their profile', async () => {
  const world = await makeDeps()
  const { deps } = world
  await seed(world, 'one')
  await seed(world, 'two')
  await newGatewayKey(deps, 'one', 'nightly')
  expect(await failureOf(() => renameProfile(deps, { from: 'one', to: 'two' }))).toMatchObject({
    message: 'There is another token set of "two" already; nothing was moved.',
  })
  expect(listGatewayKeys(deps, 'one')).toHaveLength(1)
  expect(listGatewayKeys(deps, 'two')).toEqual([])
  await renameProfile(deps, { from: 'one', to: 'three' })
  expect(listGatewayKeys(deps, 'three')).toHaveLength(1)
})

test('a profile without a token takes its keys and its app not to where another token is', async () => {
  const world = await makeDeps()
  const { deps, sandbox } = world
  const { appId, appSecret } = sandbox.app
  const own = { brand: 'feishu', app_id: appId, app_secret: appSecret }
  await deps.store.updateApps(() => ({ default: own, one: own }))
  await seed(world, 'two')
  await newGatewayKey(deps, 'one', 'nightly')
  expect(await failureOf(() => renameProfile(deps, { from: 'one', to: 'two' }))).toMatchObject({
    message: 'There is another token set of "two" already; nothing was moved.',
  })
  expect(listGatewayKeys(deps, 'two')).toEqual([])
  expect(Object.keys((await deps.store.readApps()) ?? {})).toEqual(['default', 'one'])
})

test('a removal that is refused leaves the keys of the gateway; one that is killed leaves none', async () => {
  const world = await makeDeps()
  await seed(world, 'one')
  await newGatewayKey(world.deps, 'one', 'nightly')
  await failureOf(() => removeProfile(world.deps, { profile: 'one', force: false }))
  expect(listGatewayKeys(world.deps, 'one')).toHaveLength(1)
  const store = changing(world.deps.store, () => {
    throw new Error('killed')
  })
  const killed = removeProfile({ ...world.deps, store }, { profile: 'one', force: true })
  await expect(killed).rejects.toThrow('killed')
  expect(listGatewayKeys(world.deps, 'one')).toEqual([])
})

test('of a profile that someone else is moving no approval is told to be waited for', async () => {
  const world = await makeDeps()
  const { app } = await seed(world, 'one')
  const { store } = await world.sibling()
  await withoutPending(world.deps, { store, id: app.id }, async () => {
    expect(await failureOf(() => renameProfile(world.deps, { from: 'one', to: 'two' }))).toMatchObject({
      code: 'store_locked',
      message: expect.stringContaining(`in use by process ${process.pid} `),
      nextStep: expect.stringContaining('Try again in a few seconds'),
    })
  })
  await renameProfile(world.deps, { from: 'one', to: 'two' })
})
