import { describe, expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import type { Refusal, TokenSet } from '../../src/oauth/token-set.ts'
import { cannotRefresh, notAuthorized } from '../../src/refresh/reasons.ts'
import { inEnglish } from '../../src/sentence.ts'
import { force, makeDeps, presented, seed } from '../support/deps.ts'
import { storeIssued } from '../support/stored.ts'
import { ISSUED_AT, makeTokenSet } from '../support/token-set.ts'

const AGAIN = 'Call start_authorization so that the person approves again.'
const AT = '2026-01-01T00:00:00Z'
const LOST_AT = '2026-01-01T00:00:05Z'

const REFUSAL: Refusal = {
  reason: 'refused',
  at: ISSUED_AT,
  code: 'invalid_grant',
  feishuCode: null,
  logId: 'l1',
  lostAt: null,
}

describe('a token set that cannot be refreshed says why, and what to do', () => {
  test.each<[string, Partial<Refusal>, object]>([
    [
      'refused with a number',
      { feishuCode: 20064 },
      {
        code: 'invalid_grant',
        message: `Feishu refused the refresh token with 20064 at ${AT}.`,
        nextStep: AGAIN,
      },
    ],
    [
      'refused without a number',
      { code: 'unauthorized_client' },
      { code: 'unauthorized_client', message: `Feishu refused the refresh token at ${AT}.`, nextStep: AGAIN },
    ],
    [
      'an answer was lost',
      { reason: 'lost', lostAt: ISSUED_AT + 5_000, feishuCode: 20073 },
      {
        code: 'refresh_uncertain',
        message: `The refresh of ${LOST_AT} was interrupted and its answer lost; the token could not be recovered.`,
        nextStep: AGAIN,
      },
    ],
    [
      'an answer was lost, and nobody noted when',
      { reason: 'lost' },
      {
        code: 'refresh_uncertain',
        message: `The refresh of ${AT} was interrupted and its answer lost; the token could not be recovered.`,
        nextStep: AGAIN,
      },
    ],
    [
      'a page came in place of the answer',
      { reason: 'lost', lostAt: ISSUED_AT + 5_000, answered: 200 },
      {
        code: 'refresh_uncertain',
        message: `The answer to the refresh of ${LOST_AT} was lost; in its place came HTTP 200 without a token, as a captive portal or a proxy sends it.`,
        nextStep: AGAIN,
      },
    ],
    [
      'an older copy was put back',
      { reason: 'outdated' },
      {
        code: 'refresh_uncertain',
        message:
          'The stored token set is an older copy that was put back: its refresh token has been used since.',
        nextStep: AGAIN,
      },
    ],
  ])('%s', (_what, changes, said) => {
    const refusal = { ...REFUSAL, ...changes }
    const { feishuCode, logId } = refusal
    expect(cannotRefresh(makeTokenSet({ refusal }))).toMatchObject({ ...said, feishuCode, logId })
  })

  test.each<[string, Partial<Refusal>, object]>([
    [
      'a logout was interrupted',
      { reason: 'logout' },
      {
        code: 'not_authorized',
        message: `The logout of ${AT} was interrupted.`,
        nextStep: 'Log out again, or call start_authorization so that the person approves again.',
      },
    ],
    [
      'it was being renamed',
      { reason: 'leaving', way: { renamedTo: 'home', arrivesAs: 1 } },
      {
        code: 'config_invalid',
        message: 'The profile was being renamed to "home" when that was interrupted.',
        nextStep: 'Run the same `feishu-token-mcp profile rename` again.',
      },
    ],
    [
      'it was being moved',
      { reason: 'leaving' },
      {
        code: 'config_invalid',
        message: 'The token was being moved to another store when that was interrupted.',
        nextStep: 'Run the same `feishu-token-mcp store copy` again.',
      },
    ],
  ])('%s', (_what, changes, said) => {
    const error = cannotRefresh(makeTokenSet({ refusal: { ...REFUSAL, ...changes } }))
    // Not of Feishu's making.
    expect(error).toMatchObject({ ...said, feishuCode: null, logId: null })
  })

  test('Feishu gave no refresh token', () => {
    expect(cannotRefresh(makeTokenSet({ refreshToken: null }))).toMatchObject({
      code: 'no_refresh_token',
      message: 'Feishu gave no refresh token at the last authorization.',
      nextStep: expect.stringContaining('offline_access'),
    })
  })
})

test.each<[Partial<TokenSet>, string]>([
  [{ refreshToken: null }, 'no_refresh_token'],
  [{ refusal: REFUSAL }, 'invalid_grant'],
])('a refresh of it is refused before anything is sent: %#', async (changes, code) => {
  const world = await makeDeps()
  const { app, record } = await seed(world)
  await world.deps.store.withLock(app.id, 1_000, async (locked) => {
    if (record.tokenSet) await locked.commit({ ...record, tokenSet: { ...record.tokenSet, ...changes } }, 1)
  })
  await expect(force(world.deps)).rejects.toMatchObject({ code })
  expect(presented(world)).toBe(0)
})

test('a refresh that Feishu refuses says so at once', async () => {
  const world = await makeDeps()
  await seed(world)
  world.sandbox.revoke()
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'invalid_grant', nextStep: AGAIN })
})

describe('a profile without a token', () => {
  test('is not refreshed', async () => {
    const { deps } = await makeDeps()
    await expect(force(deps)).rejects.toMatchObject({ code: 'not_authorized' })
  })

  test('whose name may be mistyped is told with those that are known', async () => {
    const world = await makeDeps()
    await seed(world, 'home')
    await seed(world, 'work')
    expect(await notAuthorized(world.deps, await resolveApp(world.deps, 'wrok'))).toMatchObject({
      code: 'not_authorized',
      nextStep:
        'Name a known profile (home, work) or, for a new one, call start_authorization (or run `feishu-token-mcp login --profile wrok`).',
    })
  })

  test('is told with its app, and how to authorize', async () => {
    const { deps, sandbox } = await makeDeps()
    const { appId } = sandbox.app
    const error = await notAuthorized(deps, await resolveApp(deps, 'default'))
    expect(error).toMatchObject({
      code: 'not_authorized',
      message: `Profile "default" of app ${appId} has no token yet.`,
      nextStep: 'Call start_authorization (or run `feishu-token-mcp login`).',
    })
    // At a terminal, where `login` is what the call is named.
    expect(inEnglish(error.step, { command: 'x', profile: undefined })).toBe('Run `x login`.')
    expect(await notAuthorized(deps, await resolveApp(deps, 'work'))).toMatchObject({
      nextStep: 'Call start_authorization (or run `feishu-token-mcp login --profile work`).',
    })
  })

  test('is told with the app that has one: the settings may be mixed up', async () => {
    const { deps, sandbox, now } = await makeDeps()
    const app = await resolveApp(deps, 'default')
    const other = { ...app.id, appId: 'cli_other' }
    await storeIssued(deps.store, other, sandbox.issue(), sandbox.user, now())
    const error = await notAuthorized(deps, app)
    expect(error.message).toBe(
      `Profile "default" of app ${sandbox.app.appId} has no token yet. There is one of another app (feishu-cli_other).`,
    )
    expect(error.nextStep).toBe(
      'Check FEISHU_APP_ID and FEISHU_BRAND, or call start_authorization (or run `feishu-token-mcp login`).',
    )
  })
})
