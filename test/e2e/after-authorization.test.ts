// What the person and the assistant are told when the authorization has ended with less than was asked for.

import { expect, test } from 'vitest'
import { type Server, type Stage, setStage, startServer, visit } from '../support/program.ts'

const SCOPES = 'auth:user.id:read docx:document im:message'

async function authorizeWith(
  stage: Stage,
  server: Server,
  grant?: string[],
): Promise<{ page: string; status: Record<string, unknown> }> {
  const started = await server.call('start_authorization', { open_browser: false })
  const url = String(started.data.authorization_url)
  const location = await stage.sandbox.approve(url, grant ? { grant } : {})
  const { html } = await visit(stage, location)
  const { data } = await server.call('token_status', { wait_seconds: 20 })
  return { page: html, status: data }
}

test('what was not granted is on the page and in the status, with the console link for exactly that', async () => {
  const stage = await setStage({ env: { FEISHU_SCOPES: SCOPES, FEISHU_LANG: 'en' } })
  const server = await startServer(stage)
  const { page, status } = await authorizeWith(stage, server, ['docx:document', 'offline_access'])
  expect(status).toMatchObject({ status: 'valid', missing_scopes: ['im:message'] })
  expect(status.warnings).toEqual([
    expect.stringMatching(/not granted: im:message; .*q=im%3Amessage&.*publish a version/),
  ])
  expect(page).toMatch(/Needs attention[\s\S]*Not granted: im:message\.[\s\S]*auth\?q=im%3Amessage&#38;/)
})

test('without a refresh token the page says why the login ends early, and names no day of renewal', async () => {
  const stage = await setStage({ knobs: { refreshSwitch: false }, env: { FEISHU_LANG: 'zh' } })
  const server = await startServer(stage)
  const { page, status } = await authorizeWith(stage, server)
  expect(status).toMatchObject({ status: 'valid', refresh_token_expires_at: null })
  expect(status.warnings).toEqual([expect.stringMatching(/no refresh token.*\/safe .*publish a version/)])
  expect(page).toMatch(/飞书没有返回 refresh_token[\s\S]*\/safe/)
  expect(page).toContain('到期后需要重新登录')
  expect(page).not.toContain('自动延长')
})

test.each([
  [
    'en',
    /Feishu: the app secret is wrong\.[\s\S]*Copy the App Secret again[\s\S]*Then ask your assistant[\s\S]*\/app\/cli_\w+</,
  ],
  ['zh', /飞书返回：App Secret 不正确。[\s\S]*重新复制 App Secret[\s\S]*，然后让助手[\s\S]*\/app\/cli_\w+</],
])(
  'what Feishu refuses is explained on the page with this app’s console link (%s)',
  async (FEISHU_LANG, text) => {
    const stage = await setStage({ env: { FEISHU_LANG } })
    const server = await startServer(stage)
    stage.sandbox.faults.next({ kind: 'error', code: 20002 })
    const { page, status } = await authorizeWith(stage, server)
    expect(status).toMatchObject({ status: 'not_authorized', authorization_status: 'failed' })
    expect(page).toMatch(text)
    expect(page).toContain('invalid_client 20002')
  },
)

test.each([
  ['token', 'not authorized yet', 20999],
  ['user_info', 'authorized before', 20050],
] as const)(
  'an authorization that fails at %s, %s, is told with the number of Feishu',
  async (endpoint, before, code) => {
    const stage = await setStage()
    const server = await startServer(stage)
    if (before === 'authorized before') await authorizeWith(stage, server)
    stage.sandbox.faults.next({ kind: 'error', code, description: 'Something new.', endpoint })
    const { status } = await authorizeWith(stage, server)
    expect(status.authorization_status).toBe('failed')
    expect(status.authorization_error).toContain(`${code}`)
  },
)
