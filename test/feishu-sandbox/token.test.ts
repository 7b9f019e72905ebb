import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { exchangeCode, obtainCode, pkce, post, refresh, token, userInfo } from './client.ts'
import { fingerprint } from './ledger.ts'
import { type Sandbox, startSandbox } from './sandbox.ts'

const V2 = '/open-apis/authen/v2/oauth/token'

let sandbox: Sandbox

beforeEach(async () => {
  sandbox = await startSandbox()
})

afterEach(() => sandbox.close())

describe('a request to the token endpoint (point 7)', () => {
  test.each(['v2', 'v3'] as const)('%s takes JSON and forms alike', async (version) => {
    const path = version === 'v2' ? V2 : '/oauth/v3/token'
    const { appId, appSecret } = sandbox.app
    for (const as of ['json', 'form'] as const) {
      const fields = {
        grant_type: 'authorization_code',
        client_id: appId,
        client_secret: appSecret,
        code: await obtainCode(sandbox),
      }
      const reply = await post(sandbox.url + path, fields, { as })
      expect(reply.status).toBe(200)
      expect(reply.headers['content-type']).toBe('application/json; charset=utf-8')
      expect(reply.headers['x-tt-logid']).toMatch(/^\d{14}[0-9A-F]{20}$/)
    }
  })

  test.each([
    ['text', 'text/plain', 'grant_type=refresh_token'],
    ['half JSON', 'application/json', '{"grant_type":'],
    ['a JSON array', 'application/json', '[]'],
    ['a number for a text', 'application/json', '{"grant_type":1}'],
    ['a doubled field', 'application/x-www-form-urlencoded', 'grant_type=a&grant_type=b'],
  ])('%s is malformed', async (_, contentType, body) => {
    const response = await fetch(sandbox.url + V2, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body,
    })
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({
      error: 'invalid_request',
      error_description: 'The request is malformed. Please check your request.',
      code: 20063,
    })
  })

  test.each([
    [20001, { grant_type: undefined }],
    [20001, { grant_type: 'refresh_token' }],
    [20001, { grant_type: 'refresh_token', refresh_token: 'x', client_secret: undefined }],
    [20001, { grant_type: 'authorization_code', code: 'x', client_id: undefined }],
    [20036, { grant_type: 'password' }],
    [20036, { grant_type: 'client_credentials' }],
  ])('answers %i to %j', async (code, fields) => {
    expect((await token(sandbox, fields)).json.code).toBe(code)
  })

  test('Basic and a secret in the body together are refused', async () => {
    const headers = { authorization: 'Basic eDp5' }
    const fields = { grant_type: 'refresh_token', client_secret: 'x' }
    expect((await post(sandbox.url + V2, fields, { headers })).json.code).toBe(20070)
  })
})

describe('the exchange of a code (point 8)', () => {
  test('the code is looked up before the app is authenticated', async () => {
    const wrong = { client_id: 'cli_x', client_secret: 'x' }
    expect((await exchangeCode(sandbox, 'unknown', wrong)).json).toMatchObject({
      code: 20003,
      error: 'invalid_grant',
    })
    expect((await exchangeCode(sandbox, await obtainCode(sandbox), wrong)).json.code).toBe(20048)
  })

  test.each([
    [20002, { client_secret: 'wrong' }],
    [20071, { redirect_uri: 'http://localhost:9000/callback?x' }],
    [20067, { scope: 'docx:document docx:document' }],
    [20068, { scope: 'task:task:read' }],
  ])('answers %i to %j and burns the code', async (expected, changes) => {
    const code = await obtainCode(sandbox)
    const reply = await exchangeCode(sandbox, code, changes)
    expect([reply.status, reply.json.code]).toEqual([400, expected])
    expect((await exchangeCode(sandbox, code)).json.code).toBe(20065)
  })

  test('a failed exchange leaves the code alone where the knob says so', async () => {
    sandbox.knobs.failedExchangeBurnsCode = false
    const code = await obtainCode(sandbox)
    expect((await exchangeCode(sandbox, code, { client_secret: 'wrong' })).json.code).toBe(20002)
    expect((await exchangeCode(sandbox, code)).json.code).toBe(0)
  })

  test.each([
    [20069, () => sandbox.setApp({ enabled: false })],
    [20009, () => sandbox.setApp({ installed: false })],
    [20010, () => sandbox.setApp({ availability: [] })],
    [20008, () => sandbox.setUser({ status: 'deleted' })],
    [20066, () => sandbox.setUser({ status: 'frozen' })],
  ])('answers %i when app or person have changed', async (expected, change) => {
    const code = await obtainCode(sandbox)
    const { refresh_token } = sandbox.issue()
    change()
    expect((await exchangeCode(sandbox, code)).json.code).toBe(expected)
    expect((await refresh(sandbox, refresh_token)).json.code).toBe(expected)
  })

  test('S256 is verified on v2', async () => {
    const { verifier, parameters } = pkce()
    const exchange = async (code_verifier?: string) =>
      (await exchangeCode(sandbox, await obtainCode(sandbox, parameters), { code_verifier })).json.code
    expect(await exchange(verifier)).toBe(0)
    expect(await exchange(pkce().verifier)).toBe(20049)
    expect(await exchange()).toBe(20049)
  })

  test('plain is the default method', async () => {
    const challenge = 'v'.repeat(43)
    const code = await obtainCode(sandbox, { code_challenge: challenge })
    expect((await exchangeCode(sandbox, code, { code_verifier: challenge })).json.code).toBe(0)
  })

  test('a verifier without a challenge passes on v2 and fails on v3', async () => {
    const code_verifier = pkce().verifier
    const v2 = await exchangeCode(sandbox, await obtainCode(sandbox), { code_verifier })
    const v3 = await exchangeCode(sandbox, await obtainCode(sandbox), { code_verifier }, 'v3')
    expect([v2.json.code, v3.json.code]).toEqual([0, 20049])
  })

  test('v3 refuses a valid verifier until the quirk is off', async () => {
    const { verifier, parameters } = pkce()
    const exchange = async () =>
      exchangeCode(sandbox, await obtainCode(sandbox, parameters), { code_verifier: verifier }, 'v3')
    expect((await exchange()).json.code).toBe(20049)
    sandbox.knobs.v3PkceBroken = false
    expect((await exchange()).json.code).toBe(0)
  })

  test('the scope parameter narrows this token set alone', async () => {
    const code = await obtainCode(sandbox)
    const reply = await exchangeCode(sandbox, code, { scope: 'docx:document' })
    expect(reply.json.scope).toBe('docx:document')
    expect(reply.json).not.toHaveProperty('refresh_token')
    const next = await exchangeCode(sandbox, await obtainCode(sandbox))
    expect(next.json.scope).toBe('auth:user.id:read docx:document offline_access')
  })

  test('what the app no longer has enabled is missing from the token', async () => {
    const code = await obtainCode(sandbox)
    sandbox.setApp({ enabledScopes: ['offline_access'] })
    expect((await exchangeCode(sandbox, code)).json.scope).toBe('auth:user.id:read offline_access')
  })
})

describe('a success (point 9)', () => {
  test('is flat, complete, and its lifetimes are odd', async () => {
    const reply = await exchangeCode(sandbox, await obtainCode(sandbox))
    expect(reply.json).toEqual({
      code: 0,
      access_token: expect.stringMatching(/^eyJhbGciOiJFUzI1NiIs[\w-]+\.[\w-]+\.[\w-]+$/),
      expires_in: 6_871,
      refresh_token: expect.stringMatching(/^eyJhbGciOiJFUzI1NiIs/),
      refresh_token_expires_in: 600_011,
      scope: 'auth:user.id:read docx:document offline_access',
      token_type: 'Bearer',
    })
    const lengths = [reply.json.access_token, reply.json.refresh_token].map((value) => String(value).length)
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(1_024)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(4_096)
  })

  test.each([
    ['offline_access was not granted', () => {}, { scope: 'docx:document' }],
    ['the switch is off', () => Object.assign(sandbox.knobs, { refreshSwitch: false }), {}],
    ['the platform omits it', () => Object.assign(sandbox.knobs, { omitRefreshToken: true }), {}],
  ])('has no refresh token when %s', async (_, prepare, changes) => {
    prepare()
    const reply = await exchangeCode(sandbox, await obtainCode(sandbox, changes))
    expect(reply.json.code).toBe(0)
    expect(reply.json).not.toHaveProperty('refresh_token')
    expect(reply.json).not.toHaveProperty('refresh_token_expires_in')
  })

  test('on Lark carries the code as text, and v3 takes no authorization code', async () => {
    const lark = await startSandbox({ brand: 'lark' })
    try {
      expect((await exchangeCode(lark, await obtainCode(lark))).json.code).toBe('0')
      expect((await exchangeCode(lark, await obtainCode(lark), {}, 'v3')).json.code).toBe(20003)
    } finally {
      await lark.close()
    }
  })
})

describe('a refresh (point 10)', () => {
  test('rotates: the old refresh token is dead at once, the old access token lives on', async () => {
    const old = sandbox.issue()
    const reply = await refresh(sandbox, old.refresh_token)
    expect(reply.json.code).toBe(0)
    expect(reply.json.refresh_token).not.toBe(old.refresh_token)
    expect((await refresh(sandbox, old.refresh_token)).json).toMatchObject({
      code: 20064,
      error: 'invalid_grant',
    })
    expect((await userInfo(sandbox, old.access_token)).status).toBe(200)
    expect((await refresh(sandbox, reply.json.refresh_token)).json.code).toBe(0)
  })

  test('reuse answers 20073 and ends the authorization where the knobs say so', async () => {
    Object.assign(sandbox.knobs, { rotatedCode: 20073, reuseRevokesAuthorization: true })
    const old = sandbox.issue()
    const { json } = await refresh(sandbox, old.refresh_token)
    expect((await refresh(sandbox, old.refresh_token)).json.code).toBe(20073)
    expect((await refresh(sandbox, json.refresh_token)).json.code).toBe(20064)
    expect((await userInfo(sandbox, String(json.access_token))).json.code).toBe(99991668)
  })

  test('inside the grace window a rotated token gets the same token set again', async () => {
    sandbox.knobs.graceWindowMs = 30_000
    const old = sandbox.issue()
    const first = await refresh(sandbox, old.refresh_token)
    sandbox.clock.advance(10_000)
    const again = await refresh(sandbox, old.refresh_token)
    expect(again.json).toMatchObject({
      access_token: first.json.access_token,
      refresh_token: first.json.refresh_token,
      expires_in: 6_861,
    })
    sandbox.clock.advance(20_000)
    expect((await refresh(sandbox, old.refresh_token)).json.code).toBe(20064)
    expect(sandbox.ledger.map((entry) => entry.outcome)).toEqual(['rotated', 'replayed', 'rejected'])
  })

  test('on Lark the old access token has a minute left', async () => {
    sandbox.knobs.oldAccessTokenGraceMs = 60_000
    const old = sandbox.issue()
    await refresh(sandbox, old.refresh_token)
    sandbox.clock.advance(59_000)
    expect((await userInfo(sandbox, old.access_token)).status).toBe(200)
    sandbox.clock.advance(1_000)
    expect((await userInfo(sandbox, old.access_token)).json.code).toBe(99991668)
  })

  test('answers in the order switch, kind, app, rotated, expired, secret', async () => {
    const { refresh_token } = sandbox.issue()
    const other = sandbox.addApp()
    const foreign = { client_id: other.appId, client_secret: other.appSecret }
    expect((await refresh(sandbox, refresh_token, { client_secret: 'wrong' })).json.code).toBe(20002)
    expect((await refresh(sandbox, refresh_token, { client_id: 'cli_x' })).json.code).toBe(20048)
    expect((await refresh(sandbox, 'ur-1234')).json.code).toBe(20026)
    expect((await refresh(sandbox, refresh_token, foreign)).json.code).toBe(20024)
    sandbox.knobs.refreshSwitch = false
    expect((await refresh(sandbox, refresh_token)).json.code).toBe(20074)
    sandbox.knobs.refreshSwitch = true
    expect((await refresh(sandbox, refresh_token)).json.code).toBe(0)
    expect((await refresh(sandbox, refresh_token, { client_secret: 'wrong' })).json.code).toBe(20064)
  })

  test('v2 takes only its own refresh tokens, v3 both', async () => {
    const v2 = sandbox.issue()
    const v3 = sandbox.issue({ endpoint: 'v3' })
    expect((await refresh(sandbox, v3.refresh_token)).json.code).toBe(20026)
    expect((await refresh(sandbox, v3.refresh_token, {}, 'v3')).json.code).toBe(0)
    expect((await refresh(sandbox, v2.refresh_token, {}, 'v3')).json.code).toBe(0)
  })

  test('expires after its lifetime, and 365 days after the approval', async () => {
    const { refresh_token } = sandbox.issue()
    sandbox.clock.advance(sandbox.knobs.refreshTokenLifetimeMs)
    expect((await refresh(sandbox, refresh_token)).json.code).toBe(20037)
    sandbox.knobs.refreshTokenLifetimeMs = 400 * 86_400_000
    const long = sandbox.issue()
    sandbox.clock.advance(364 * 86_400_000)
    const renewed = await refresh(sandbox, long.refresh_token)
    expect(renewed.json.code).toBe(0)
    sandbox.clock.advance(86_400_000)
    expect((await refresh(sandbox, renewed.json.refresh_token)).json.code).toBe(20037)
  })

  test('what an administrator revoked answers 20064', async () => {
    const { refresh_token, access_token } = sandbox.issue()
    sandbox.revoke({ openId: sandbox.user.openId, tokens: 'refresh' })
    expect((await refresh(sandbox, refresh_token)).json.code).toBe(20064)
    expect((await userInfo(sandbox, access_token)).status).toBe(200)
    sandbox.revoke({ appId: sandbox.app.appId })
    expect((await userInfo(sandbox, access_token)).json.code).toBe(99991668)
  })

  test('a rotated app secret takes effect at once', async () => {
    const { refresh_token } = sandbox.issue()
    const old = sandbox.app.appSecret
    sandbox.setApp({ appSecret: 'new-secret-of-the-app' })
    expect((await refresh(sandbox, refresh_token, { client_secret: old })).json.code).toBe(20002)
    expect((await refresh(sandbox, refresh_token)).json.code).toBe(0)
    expect(sandbox.secrets()).toEqual(expect.arrayContaining([old, 'new-secret-of-the-app']))
  })

  test('without a new refresh token the old one stays in force', async () => {
    const { refresh_token } = sandbox.issue()
    sandbox.knobs.omitRefreshToken = true
    expect((await refresh(sandbox, refresh_token)).json).not.toHaveProperty('refresh_token')
    sandbox.knobs.omitRefreshToken = false
    expect((await refresh(sandbox, refresh_token)).json.code).toBe(0)
  })
})

test('of two refreshes at once exactly one succeeds (point 11)', async () => {
  for (let round = 0; round < 20; round += 1) {
    const { refresh_token } = sandbox.issue()
    const replies = await Promise.all([refresh(sandbox, refresh_token), refresh(sandbox, refresh_token)])
    expect(replies.map((reply) => reply.json.code).sort()).toEqual([0, 20064])
  }
})

describe('the ledger', () => {
  test('names every presentation by fingerprint and shows no secret', async () => {
    const { refresh_token } = sandbox.issue()
    await refresh(sandbox, refresh_token)
    await refresh(sandbox, 'never issued')
    expect(sandbox.ledger).toMatchObject([
      {
        kind: 'refresh_token',
        fingerprint: fingerprint(String(refresh_token)),
        outcome: 'rotated',
        code: 0,
        answered: true,
        endpoint: 'v2',
      },
      { kind: 'refresh_token', tokenId: null, outcome: 'rejected', code: 20026, answered: true },
    ])
    const shown = JSON.stringify([sandbox.ledger, sandbox.requests])
    expect(sandbox.secrets().filter((secret) => shown.includes(secret))).toEqual([])
  })

  test('inspecting a secret spends nothing', async () => {
    const { refresh_token, access_token } = sandbox.issue()
    expect(sandbox.inspect(String(refresh_token))).toMatchObject({ kind: 'refresh_token', status: 'live' })
    await refresh(sandbox, refresh_token)
    expect(sandbox.inspect(String(refresh_token))).toMatchObject({ status: 'used' })
    expect(sandbox.inspect(access_token)).toMatchObject({ kind: 'access_token', status: 'live' })
    sandbox.clock.advance(sandbox.knobs.accessTokenLifetimeMs)
    expect(sandbox.inspect(access_token)).toMatchObject({ status: 'expired' })
    expect(sandbox.inspect('unknown')).toBeNull()
    expect(sandbox.ledger).toHaveLength(1)
  })
})

test('v3 gives an app its own token', async () => {
  const reply = await token(sandbox, { grant_type: 'client_credentials' }, 'v3')
  expect(reply.json.access_token).toMatch(/^t-/)
  expect(
    (await token(sandbox, { grant_type: 'client_credentials', client_secret: 'x' }, 'v3')).json.code,
  ).toBe(20002)
})
