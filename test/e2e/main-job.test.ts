import { expect, test } from 'vitest'
import { approve, run, setStage, startServer, visit } from '../support/program.ts'

test('a person re-authorizes, the assistant reports when the token expires, and renews it', async () => {
  const stage = await setStage()
  const server = await startServer(stage)

  const before = await server.call('token_status')
  expect(before.data).toMatchObject({ status: 'not_authorized', authorization_status: 'none' })
  expect(before.data.next_step).toContain('start_authorization')

  const started = await server.call('start_authorization', { open_browser: false })
  expect(started.data).toMatchObject({
    status: 'pending',
    joined: false,
    browser_opened: false,
    user_code: null,
  })
  expect(started.text).toContain(String(started.data.authorization_url))

  const waiting = server.call('token_status', { wait_seconds: 30 })
  const page = await approve(stage, started.data.authorization_url)
  expect(page.status).toBe(200)
  const after = await waiting
  expect(after.text).not.toContain('authorization_status: failed')
  expect(after.data).toMatchObject({
    status: 'valid',
    authorization_status: 'succeeded',
    user_open_id: stage.sandbox.user.openId,
    generation: 1,
    missing_scopes: [],
    key_source: 'file',
  })
  await expect(fetch(`http://localhost:${stage.port}/callback`)).rejects.toThrow()

  const still = await server.call('refresh_token')
  expect(still.data).toMatchObject({ status: 'still_valid', generation: 1, persisted: true })
  const forced = await server.call('refresh_token', { force: true })
  expect(forced.data).toMatchObject({ status: 'refreshed', generation: 2, persisted: true })
  const verified = await server.call('token_status', { verify: true })
  expect(verified.data).toMatchObject({ status: 'valid', verified: true, generation: 2 })
  expect((await server.close()).code).toBe(0)
})

test('the command line shares the store with the server', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  const started = await server.call('start_authorization', { open_browser: false })
  await approve(stage, started.data.authorization_url)
  await server.call('token_status', { wait_seconds: 20 })

  const token = await run(stage, ['token'])
  expect(token.code).toBe(0)
  expect(stage.sandbox.inspect(token.stdout.trim())).toMatchObject({ kind: 'access_token', status: 'live' })
  const refreshed = await run(stage, ['refresh', '--force', '--json'])
  expect(JSON.parse(refreshed.stdout)).toMatchObject({ status: 'refreshed', generation: 2 })
  const status = await server.call('token_status')
  expect(status.data).toMatchObject({ status: 'valid', generation: 2 })
  const out = await run(stage, ['logout', '--json'])
  expect(JSON.parse(out.stdout)).toEqual({ status: 'logged_out', profile: 'default', revoked: true })
  const gone = await server.call('refresh_token')
  expect(gone.isError).toBe(true)
  expect(gone.text).toMatch(/^FAILED.*\[code=not_authorized recovery=reauthorize\]$/s)
})

test('a denial ends the authorization and frees the port', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  const started = await server.call('start_authorization', { open_browser: false })
  await visit(stage, await stage.sandbox.deny(String(started.data.authorization_url)))
  const status = await server.call('token_status', { wait_seconds: 20 })
  expect(status.data).toMatchObject({ status: 'not_authorized', authorization_status: 'denied' })
  await expect(fetch(`http://localhost:${stage.port}/callback`)).rejects.toThrow()
})

test('with nothing configured the server lists its tools and says what to set', async () => {
  const stage = await setStage()
  const { FEISHU_APP_ID, FEISHU_APP_SECRET, ...env } = stage.env
  stage.env = env
  expect([FEISHU_APP_ID, FEISHU_APP_SECRET]).toHaveLength(2)
  const server = await startServer(stage)
  const { tools } = await server.client.listTools()
  expect(tools.map((tool) => tool.name)).toEqual(['start_authorization', 'token_status', 'refresh_token'])
  expect((await server.call('token_status')).data.status).toBe('not_configured')
  for (const name of ['start_authorization', 'refresh_token']) {
    const answer = await server.call(name)
    expect(answer.isError).toBe(true)
    expect(answer.text).toMatch(/FEISHU_APP_ID.*code=not_configured recovery=fix_config/s)
  }
})
