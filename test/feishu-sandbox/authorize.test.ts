import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { authorizationUrl, exchangeCode, get, obtainCode } from './client.ts'
import { PageError } from './person.ts'
import { type Sandbox, startSandbox } from './sandbox.ts'

let sandbox: Sandbox

beforeEach(async () => {
  sandbox = await startSandbox({ redirectUrls: ['http://127.0.0.1:9000/callback?x=1#y'] })
})

afterEach(() => sandbox.close())

async function pageCode(changes: Parameters<typeof authorizationUrl>[1]): Promise<number | null> {
  const failure = await sandbox.approve(authorizationUrl(sandbox, changes)).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(PageError)
  return (failure as PageError).feishuCode
}

describe('an authorization request that the page refuses (point 1)', () => {
  test.each([
    ['an unknown app', { client_id: 'cli_unknown' }, 20028],
    ['no client_id', { client_id: undefined }, 20028],
    ['another response type', { response_type: 'token' }, 20001],
    ['no redirect_uri', { redirect_uri: undefined }, 20001],
    ['an unknown challenge method', { code_challenge: 'a'.repeat(43), code_challenge_method: 'S512' }, 20001],
    ['a challenge that is too short', { code_challenge: 'a'.repeat(42) }, 20001],
    ['another port', { redirect_uri: 'http://localhost:9001/callback' }, 20029],
    ['another path', { redirect_uri: 'http://localhost:9000/callback/' }, 20029],
    ['another scheme', { redirect_uri: 'https://localhost:9000/callback' }, 20029],
    ['another name of loopback', { redirect_uri: 'http://[::1]:9000/callback' }, 20029],
    ['commas between scopes', { scope: 'docx:document,offline_access' }, 20043],
    ['an unknown scope', { scope: 'docx:document:write' }, 20043],
    ['a star', { scope: '*' }, 20043],
    ['a scope that only an app can hold', { scope: 'im:message:send_as_bot' }, 20043],
    ['two spaces', { scope: 'docx:document  offline_access' }, 20043],
    ['a scope that is not enabled', { scope: 'docx:document calendar:calendar' }, 20027],
  ])('%s', async (_, changes, code) => {
    expect(await pageCode(changes)).toBe(code)
  })

  test('more scopes than allowed', async () => {
    sandbox.knobs.maxScopes = 2
    expect(await pageCode({})).toBe(20043)
    sandbox.knobs.maxScopes = 3
    expect(await sandbox.approve(authorizationUrl(sandbox))).toContain('code=')
  })

  test('an app of the other brand, and a disabled one', async () => {
    sandbox.setApp({ brand: 'lark' })
    expect(await pageCode({})).toBe(20046)
    sandbox.setApp({ brand: 'feishu', enabled: false })
    expect(await pageCode({})).toBe(20069)
  })

  test('the page names number, log id and each missing scope, and redirects nowhere', async () => {
    const page = await get(authorizationUrl(sandbox, { scope: 'task:task:write calendar:calendar' }))
    expect(page.headers.location).toBeUndefined()
    expect(page.headers['content-type']).toContain('text/html')
    expect(page.body).toContain('错误码：20027')
    expect(page.body).toContain('Error Code: 20027')
    expect(page.body).toContain(String(page.headers['x-tt-logid']))
    expect(page.body).toContain('更新任务信息: task:task:write')
    expect(page.body).toContain('更新日历及日程信息: calendar:calendar')
  })

  test('nothing from the query is reflected as markup', async () => {
    const page = await get(authorizationUrl(sandbox, { scope: '<script>alert(1)</script>' }))
    expect(page.body).not.toContain('<script')
    expect(page.body).toContain('&#60;script')
  })
})

describe('the redirect URL', () => {
  test('is compared without query and fragment, on both sides', async () => {
    const location = await sandbox.approve(
      authorizationUrl(sandbox, { redirect_uri: 'http://127.0.0.1:9000/callback?via=mcp#/login' }),
    )
    expect(location).toMatch(
      /^http:\/\/127\.0\.0\.1:9000\/callback\?via=mcp&code=[\w-]{64}&state=xyz#\/login$/,
    )
  })

  test('can be registered while the sandbox runs', async () => {
    sandbox.app.redirectUrls.push('http://localhost:9001/callback')
    const location = await sandbox.approve(
      authorizationUrl(sandbox, { redirect_uri: 'http://localhost:9001/callback' }),
    )
    expect(location).toContain('http://localhost:9001/callback?code=')
  })
})

describe('the decision (points 2 to 5)', () => {
  test('the consent page can be clicked: app, scopes, approve, deny', async () => {
    const page = await get(authorizationUrl(sandbox))
    expect(page.body).toContain('Feishu sandbox app')
    expect(page.body).toContain('docx:document')
    expect(page.body).toContain('id="approve"')
    expect(page.body).toContain('id="deny"')
  })

  test('approving redirects with a code of 64 URL-safe characters and the state', async () => {
    const location = await sandbox.approve(authorizationUrl(sandbox, { state: 'a b&c=ü' }))
    const url = new URL(location)
    expect(url.origin + url.pathname).toBe('http://localhost:9000/callback')
    expect(url.searchParams.get('code')).toMatch(/^[A-Za-z0-9_-]{64}$/)
    expect(url.searchParams.get('state')).toBe('a b&c=ü')
  })

  test('no state comes back where none was sent', async () => {
    const location = await sandbox.approve(authorizationUrl(sandbox, { state: undefined }))
    expect([...new URL(location).searchParams.keys()]).toEqual(['code'])
  })

  test('denying redirects with access_denied and nothing else', async () => {
    const location = await sandbox.deny(authorizationUrl(sandbox))
    expect(location).toBe('http://localhost:9000/callback?error=access_denied&state=xyz')
  })

  test('a person outside the availability range sees 20010', async () => {
    sandbox.setApp({ availability: [] })
    expect(await pageCode({})).toBe(20010)
    const other = sandbox.addUser()
    sandbox.setApp({ availability: [sandbox.user.openId] })
    const refused = sandbox.approve(authorizationUrl(sandbox), { user: other })
    await expect(refused).rejects.toMatchObject({ feishuCode: 20010 })
  })

  test('another person can approve', async () => {
    const other = sandbox.addUser({ name: '李四' })
    const location = await sandbox.approve(authorizationUrl(sandbox), { user: other })
    const reply = await exchangeCode(sandbox, new URL(location).searchParams.get('code') ?? '')
    const info = await get(`${sandbox.url}/open-apis/authen/v1/user_info`, String(reply.json.access_token))
    expect(info.json.data).toMatchObject({ name: '李四', open_id: other.openId })
  })

  test('grants are cumulative and may be partial', async () => {
    const partial = await sandbox.approve(authorizationUrl(sandbox), { grant: ['docx:document'] })
    const first = await exchangeCode(sandbox, new URL(partial).searchParams.get('code') ?? '')
    expect(first.json.scope).toBe('auth:user.id:read docx:document')
    const code = await obtainCode(sandbox, { scope: 'task:task:read' })
    const second = await exchangeCode(sandbox, code)
    expect(second.json.scope).toBe('auth:user.id:read docx:document task:task:read')
  })

  test('a decision counts once', async () => {
    const url = authorizationUrl(sandbox)
    const page = await get(url)
    const ticket = /name="ticket" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
    const form = `ticket=${ticket}&decision=deny`
    const submit = () =>
      fetch(url, {
        method: 'POST',
        redirect: 'manual',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: form,
      })
    expect((await submit()).status).toBe(302)
    expect(await (await submit()).text()).toContain('错误码：20001')
  })

  test('autoApprove redirects at once, and so does a grant that already exists', async () => {
    sandbox.knobs.autoApprove = true
    expect((await get(authorizationUrl(sandbox))).status).toBe(302)
    sandbox.knobs.autoApprove = false
    sandbox.knobs.skipConsentWhenGranted = true
    expect((await get(authorizationUrl(sandbox))).status).toBe(302)
    expect((await get(authorizationUrl(sandbox, { prompt: 'consent' }))).status).toBe(200)
    expect((await get(authorizationUrl(sandbox, { scope: 'task:task:read' }))).status).toBe(200)
  })
})

describe('an authorization code (point 6)', () => {
  test('lives for its odd time and no longer', async () => {
    const code = await obtainCode(sandbox)
    sandbox.clock.advance(sandbox.knobs.codeLifetimeMs)
    expect((await exchangeCode(sandbox, code)).json.code).toBe(20004)
    const next = await obtainCode(sandbox)
    sandbox.clock.advance(sandbox.knobs.codeLifetimeMs - 5_000)
    expect((await exchangeCode(sandbox, next)).json.code).toBe(0)
  })

  test('works once', async () => {
    const code = await obtainCode(sandbox)
    expect((await exchangeCode(sandbox, code)).json.code).toBe(0)
    expect((await exchangeCode(sandbox, code)).json.code).toBe(20065)
    expect(sandbox.ledger.map(({ kind, outcome, code }) => ({ kind, outcome, code }))).toEqual([
      { kind: 'code', outcome: 'granted', code: 0 },
      { kind: 'code', outcome: 'rejected', code: 20065 },
    ])
  })

  test('is bound to the app', async () => {
    const code = await obtainCode(sandbox)
    const other = sandbox.addApp()
    const reply = await exchangeCode(sandbox, code, {
      client_id: other.appId,
      client_secret: other.appSecret,
    })
    expect(reply.json).toMatchObject({ code: 20024, error: 'invalid_grant' })
  })
})
