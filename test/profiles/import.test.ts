import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { toTime } from '../../src/answers.ts'
import type { Deps } from '../../src/deps.ts'
import { CodedError } from '../../src/errors.ts'
import { nextStep, type TokenSet } from '../../src/oauth/token-set.ts'
import { importTokens } from '../../src/profiles/import.ts'
import { tokenStatus } from '../../src/status/status.ts'
import { breakDisk, changing } from '../store/fixture.ts'
import { openDeps } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_SPECIAL_FILES, testIf } from '../support/needs.ts'
import { ISSUED_AT } from '../support/token-set.ts'

/** The file was written an hour ago. */
const NOW = ISSUED_AT + 3_600_000
const GOOD = {
  access_token: 'eyJ.access',
  refresh_token: 'eyJ.refresh',
  scope: 'docx:document offline_access',
}
const ID = { brand: 'feishu', appId: 'cli_a1', profile: 'default' } as const

let folder = ''
let deps: Deps
beforeEach(async () => {
  folder = makeFolder()
  const env = { FEISHU_APP_ID: 'cli_a1', FEISHU_APP_SECRET: 's', FEISHU_TOKEN_DIR: join(folder, 'tokens') }
  deps = await openDeps(env, folder, { now: () => NOW })
})

/** Puts the old script's file where the person says it is. */
function put(content: unknown): string {
  const path = join(folder, 'token.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  utimesSync(path, ISSUED_AT / 1000, ISSUED_AT / 1000)
  return path
}

async function importFile(content: unknown, force = false): Promise<TokenSet> {
  const { tokenSet } = await importTokens(deps, { profile: 'default', path: put(content), force })
  if (!tokenSet) throw new Error('nothing was imported')
  return tokenSet
}

test('the file of the old script is taken over, and left where it is', async () => {
  const content = JSON.stringify({ ...GOOD, token_type: 'Bearer', expires_in: 6_871, obtained_at: ISSUED_AT })
  const tokenSet = await importFile(content)
  expect(tokenSet.accessToken?.reveal()).toBe('eyJ.access')
  expect(tokenSet.refreshToken?.reveal()).toBe('eyJ.refresh')
  expect(tokenSet).toMatchObject({
    accessTokenExpiresAt: ISSUED_AT + 6_871_000,
    refreshTokenExpiresAt: ISSUED_AT + 604_800_000,
    scopes: ['docx:document', 'offline_access'],
    user: null,
    authorizedAt: 0,
    issuedAt: ISSUED_AT,
    endpoint: 'v2',
  })
  expect(await deps.store.read(ID)).toEqual({ generation: 1, tokenSet })
  expect(readFileSync(join(folder, 'token.json'), 'utf8')).toBe(content)
})

test('a file whose tokens could not be written by the end is told, so that nobody deletes the file', async () => {
  await importFile(GOOD)
  let mend = (): void => {}
  const store = changing(deps.store, () => {
    mend = breakDisk(deps.config.tokenDir)
  })
  const again = { profile: 'default', path: put(GOOD), force: true }
  const error = await failureOf(() => importTokens({ ...deps, store }, again))
  expect([error.code, error.message]).toEqual(['store_not_writable', expect.stringContaining('not imported')])
  mend()
  await deps.store.flush()
})

describe('the end of the access token', () => {
  const at = ISSUED_AT + 6_871_000
  test.each<[string, object, number]>([
    ['RFC 3339', { expires_at: new Date(at).toISOString() }, at],
    ['RFC 3339 of another zone', { expires_at: '2026-01-01T09:54:31+08:00' }, at],
    ['seconds', { expires_at: at / 1000 }, at],
    ['a part of a second', { expires_at: at / 1000 + 0.25 }, at + 250],
    ['milliseconds', { expires_at: at }, at],
    ['digits in a text', { expires_at: String(at / 1000) }, at],
    ['RFC 3339 with a blank and no colon', { expires_at: '2026-01-01 09:54:31+0800' }, at],
    ['a life from when it was obtained', { expires_in: 6_871, obtained_at: ISSUED_AT / 1000 }, at],
    [
      'a life in a text, from when it was made',
      { expires_in: '6871', created_at: new Date(ISSUED_AT).toISOString() },
      at,
    ],
    ['a life that is an instant', { expires_in: at / 1000 }, at],
    ['another name', { expire_time: at }, at],
    ['both: the instant wins', { expires_at: at / 1000, expires_in: 1, obtained_at: ISSUED_AT }, at],
    ['no instant, and a life', { expires_at: 'soon 5', expires_in: 6_871, obtained_at: ISSUED_AT }, at],
    ['a life alone, which may be yesterday’s: it is due', { expires_in: 6_871 }, 0],
    ['a life from a time to come: it is due', { expires_in: 6_871, obtained_at: NOW + 3_600_000 }, 0],
    [
      'a life from a time without a zone: it is due',
      { expires_in: 6_871, obtained_at: '2026-01-01 00:00:00' },
      0,
    ],
    ['a time without a zone: it is due', { expires_at: '2026-01-01T01:54:31' }, 0],
    ['nothing: it is due', {}, 0],
    ['nonsense: it is due', { expires_at: [7], expires_in: true }, 0],
    ['less than nothing: it is due', { expires_at: -1, expires_in: 0 }, 0],
  ])('is read from %s', async (_what, members, expected) => {
    expect((await importFile({ ...GOOD, ...members })).accessTokenExpiresAt).toBe(expected)
  })

  test.each([
    [NOW - 1, 'refresh'],
    [NOW + 3_600_000, 'use'],
    [NOW + 400 * 86_400_000, 'refresh'],
    [1e300, 'refresh'],
  ])('at %d is believed no more than a token lives', async (expiresAt, step) => {
    const tokenSet = await importFile({ ...GOOD, expires_at: expiresAt })
    const remainingMs = deps.clock.remainingMs({ generation: 1, tokenSet }, 'key')
    expect(nextStep(tokenSet, remainingMs, 300_000)).toBe(step)
    if (expiresAt > NOW + 86_400_000) expect(tokenSet?.accessTokenExpiresAt).toBe(0)
  })
})

test('an end that is not surely said is told as unknown, and a refresh is due', async () => {
  await importFile({ ...GOOD, expires_in: 6_871 })
  const status = await tokenStatus(deps, { profile: 'default', verify: false, waitSeconds: 0 })
  expect(status).toMatchObject({
    status: 'needs_refresh',
    access_token_expires_at: null,
    access_token_expires_in: null,
  })
})

test.each([
  ['spaces', 'docx:document offline_access'],
  ['a comma', 'docx:document,offline_access'],
  ['a list', ['docx:document', 'offline_access']],
])('scopes are read from a file that parts them by %s', async (_, scope) => {
  expect((await importFile({ ...GOOD, scope })).scopes).toEqual(['docx:document', 'offline_access'])
})

test.each(['refresh_token_expires_at', 'refresh_expires_at'])(
  'the end of the refresh token is read from %s',
  async (name) => {
    expect((await importFile({ ...GOOD, [name]: 1_800_000_000 })).refreshTokenExpiresAt).toBe(
      1_800_000_000_000,
    )
  },
)

test.each(['refresh_token_expires_in', 'refresh_expires_in'])(
  'the end of the refresh token is counted from %s',
  async (name) => {
    expect(
      (await importFile({ ...GOOD, [name]: 86_400, obtained_at: ISSUED_AT })).refreshTokenExpiresAt,
    ).toBe(ISSUED_AT + 86_400_000)
    expect((await importFile({ ...GOOD, [name]: 86_400 }, true)).refreshTokenExpiresAt).toBeNull()
  },
)

test('one of the two tokens is enough', async () => {
  expect(await importFile({ access_token: 'a1' })).toMatchObject({ refreshToken: null, scopes: [] })
  const refreshable = await importFile({ refresh_token: 'r1', access_token: '' }, true)
  expect(refreshable).toMatchObject({ accessToken: null })
  expect(refreshable.refreshToken?.reveal()).toBe('r1')
})

describe('who knows how old the login is', () => {
  test.each<[string, object, number | null]>([
    ['nobody', { expires_at: NOW + 1_000_000 }, null],
    [
      'who says when the refresh token ends',
      { refresh_token_expires_at: NOW + 86_400_000 },
      NOW + 86_400_000,
    ],
    ['who says when it was obtained', { obtained_at: ISSUED_AT }, ISSUED_AT + 7 * 86_400_000],
    ['nobody, of a number beyond all dates', { refresh_token_expires_at: 9e15 }, null],
  ])('%s', async (_who, members, by) => {
    await importFile({ ...GOOD, ...members })
    const status = await tokenStatus(deps, { profile: 'default', verify: false, waitSeconds: 0 })
    expect(status.reauthorize_by).toBe(toTime(by))
    expect(status.authorized_at).toBeNull()
  })

  test('what does not surely say when it ends needs a refresh', async () => {
    await importFile({ ...GOOD, expires_in: 7_200 })
    const status = await tokenStatus(deps, { profile: 'default', verify: false, waitSeconds: 0 })
    expect(status.status).toBe('needs_refresh')
    expect(status.warnings.map(String).join()).not.toMatch(/365 days/)
  })
})

describe('what scripts leave behind', () => {
  const tokens = { access_token: 'eyJ.access', refresh_token: 'eyJ.refresh', expires_in: 7_200 }
  test.each<[string, object]>([
    ['Feishu’s own answer', { code: 0, msg: 'success', data: tokens, obtained_at: ISSUED_AT }],
    [
      'camelCase',
      { accessToken: 'eyJ.access', refreshToken: 'eyJ.refresh', expiresIn: 7_200, obtainedAt: ISSUED_AT },
    ],
    [
      'another name',
      { user_access_token: 'eyJ.access', refresh_token: 'eyJ.refresh', expires_at: ISSUED_AT + 7_200_000 },
    ],
    ['by the person', { ou_1234: { ...tokens, obtained_at: ISSUED_AT } }],
    [
      'by the app and the person',
      { cli_a1: { users: { ou_1234: { ...tokens, created_at: ISSUED_AT / 1000 } } } },
    ],
    ['in a list', [{ ...tokens, obtained_at: ISSUED_AT }] as object],
    ['beside an app’s token', { tenant_access_token: 't-1', user: { ...tokens, obtained_at: ISSUED_AT } }],
  ])('is read: %s', async (_what, content) => {
    const tokenSet = await importFile(content)
    expect(tokenSet.accessToken?.reveal()).toBe('eyJ.access')
    expect(tokenSet.refreshToken?.reveal()).toBe('eyJ.refresh')
    expect(tokenSet.accessTokenExpiresAt).toBe(ISSUED_AT + 7_200_000)
  })

  test.each<[string, unknown, RegExp]>([
    ['two people', { ou_1: tokens, ou_2: tokens }, /several tokens \(ou_1, ou_2\)/],
    ['an unknown name', { feishu: { uat: 'eyJhbGciOiJFUzI1NiJ9.canary' } }, /is under feishu › uat/],
    ['no JSON', 'A=1\nTOKEN=u-abcdefghijklmnopcanary\n', /is not JSON; what looks like a token is on line 2/],
    [
      'a token as a name',
      { 'u-abcdefghijklmnopcanary': { x: 'u-abcdefghijklmnopcanary' } },
      /is under … › x/,
    ],
  ])('is told where it is not: %s', async (_what, content, why) => {
    const error = await failureOf(() => importFile(content))
    expect(error.code).toBe('config_invalid')
    expect(error.message).toMatch(why)
    expect(error.message).not.toContain('canary')
  })

  test('standard input is read, and no more of it than a file may have', async () => {
    const options = { profile: 'default', path: 'standard input', force: true }
    const parts = JSON.stringify(GOOD).match(/.{1,7}/g) ?? []
    const { tokenSet } = await importTokens(deps, { ...options, input: Readable.from(parts) })
    expect(tokenSet?.accessToken?.reveal()).toBe('eyJ.access')
    const endless = Readable.from(
      (function* () {
        for (;;) yield ' '.repeat(65_536)
      })(),
    )
    const error = await failureOf(() => importTokens(deps, { ...options, input: endless }))
    expect(error.message).toBe('standard input is not JSON.')
  })
})

describe('an existing token set', () => {
  test('is not replaced', async () => {
    await importFile(GOOD)
    const error = await failureOf(() => importFile({ ...GOOD, access_token: 'other' }))
    expect(error).toMatchObject({ code: 'config_invalid', nextStep: expect.stringContaining('--force') })
    expect((await deps.store.read(ID)).tokenSet?.accessToken?.reveal()).toBe('eyJ.access')
  })

  test('is replaced by force, as the next generation', async () => {
    await importFile(GOOD)
    await importFile({ ...GOOD, access_token: 'other' }, true)
    expect((await deps.store.read(ID)).generation).toBe(2)
  })

  test('that cannot be opened is not replaced, by force neither', async () => {
    await importFile(GOOD)
    const path = join(folder, 'tokens', 'store', 'feishu-cli_a1-default.json')
    writeFileSync(path, 'garbage')
    expect((await failureOf(() => importFile(GOOD, true))).code).toBe('store_unreadable')
    expect(readFileSync(path, 'utf8')).toBe('garbage')
  })
})

describe('what is no such file', () => {
  test.each<[string, unknown, RegExp]>([
    ['nothing in it', '', /is not JSON/],
    ['a bare token', 'eyJ.canary', /is not JSON/],
    ['half of it', '{"access_token":"eyJ.canary', /is not JSON/],
    ['a list', '["eyJ.canary"]', /not a JSON object/],
    ['null', 'null', /not a JSON object/],
    ['no token', {}, /neither access_token nor refresh_token/],
    ['empty tokens', { access_token: '', refresh_token: null }, /neither/],
    ['a token with a line break', { ...GOOD, access_token: 'canary\n' }, /access_token that is no token/],
    ['a token that is a number', { ...GOOD, refresh_token: 4711 }, /refresh_token that is no token/],
    [
      'a token without end',
      { ...GOOD, refresh_token: 'canary'.repeat(10_000) },
      /refresh_token that is no token/,
    ],
    ['more than a megabyte', `{"x":"${'canary'.repeat(200_000)}"}`, /is not JSON/],
  ])('%s is refused, not shown, and nothing is stored', async (_what, content, why) => {
    const error = await failureOf(() => importFile(content))
    expect(error).toMatchObject({ code: 'config_invalid', nextStep: expect.stringContaining('token.json') })
    expect(error.message).toMatch(why)
    expect(error.message).not.toContain('canary')
    expect(existsSync(join(folder, 'tokens'))).toBe(false)
  })

  test('a file that is not there, and a folder, are refused', async () => {
    const paths = { ENOENT: join(folder, 'none'), EISDIR: folder }
    for (const [errno, path] of Object.entries(paths)) {
      const error = await failureOf(() => importTokens(deps, { profile: 'default', path, force: false }))
      expect([error.code, error.message]).toEqual(['config_invalid', `${path} cannot be read (${errno}).`])
    }
  })

  testIf(NO_SPECIAL_FILES)('a FIFO that nobody writes to is refused, at once', async () => {
    const fifo = join(folder, 'fifo')
    execFileSync('mkfifo', [fifo])
    const nobody = await failureOf(() => importTokens(deps, { profile: 'default', path: fifo, force: false }))
    expect(nobody.message).toBe(`${fifo} is not JSON.`)
  })

  test('a byte order mark is no obstacle', async () => {
    expect((await importFile(`\uFEFF${JSON.stringify(GOOD)}`)).accessToken?.reveal()).toBe('eyJ.access')
  })

  test('any JSON is imported or refused', async () => {
    const member = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>('a1', 7_200, '2026-01-01T00:00:00Z', 1e300),
    )
    const names = [
      ...Object.keys(GOOD),
      'expires_at',
      'expires_in',
      'refresh_token_expires_in',
      'refresh_expires_at',
    ]
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), member), async (json) => {
        try {
          const tokenSet = await importFile(json, true)
          expect(tokenSet.accessTokenExpiresAt).toBeGreaterThanOrEqual(0)
          const stored = await deps.store.read(ID)
          expect(stored.tokenSet?.scopes).toEqual(tokenSet.scopes)
        } catch (error) {
          if (!(error instanceof CodedError)) throw error
          expect(error.code).toBe('config_invalid')
        }
      }),
      { numRuns: 50 },
    )
  })
})

test.each([1e13, 1e300, Number.MAX_VALUE])(
  'a refresh token of %d seconds says nothing of its end',
  async (seconds) => {
    const given = { ...GOOD, obtained_at: NOW / 1000, expires_in: 7200, refresh_token_expires_in: seconds }
    expect((await importFile(given)).refreshTokenExpiresAt).toBeNull()
  },
)
