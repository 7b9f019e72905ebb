import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importTokens } from '../src/import.ts'
import type { TokenSet } from '../src/oauth/token-set.ts'
import { tokenStatus } from '../src/status.ts'
import { makeDeps, type World } from './support/deps.ts'
import { failureOf } from './support/failure.ts'
import { makeFolder } from './support/folder.ts'

const HOUR_MS = 3_600_000
/** A whole second: file times are not kept finer everywhere. */
const WRITTEN_AT = Math.floor(Date.now() / 1000) * 1000 - HOUR_MS

function writeToken(content: unknown): string {
  const path = join(makeFolder(), 'token.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  utimesSync(path, WRITTEN_AT / 1000, WRITTEN_AT / 1000)
  return path
}

async function take(world: World, content: unknown, force = false): Promise<TokenSet> {
  const path = writeToken(content)
  const { tokenSet } = await importTokens(world.deps, { profile: 'default', path, force })
  if (!tokenSet) throw new Error('nothing was imported')
  return tokenSet
}

const TOKENS = { access_token: 'u-abc', refresh_token: 'ur-def' }
const AT = WRITTEN_AT + 2 * HOUR_MS
const EXPIRIES: [string, Record<string, unknown>, number][] = [
  ['RFC 3339', { expires_at: new Date(AT).toISOString() }, AT],
  ['RFC 3339 with an offset', { expires_at: new Date(AT).toISOString().replace('Z', '+00:00') }, AT],
  ['seconds', { expires_at: AT / 1000 }, AT],
  ['seconds with a fraction', { expires_at: AT / 1000 + 0.25 }, AT + 250],
  ['seconds in a string', { expires_at: String(AT / 1000) }, AT],
  ['milliseconds', { expires_at: AT }, AT],
  ['expires_in, from the time of the file', { expires_in: 7200 }, AT],
  ['expires_in in a string', { expires_in: '7200' }, AT],
  ['both, of which the instant counts', { expires_at: AT, expires_in: 1 }, AT],
  ['an instant that is none', { expires_at: 'soon', expires_in: 7200 }, AT],
  ['nothing', {}, AT],
]

test.for(EXPIRIES)('the expiry is read from %s', async ([, fields, at]) => {
  const world = await makeDeps()
  const tokenSet = await take(world, { ...TOKENS, ...fields, scope: 'docx:document offline_access' })
  expect(tokenSet.accessTokenExpiresAt).toBe(at)
  expect(tokenSet.accessToken?.reveal()).toBe('u-abc')
  expect(tokenSet.refreshToken?.reveal()).toBe('ur-def')
  expect(tokenSet).toMatchObject({ scopes: ['docx:document', 'offline_access'], user: null, endpoint: 'v2' })
  expect(world.sandbox.requests).toEqual([])
})

test('what lies in the past is due, and what is far in the future is believed no more than a token lives', async () => {
  const world = await makeDeps()
  const statusOf = async (fields: Record<string, unknown>): Promise<string> => {
    await take(world, { ...TOKENS, ...fields }, true)
    return (await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })).status
  }
  expect(await statusOf({ expires_at: WRITTEN_AT })).toBe('needs_refresh')
  expect(await statusOf({ expires_at: Date.now() + HOUR_MS })).toBe('valid')
  expect(await statusOf({ expires_at: Date.now() + 9_000 * HOUR_MS })).toBe('needs_refresh')
  expect(await statusOf({ expires_at: 1e300 })).toBe('needs_refresh')
})

test('the life of the refresh token is counted from the time of the file', async () => {
  const world = await makeDeps()
  expect((await take(world, TOKENS)).refreshTokenExpiresAt).toBeNull()
  const seven = { refresh_token_expires_in: 604_800 }
  expect((await take(world, { ...TOKENS, ...seven }, true)).refreshTokenExpiresAt).toBe(
    WRITTEN_AT + 604_800_000,
  )
})

test('a file with one of the two tokens is enough', async () => {
  const world = await makeDeps()
  expect((await take(world, { refresh_token: 'ur-def' })).accessToken).toBeNull()
  expect((await take(world, { access_token: 'u-abc' }, true)).refreshToken).toBeNull()
})

const MALFORMED: [string, unknown][] = [
  ['nothing', ''],
  ['no JSON', '{"access_token": "u-abc"'],
  ['a list', [TOKENS]],
  ['a number', 17],
  ['null', 'null'],
  ['no token', { expires_in: 7200 }],
  ['empty tokens', { access_token: '', refresh_token: '' }],
  ['a token that is a number', { access_token: 17 }],
  ['a token with a line end', { access_token: 'u-abc\nHost: attacker.example' }],
  ['a refresh token that is an object', { ...TOKENS, refresh_token: {} }],
  ['more than a megabyte', { ...TOKENS, more: 'x'.repeat(1_100_000) }],
]

test.for(MALFORMED)('a file with %s is refused, and nothing is stored', async ([, content]) => {
  const world = await makeDeps()
  const path = writeToken(content)
  const options = { profile: 'default', path, force: true }
  const error = await failureOf(() => importTokens(world.deps, options))
  expect([error.code, error.message]).toEqual(['config_invalid', expect.stringContaining(path)])
  expect(error.message).not.toContain('u-abc')
  expect(await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })).toMatchObject({
    status: 'not_authorized',
    generation: 0,
  })
})

test('a file that is not there, and a folder, are refused with the reason', async () => {
  const world = await makeDeps()
  const folder = makeFolder()
  for (const [path, errno] of [
    [join(folder, 'absent.json'), 'ENOENT'],
    [folder, 'EISDIR'],
  ] as const) {
    const error = await failureOf(() => importTokens(world.deps, { profile: 'default', path, force: false }))
    expect([error.code, error.message]).toEqual(['config_invalid', expect.stringContaining(errno)])
  }
})

test('a token set in place is replaced only with force, and its generation goes on', async () => {
  const world = await makeDeps()
  await take(world, TOKENS)
  const error = await failureOf(() => take(world, { access_token: 'u-other' }))
  expect([error.code, error.nextStep]).toEqual(['config_invalid', expect.stringContaining('--force')])
  await take(world, { access_token: 'u-other' }, true)
  expect(await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })).toMatchObject({
    generation: 2,
  })
})
