import { expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { startAuthorization } from '../../src/authorize/authorize.ts'
import { encodeRecord } from '../../src/oauth/token-set.ts'
import { logout } from '../../src/profiles/logout.ts'
import { moveRecord } from '../../src/profiles/move.ts'
import { removeProfile } from '../../src/profiles/profiles.ts'
import { Secret } from '../../src/secret.ts'
import { tokenStatus } from '../../src/status/status.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { settle } from '../../src/wiring/settle.ts'
import { changing, makeDisk } from '../store/fixture.ts'
import { afterAnswer, makeDeps, seed, type World } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import { freePort } from '../support/port.ts'

const LOOK = { profile: 'default', verify: false, waitSeconds: 0 }
const START = {
  profile: 'default',
  scopes: null,
  method: 'browser',
  openBrowser: false,
  callbackUrl: null,
  cancel: false,
} as const

async function makeWorld(): Promise<World> {
  const redirectUri = `http://localhost:${await freePort()}/callback`
  return makeDeps({ redirectUrls: [redirectUri], env: { FEISHU_REDIRECT_URI: redirectUri } })
}

/** What a login leaves that is killed when its tokens are stored and its end is not written: see what it brought. */
async function leaveLogin(world: World, tokens: 'those stored' | 'others'): Promise<string> {
  const { deps, sandbox } = world
  const { app, record } = await seed(world)
  const issued = sandbox.issue()
  const { tokenSet } = record
  if (!tokenSet) throw new Error('seeded')
  const others = { ...tokenSet, refreshToken: new Secret(issued.refresh_token ?? '') }
  await startAuthorization(deps, START)
  await settle(deps)
  const brought = encodeRecord({ generation: 0, tokenSet: tokens === 'others' ? others : tokenSet })
  await deps.store.withLock(app.id, 1_000, async (locked) => {
    await locked.writePending({ ...(await locked.readPending()), phase: 'exchanged', tokens: brought })
  })
  return issued.refresh_token ?? ''
}

test.each(['those stored', 'others'] as const)(
  'a logout ends a login that was killed before its end, whose tokens were %s',
  async (tokens) => {
    const world = await makeWorld()
    const brought = await leaveLogin(world, tokens)
    const deps = await world.sibling()
    expect(await logout(deps, 'default')).toMatchObject({ answer: { revoked: true }, hadToken: true })
    if (tokens === 'others') expect(world.sandbox.inspect(brought)).toMatchObject({ status: 'revoked' })
    const app = await resolveApp(deps, 'default')
    expect(await deps.store.readPending(app.id)).toMatchObject({
      tokens: null,
      outcome: { status: 'cancelled' },
    })
    const next = await startAuthorization(deps, START)
    expect(next).toMatchObject({ status: 'pending', joined: false })
    await settle(deps)
  },
)

test('a logout that dies when Feishu has revoked leaves nothing that is called valid, and the next one completes it', async () => {
  const world = await makeWorld()
  await seed(world)
  world.intercept(
    afterAnswer(() => {
      throw new Error('killed')
    }),
  )
  await expect(logout(world.deps, 'default')).rejects.toThrow('killed')
  world.intercept(null)
  const deps = await world.sibling()
  const status = await tokenStatus(deps, LOOK)
  expect(status.status).toBe('expired')
  expect(status.warnings.map(String)).toEqual([
    expect.stringMatching(/^The logout of \S+ was interrupted\. Log out again/),
  ])
  expect(await logout(deps, 'default')).toMatchObject({ hadToken: true })
  expect(await tokenStatus(deps, LOOK)).toMatchObject({ status: 'not_authorized', warnings: [] })
})

const KILLED = 'killed'

/** A move of the stored token set that is killed before its nth change: the third is when it has arrived. */
async function killMove(world: World, nth: number, to: { store?: TokenStore; profile?: string }) {
  const { app, record } = await seed(world)
  let changes = 0
  const dying = (store: TokenStore) =>
    changing(store, () => {
      changes += 1
      if (changes >= nth) throw new Error(KILLED)
    })
  const source = dying(world.deps.store)
  const target = { store: to.store ? dying(to.store) : source, id: { ...app.id, profile: 'default', ...to } }
  await expect(moveRecord({ store: source, id: app.id }, target, 1_000)).rejects.toThrow(KILLED)
  const inspect = () => world.sandbox.inspect(record.tokenSet?.refreshToken?.reveal() ?? '')
  return { id: app.id, work: { ...app.id, profile: 'work' }, inspect }
}

test('a logout of a name whose token has arrived under another one, by a rename that was killed then, leaves it there', async () => {
  const world = await makeWorld()
  const { id, work, inspect } = await killMove(world, 3, { profile: 'work' })
  const next = await world.sibling()
  expect(await logout(next, 'default')).toMatchObject({ hadToken: false })
  expect(inspect()).not.toMatchObject({ status: 'revoked' })
  expect((await next.store.read(id)).tokenSet).toBeNull()
  expect((await next.store.read(work)).tokenSet?.refusal).toBeNull()
})

test('a logout of a name whose token has not arrived under another one revokes it', async () => {
  const world = await makeWorld()
  const { inspect } = await killMove(world, 2, { profile: 'work' })
  expect(await logout(await world.sibling(), 'default')).toMatchObject({ answer: { revoked: true } })
  expect(inspect()).toMatchObject({ status: 'revoked' })
})

const GIVE_UP =
  '`feishu-token-mcp logout --profile default --force` revokes it at Feishu, even if it is in force elsewhere by now; `feishu-token-mcp profile remove default --force` only deletes what is left here.'

test('a logout of a name whose token has gone on from another one is refused: it may be in force there', async () => {
  const world = await makeWorld()
  const { id, work, inspect } = await killMove(world, 3, { profile: 'work' })
  const next = await world.sibling()
  const third = { store: makeDisk().open(), id: work }
  await moveRecord({ store: next.store, id: work }, third, 1_000)
  expect(await failureOf(() => logout(next, 'default'))).toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(/^"default" was on its way to another place .* it was not logged out\.$/),
    nextStep: `Choose: ${GIVE_UP}`,
  })
  expect(inspect()).not.toMatchObject({ status: 'revoked' })
  await removeProfile(next, { profile: 'default', force: true })
  expect((await next.store.read(id)).tokenSet).toBeNull()
  expect((await third.store.read(work)).tokenSet?.refusal).toBeNull()
})

test.each([2, 3])(
  'a logout in the old store, of a copy killed before its change %i, is refused: completed, it is revoked in the new one',
  async (nth) => {
    const world = await makeWorld()
    const store = makeDisk().open()
    const { id, inspect } = await killMove(world, nth, { store })
    const old = await world.sibling()
    expect(await failureOf(() => logout(old, 'default'))).toMatchObject({
      code: 'config_invalid',
      nextStep: `Run the same \`feishu-token-mcp store copy\` again, then log out in the new store; or ${GIVE_UP}`,
    })
    expect(inspect()).not.toMatchObject({ status: 'revoked' })
    const status = await tokenStatus(old, LOOK)
    expect(status.warnings.map(String)).toEqual([
      expect.stringContaining('Run the same `feishu-token-mcp store copy` again'),
    ])
    await moveRecord({ store: old.store, id }, { store, id }, 1_000)
    const fresh = { ...old, store }
    expect(await tokenStatus(fresh, LOOK)).toMatchObject({ status: 'valid', warnings: [] })
    expect(await logout(fresh, 'default')).toMatchObject({ answer: { revoked: true } })
    expect(inspect()).toMatchObject({ status: 'revoked' })
    for (const deps of [old, fresh])
      expect(await tokenStatus(deps, LOOK)).toMatchObject({ status: 'not_authorized', warnings: [] })
  },
)

test('a token that was left on its way is revoked by force, though others came to its new place and went since', async () => {
  const world = await makeWorld()
  const { id, work, inspect } = await killMove(world, 2, { profile: 'work' })
  const next = await world.sibling()
  const { tokenSet } = await next.store.read(id)
  // A login there, and a logout.
  await next.store.withLock(work, 1_000, async (locked) => {
    const { generation } = await locked.read()
    const other = tokenSet && {
      ...tokenSet,
      authorizedAt: 1,
      refreshToken: new Secret('another'),
      refusal: null,
    }
    await locked.commit({ generation: generation + 1, tokenSet: other }, generation)
    await locked.commit({ generation: generation + 2, tokenSet: null }, generation + 1)
  })
  const again = () => moveRecord({ store: next.store, id }, { store: next.store, id: work }, 1_000)
  for (const way of [again, () => logout(next, 'default')])
    expect(await failureOf(way)).toMatchObject({ code: 'config_invalid', nextStep: `Choose: ${GIVE_UP}` })
  expect(inspect()).not.toMatchObject({ status: 'revoked' })
  expect(await logout(next, 'default', { force: true })).toMatchObject({ answer: { revoked: true } })
  expect(inspect()).toMatchObject({ status: 'revoked' })
  expect((await next.store.read(id)).tokenSet).toBeNull()
})
