import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { get, post, userInfo } from './client.ts'
import { type Sandbox, startSandbox } from './sandbox.ts'

let sandbox: Sandbox

beforeEach(async () => {
  sandbox = await startSandbox()
})

afterEach(() => sandbox.close())

function api(path: string, token?: string): ReturnType<typeof get> {
  return get(`${sandbox.url}/open-apis${path}`, token)
}

describe('user_info (point 13)', () => {
  test.each([
    ['no header', undefined, 400, 99991661],
    ['an unknown token', 'eyJ.unknown', 400, 99991668],
    ['a forged tenant token', 't-forged', 400, 99991663],
  ])('%s', async (_, token, status, code) => {
    const reply = await userInfo(sandbox, token)
    expect([reply.status, reply.json.code]).toEqual([status, code])
    expect(reply.json).toMatchObject({ error: { log_id: reply.headers['x-tt-logid'] } })
  })

  test('a value without Bearer counts as missing', async () => {
    const { access_token } = sandbox.issue()
    const response = await fetch(`${sandbox.url}/open-apis/authen/v1/user_info`, {
      headers: { authorization: access_token },
    })
    expect(await response.json()).toMatchObject({ code: 99991661 })
  })

  test('an expired token is a 401', async () => {
    const { access_token } = sandbox.issue()
    sandbox.clock.advance(sandbox.knobs.accessTokenLifetimeMs)
    const reply = await userInfo(sandbox, access_token)
    expect([reply.status, reply.json.code]).toEqual([401, 99991677])
  })

  test('optional fields need their scope', async () => {
    const plain = await userInfo(sandbox, sandbox.issue({ scopes: [] }).access_token)
    expect(plain.json).toMatchObject({
      code: 0,
      msg: 'success',
      data: { open_id: sandbox.user.openId, name: sandbox.user.name },
    })
    expect(plain.json.data).not.toHaveProperty('email')
    const more = await userInfo(
      sandbox,
      sandbox.issue({ scopes: ['contact:user.email:readonly'] }).access_token,
    )
    expect(more.json.data).toHaveProperty('email', sandbox.user.email)
    expect(more.json.data).not.toHaveProperty('mobile')
  })

  test.each([
    ['deleted', 20008],
    ['resigned', 20021],
    ['frozen', 20022],
  ] as const)('a %s person answers %i', async (status, code) => {
    const { access_token } = sandbox.issue()
    sandbox.setUser({ status })
    const reply = await userInfo(sandbox, access_token)
    expect([reply.status, reply.json.code]).toEqual([200, code])
  })
})

describe('an API that needs a scope (point 14)', () => {
  const path = '/docx/v1/documents/doxcn1/raw_content'

  test('answers a token that has it', async () => {
    const reply = await api(path, sandbox.issue({ scopes: ['docx:document:readonly'] }).access_token)
    expect(reply.json).toMatchObject({ code: 0, data: { content: 'Feishu sandbox document doxcn1\n' } })
  })

  test('names the privileges that the person has not granted', async () => {
    sandbox.issue()
    const reply = await api(path, sandbox.issue({ scopes: [] }).access_token)
    expect(reply.status).toBe(400)
    expect(reply.json).toMatchObject({
      code: 99991679,
      error: {
        permission_violations: [
          { subject: 'docx:document', type: 'action_privilege_required' },
          { subject: 'docx:document:readonly', type: 'action_privilege_required' },
        ],
      },
    })
    expect(reply.json.msg).toContain('[docx:document, docx:document:readonly]')
  })

  test('links to the console when the app lacks them', async () => {
    const { access_token } = sandbox.issue()
    sandbox.setApp({ enabledScopes: [] })
    const reply = await api(path, access_token)
    expect(reply.json).toMatchObject({
      code: 99991672,
      error: {
        helps: [
          {
            url: `https://open.feishu.cn/app/${sandbox.app.appId}/auth?q=docx:document,docx:document:readonly&op_from=openapi`,
          },
        ],
      },
    })
  })

  test("takes the app's own token", async () => {
    const { appId, appSecret } = sandbox.app
    const url = `${sandbox.url}/open-apis/auth/v3/tenant_access_token/internal`
    const wrong = await post(url, { app_id: appId, app_secret: 'wrong' }, { as: 'json' })
    expect(wrong.json.code).toBe(10014)
    const reply = await post(url, { app_id: appId, app_secret: appSecret }, { as: 'json' })
    const token = String(reply.json.tenant_access_token)
    expect((await api(path, token)).json.code).toBe(0)
    expect((await userInfo(sandbox, token)).json.code).toBe(99991663)
  })

  test.each(['/drive/v1/files?page_size=1', '/task/v2/tasks'])('%s lists nothing', async (list) => {
    expect((await api(list, sandbox.issue().access_token)).json).toMatchObject({ data: { has_more: false } })
  })
})

describe('transfers', () => {
  test('a download has the bytes asked for, plain and gzipped', async () => {
    const { access_token } = sandbox.issue()
    for (const query of ['bytes=200001', 'bytes=200001&gzip=1']) {
      const response = await fetch(`${sandbox.url}/open-apis/sandbox/download?${query}`, {
        headers: { authorization: `Bearer ${access_token}` },
      })
      expect((await response.arrayBuffer()).byteLength).toBe(200_001)
    }
  })

  test('an upload is counted and hashed', async () => {
    const body = Buffer.alloc(3 << 20, 'x')
    const response = await fetch(`${sandbox.url}/open-apis/sandbox/upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${sandbox.issue().access_token}` },
      body,
    })
    const sha256 = createHash('sha256').update(body).digest('hex')
    expect(await response.json()).toMatchObject({ data: { bytes: 3 << 20, sha256 } })
  })

  test('an expired token is refused before the body', async () => {
    const { access_token } = sandbox.issue()
    sandbox.clock.advance(sandbox.knobs.accessTokenLifetimeMs)
    const reply = await api('/sandbox/download?bytes=1', access_token)
    expect(reply.json.code).toBe(99991677)
  })

  test('echo shows the request, and of the token only its kind', async () => {
    const { access_token } = sandbox.issue()
    const reply = await api('/sandbox/echo?a=1', access_token)
    expect(reply.json.data).toMatchObject({ method: 'GET', query: 'a=1', authorization: 'user' })
    expect(reply.body).not.toContain(access_token)
  })
})

describe('a wrong address or method (point 17)', () => {
  test.each([
    ['GET', '/open-apis/authen/v2/oauth/token'],
    ['POST', '/open-apis/authen/v1/user_info'],
    ['GET', '/open-apis/authen/v2/oauth/tokens'],
    ['GET', '/'],
    ['OPTIONS', '/oauth/v3/token'],
  ])('%s %s is a plain 404', async (method, path) => {
    const response = await fetch(sandbox.url + path, { method })
    expect([response.status, response.headers.get('content-type')]).toEqual([404, 'text/plain'])
    expect(await response.text()).toBe('404 page not found')
    expect(response.headers.get('x-tt-logid')).toMatch(/^\d{14}[0-9A-F]{20}$/)
  })
})
