import { expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { startAuthorization } from '../../src/authorize/authorize.ts'
import { encodeRecord } from '../../src/oauth/token-set.ts'
import { logout } from '../../src/profiles/logout.ts'
import { moveRecord } from '../../src/profiles/move.ts'
import { Secret } from '../../src/secret.ts'
import { tokenStatus } from '../../src/status/status.ts'
import { settle } from '../../src/wiring/settle.ts'
import { changing } from '../store/fixture.ts'
import { afterAnswer, makeDeps, seed, type World } from '../support/deps.ts'
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

test('a logout of a name whose token has arrived under another one, by a rename that was killed then, leaves it there', async () => {
  const world = await makeWorld()
  const { app, record } = await seed(world)
  const { deps, sandbox } = world
  let changes = 0
  const store = changing(deps.store, () => {
    changes += 1
    if (changes === 3) throw new Error('killed')
  })
  const work = { ...app.id, profile: 'work' }
  await expect(moveRecord({ store, id: app.id }, { store, id: work }, 1_000)).rejects.toThrow('killed')
  const next = await world.sibling()
  expect(await logout(next, 'default')).toMatchObject({ hadToken: false })
  expect(sandbox.inspect(record.tokenSet?.refreshToken?.reveal() ?? '')).not.toMatchObject({
    status: 'revoked',
  })
  expect((await next.store.read(app.id)).tokenSet).toBeNull()
  expect((await next.store.read(work)).tokenSet?.refusal).toBeNull()
})
