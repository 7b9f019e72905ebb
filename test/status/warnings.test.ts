import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DEFAULT_SCOPES } from '../../src/config/config.ts'
import type { TokenSet } from '../../src/oauth/token-set.ts'
import { tokenStatus } from '../../src/status/status.ts'
import { force, makeDeps, openDeps, seed, type World } from '../support/deps.ts'

const DAY = 86_400_000
const LOOK = { profile: 'default', verify: false, waitSeconds: 0 }

async function warnings(world: World): Promise<string[]> {
  const status = await tokenStatus(world.deps, LOOK)
  return status.warnings.map(String)
}

/** Changes what is stored, as if it had come about. */
async function change(world: World, changes: (now: number) => Partial<TokenSet>): Promise<void> {
  const { app } = await seed(world)
  await world.deps.store.withLock(app.id, 10_000, async (locked) => {
    const { generation, tokenSet } = await locked.read()
    if (!tokenSet) throw new Error('nothing was seeded')
    const changed = { ...tokenSet, ...changes(world.now()) }
    await locked.commit({ generation: generation + 1, tokenSet: changed }, generation)
  })
}

test('a fresh login has nothing to warn of', async () => {
  const world = await makeDeps()
  await seed(world)
  expect(await warnings(world)).toEqual([])
})

test('an activity log that cannot be written is told in one warning, for as long as that lasts', async () => {
  const world = await makeDeps()
  const path = join(world.deps.config.tokenDir, 'activity.jsonl')
  mkdirSync(path, { mode: 0o700, recursive: true })
  const told = [expect.stringMatching(/activity\.jsonl is (a directory|not a regular file).*not recorded/)]
  expect(await warnings(world)).toEqual(told)
  await seed(world)
  await force(world.deps)
  expect(await warnings(world)).toEqual(told)
  rmSync(path, { recursive: true })
  expect(await warnings(world)).toEqual([])
})

test('a refresh token with less than two days left is told, and a refresh ends the warning', async () => {
  const world = await makeDeps()
  await seed(world)
  world.pass(4.9 * DAY)
  expect(await warnings(world)).toEqual([])
  world.pass(0.2 * DAY)
  expect(await warnings(world)).toEqual([
    expect.stringMatching(/again by \d{4}-.* unless it is refreshed before/),
  ])
  await force(world.deps)
  expect(await warnings(world)).toEqual([])
})

test('the end of the 365 days is told from two weeks before, and no refresh moves it', async () => {
  const world = await makeDeps()
  await change(world, (now) => ({ authorizedAt: now - 350 * DAY }))
  expect(await warnings(world)).toEqual([])
  await change(world, (now) => ({ authorizedAt: now - 352 * DAY }))
  const cap = new Date(world.now() + 13 * DAY).toISOString().slice(0, 10)
  const told = [expect.stringMatching(new RegExp(`365 days.* by ${cap}.*refreshing does not move that day`))]
  expect(await warnings(world)).toEqual(told)
  await force(world.deps)
  expect(await warnings(world)).toEqual(told)
})

test('within its last week the 365 days are the end that is told, not the refresh token', async () => {
  const world = await makeDeps()
  await change(world, (now) => ({ authorizedAt: now - 364 * DAY, refreshTokenExpiresAt: now + DAY + 1 }))
  expect(await warnings(world)).toEqual([expect.stringMatching(/365 days/)])
})

test('what was not granted is named with the console page that fills in exactly that', async () => {
  const world = await makeDeps()
  const asked = [...DEFAULT_SCOPES, 'im:message', 'im:chat']
  await change(world, () => ({ scopes: [...DEFAULT_SCOPES], requestedScopes: asked }))
  const [warning = '', ...more] = await warnings(world)
  expect(more).toEqual([])
  expect(warning).toContain('Requested but not granted: im:message im:chat;')
  const [url = ''] = /http\S+/.exec(warning) ?? []
  expect(new URL(url).searchParams.get('q')).toBe('im:message,im:chat')
  expect(warning).toMatch(/publish a version \(版本管理与发布\), then call start_authorization\.$/)
})

test('no refresh token: why, and the two places where that is mended', async () => {
  const world = await makeDeps()
  await change(world, () => ({ refreshToken: null, refreshTokenExpiresAt: null }))
  const [warning = ''] = await warnings(world)
  expect(warning).toMatch(/no refresh token.*\/safe .*q=offline_access.* publish a version/)
})

test('what is unwise about the settings is said before a login, too, and where the store cannot be read', async () => {
  const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0' }
  const world = await makeDeps({ env })
  const { app } = await seed(world)
  writeFileSync(join(world.directory, 'store', `${app.key}.json`), 'garbage', { mode: 0o600 })
  const unreadable = await tokenStatus(world.deps, LOOK)
  expect(unreadable.status).toBe('store_unreadable')
  expect(unreadable.warnings.join(' ')).toContain('NODE_TLS_REJECT_UNAUTHORIZED=0')
  const unset = await openDeps({ ...env, FEISHU_TOKEN_DIR: join(world.directory, 'none') }, world.directory)
  const unconfigured = await tokenStatus(unset, LOOK)
  expect(unconfigured.status).toBe('not_configured')
  expect(unconfigured.warnings.join(' ')).toContain('NODE_TLS_REJECT_UNAUTHORIZED=0')
})

test('numbers beyond any time are told as the last that can be', async () => {
  const world = await makeDeps()
  await change(world, () => ({ refreshTokenExpiresAt: 1e300 }))
  const { refresh_token_expires_at, refresh_token_expires_in } = await tokenStatus(world.deps, LOOK)
  expect(refresh_token_expires_at).toBe('9999-12-31T23:59:59Z')
  expect(Number.isSafeInteger(refresh_token_expires_in)).toBe(true)
})
