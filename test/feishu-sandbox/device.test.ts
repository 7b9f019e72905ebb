import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { authorizationUrl, type Fields, post, type Reply, refresh, token, userInfo } from './client.ts'
import { type Sandbox, startSandbox } from './sandbox.ts'

let sandbox: Sandbox

beforeEach(async () => {
  sandbox = await startSandbox()
})

afterEach(() => sandbox.close())

async function start(scope = 'docx:document offline_access', secret = sandbox.app.appSecret): Promise<Reply> {
  const basic = Buffer.from(`${sandbox.app.appId}:${secret}`).toString('base64')
  const fields = { client_id: sandbox.app.appId, scope }
  const headers = { authorization: `Basic ${basic}` }
  return post(`${sandbox.url}/oauth/v1/device_authorization`, fields, { headers })
}

function poll(deviceCode: unknown): Promise<Reply> {
  sandbox.clock.advance(sandbox.knobs.deviceIntervalMs)
  return token(sandbox, {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: String(deviceCode),
  })
}

describe('the device grant (point 16)', () => {
  test('from user code to token set', async () => {
    const { json } = await start()
    expect(json).toEqual({
      device_code: expect.any(String),
      user_code: expect.stringMatching(/^[A-Z0-9]{4}-[A-Z0-9]{4}$/),
      verification_uri: `${sandbox.url}/oauth/v1/device/verify`,
      verification_uri_complete: expect.stringContaining(`user_code=${json.user_code}`),
      expires_in: 587,
      interval: 5,
    })
    const pending = await poll(json.device_code)
    expect([pending.status, pending.json.error]).toEqual([400, 'authorization_pending'])
    expect(pending.json).not.toHaveProperty('code')
    await sandbox.approveDevice(String(json.user_code))
    const { json: tokens } = await poll(json.device_code)
    expect(tokens).toMatchObject({ code: 0, scope: 'auth:user.id:read docx:document offline_access' })
    expect((await userInfo(sandbox, String(tokens.access_token))).status).toBe(200)
    expect((await refresh(sandbox, tokens.refresh_token)).json.code).toBe(0)
    expect((await poll(json.device_code)).json.error).toBe('invalid_grant')
    expect(sandbox.ledger.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual([
      'device_code pending',
      'device_code granted',
      'refresh_token rotated',
      'device_code rejected',
    ])
  })

  test('the whole address works like the code, and so does typing the code', async () => {
    const { json } = await start()
    const form = await (await fetch(String(json.verification_uri))).text()
    expect(form).toContain('name="user_code"')
    await sandbox.approveDevice(String(json.verification_uri_complete))
    expect((await poll(json.device_code)).status).toBe(200)
  })

  test('polling too fast slows down by five seconds each time', async () => {
    const { json } = await start()
    await poll(json.device_code)
    sandbox.clock.advance(-sandbox.knobs.deviceIntervalMs)
    expect((await poll(json.device_code)).json.error).toBe('slow_down')
    sandbox.clock.advance(4_000)
    expect((await poll(json.device_code)).json.error).toBe('slow_down')
    sandbox.clock.advance(11_000)
    expect((await poll(json.device_code)).json.error).toBe('authorization_pending')
    sandbox.knobs.enforcePollInterval = false
    sandbox.clock.advance(-sandbox.knobs.deviceIntervalMs)
    expect((await poll(json.device_code)).json.error).toBe('authorization_pending')
  })

  test('denied, expired, voided and foreign codes end the polling', async () => {
    const first = (await start()).json
    await sandbox.denyDevice(String(first.user_code))
    expect((await poll(first.device_code)).json.error).toBe('access_denied')
    const second = (await start()).json
    const third = (await start()).json
    expect((await poll(second.device_code)).json.error).toBe('invalid_grant')
    sandbox.clock.advance(sandbox.knobs.deviceCodeLifetimeMs)
    expect((await poll(third.device_code)).json.error).toBe('expired_token')
    await expect(sandbox.approveDevice(String(third.user_code))).rejects.toMatchObject({ feishuCode: 20001 })
    expect((await poll('unknown')).json.error).toBe('invalid_grant')
  })

  test('scopes that are not enabled are left out, unknown ones refused', async () => {
    const { json } = await start('docx:document calendar:calendar')
    await sandbox.approveDevice(String(json.user_code))
    expect((await poll(json.device_code)).json.scope).toBe('auth:user.id:read docx:document')
    expect((await start('docx:document:write')).json.error).toBe('invalid_scope')
  })

  test('a wrong secret is invalid_client', async () => {
    const reply = await start('', 'wrong')
    expect([reply.status, reply.json.error]).toEqual([400, 'invalid_client'])
  })
})

describe('the registration of an app (point 16)', () => {
  function registration(fields: Fields): Promise<Reply> {
    return post(`${sandbox.url}/oauth/v1/app/registration`, fields)
  }

  function begin(): Promise<Reply> {
    return registration({
      action: 'begin',
      archetype: 'PersonalAgent',
      auth_method: 'client_secret',
      request_user_info: 'open_id tenant_brand',
    })
  }

  function pollApp(deviceCode: unknown): Promise<Reply> {
    sandbox.clock.advance(sandbox.knobs.deviceIntervalMs)
    return registration({ action: 'poll', device_code: String(deviceCode) })
  }

  test('a scan creates an app whose device grant works, but no redirect URL', async () => {
    expect((await registration({ action: 'init', archetype: 'PersonalAgent' })).json).toMatchObject({
      nonce: expect.any(String),
    })
    const { json } = await begin()
    expect(json.verification_uri_complete).toBe(`${sandbox.url}/page/launcher?user_code=${json.user_code}`)
    expect((await pollApp(json.device_code)).json.error).toBe('authorization_pending')
    await sandbox.approveDevice(String(json.verification_uri_complete))
    const { json: app } = await pollApp(json.device_code)
    expect(app).toMatchObject({
      client_id: expect.stringMatching(/^cli_\w+$/),
      user_info: { open_id: sandbox.user.openId, tenant_brand: 'feishu' },
    })
    expect(sandbox.secrets()).toContain(app.client_secret)
    const url = authorizationUrl(sandbox, { client_id: String(app.client_id) })
    await expect(sandbox.approve(url)).rejects.toMatchObject({ feishuCode: 20029 })
    const device = await post(`${sandbox.url}/oauth/v1/device_authorization`, {
      client_id: String(app.client_id),
      client_secret: String(app.client_secret),
    })
    expect(device.json).toHaveProperty('device_code')
  })

  test('a person on Lark is announced before the credentials come', async () => {
    sandbox.knobs.registrationBrand = 'lark'
    const { json } = await begin()
    await sandbox.approveDevice(`${sandbox.url}/page/cli?user_code=${json.user_code}`)
    const first = await pollApp(json.device_code)
    expect(first.json).toEqual({ user_info: { open_id: sandbox.user.openId, tenant_brand: 'lark' } })
    const second = await registration({ action: 'poll', device_code: String(json.device_code) })
    expect(second.json).toMatchObject({ client_secret: expect.any(String) })
  })

  test('denied and expired registrations end', async () => {
    const first = (await begin()).json
    await sandbox.denyDevice(String(first.user_code))
    expect((await pollApp(first.device_code)).json.error).toBe('access_denied')
    const second = (await begin()).json
    sandbox.clock.advance(sandbox.knobs.deviceCodeLifetimeMs)
    expect((await pollApp(second.device_code)).json.error).toBe('expired_token')
  })
})

describe('revocation (point 15)', () => {
  function revoke(value: string | undefined, changes: Fields = {}): Promise<Reply> {
    const { appId, appSecret } = sandbox.app
    const fields = { client_id: appId, client_secret: appSecret, token: value, ...changes }
    return post(`${sandbox.url}/oauth/v1/revoke`, fields)
  }

  test('a refresh token takes its whole authorization with it', async () => {
    const tokens = sandbox.issue()
    const reply = await revoke(tokens.refresh_token, { token_type_hint: 'refresh_token' })
    expect([reply.status, reply.body]).toEqual([200, ''])
    expect((await refresh(sandbox, tokens.refresh_token)).json.code).toBe(20064)
    expect((await userInfo(sandbox, tokens.access_token)).json.code).toBe(99991668)
  })

  test('an access token goes alone', async () => {
    const tokens = sandbox.issue()
    sandbox.knobs.revokeAnswersJson = true
    expect((await revoke(tokens.access_token)).json).toEqual({ code: 0 })
    expect((await userInfo(sandbox, tokens.access_token)).json.code).toBe(99991668)
    expect((await refresh(sandbox, tokens.refresh_token)).json.code).toBe(0)
  })

  test('an unknown token is a success, a wrong secret is not', async () => {
    expect((await revoke('unknown')).status).toBe(200)
    const tokens = sandbox.issue()
    const refused = await revoke(tokens.refresh_token, { client_secret: 'wrong' })
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_client'])
    expect((await refresh(sandbox, tokens.refresh_token)).json.code).toBe(0)
  })
})
