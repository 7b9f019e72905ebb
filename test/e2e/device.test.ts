import { expect, test } from 'vitest'
import { setStage, start, startServer } from '../support/program.ts'

const knobs = { deviceIntervalMs: 1_000 }

test('a person approves on another device, with no redirect URL and no port', async () => {
  const stage = await setStage({ knobs })
  const server = await startServer(stage)
  const started = await server.call('start_authorization', { method: 'device', open_browser: false })
  expect(started.data).toMatchObject({ status: 'pending', redirect_uri: null, joined: false })
  expect(started.data.user_code).toMatch(/^[A-Z0-9]{4}-[A-Z0-9]{4}$/)
  expect(started.text).toContain(String(started.data.user_code))
  await expect(fetch(`http://localhost:${stage.port}/callback`)).rejects.toThrow()

  const joined = await (await startServer(stage)).call('start_authorization')
  expect(joined.data).toMatchObject({ joined: true, user_code: started.data.user_code })

  await stage.sandbox.approveDevice(String(started.data.user_code))
  const status = await server.call('token_status', { wait_seconds: 30 })
  expect(status.data).toMatchObject({ status: 'valid', authorization_status: 'succeeded', generation: 1 })
  expect((await server.call('refresh_token', { force: true })).data.status).toBe('refreshed')
})

test('an address is not what a code waits for, and the answer says so', async () => {
  const stage = await setStage({ knobs })
  const server = await startServer(stage)
  await server.call('start_authorization', { method: 'device', open_browser: false })
  const pasted = await server.call('start_authorization', {
    callback_url: `http://localhost:${stage.port}/callback?code=c&state=s`,
  })
  expect(pasted.text).toMatch(/^FAILED: .* goes by a code .* Call token_status .*code=state_mismatch /)
  expect((await server.call('token_status')).data.authorization_status).toBe('pending')
})

test('a denial and an expiry are told apart', async () => {
  const stage = await setStage({ knobs })
  const server = await startServer(stage)
  const first = await server.call('start_authorization', { method: 'device', open_browser: false })
  await stage.sandbox.denyDevice(String(first.data.user_code))
  const denied = await server.call('token_status', { wait_seconds: 30 })
  expect(denied.data).toMatchObject({ status: 'not_authorized', authorization_status: 'denied' })

  await server.call('start_authorization', { method: 'device', open_browser: false })
  stage.sandbox.clock.advance(stage.sandbox.knobs.deviceCodeLifetimeMs + 1_000)
  const expired = await server.call('token_status', { wait_seconds: 30 })
  expect(expired.data.authorization_status).toBe('expired')
})

test('a process that is killed leaves a code that the next one polls for', async () => {
  const stage = await setStage({ knobs })
  const first = await startServer(stage)
  const started = await first.call('start_authorization', { method: 'device', open_browser: false })
  first.transport.child.kill('SIGKILL')
  await first.transport.closed
  const second = await startServer(stage)
  const joined = await second.call('start_authorization')
  expect(joined.data).toMatchObject({ joined: true, user_code: started.data.user_code })
  await stage.sandbox.approveDevice(String(started.data.user_code))
  const status = await second.call('token_status', { wait_seconds: 30 })
  expect(status.data).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
})

test('login --device ends with 4 when the person declines', async () => {
  const stage = await setStage({ knobs })
  const login = start(stage, ['login', '--device', '--no-browser', '--json'])
  const [code] = await login.written(/[A-Z0-9]{4}-[A-Z0-9]{4}(?=\n)/)
  await stage.sandbox.denyDevice(code)
  const ended = await login.end
  expect(ended.code).toBe(4)
  expect(JSON.parse(ended.stdout).error).toMatchObject({ code: 'access_denied' })
})

test('login --device prints the code and ends with the login', async () => {
  const stage = await setStage({ knobs })
  const login = start(stage, ['login', '--device', '--no-browser', '--json'])
  const [code] = await login.written(/[A-Z0-9]{4}-[A-Z0-9]{4}(?=\n)/)
  await stage.sandbox.approveDevice(code)
  const ended = await login.end
  expect(ended.code).toBe(0)
  expect(JSON.parse(ended.stdout)).toMatchObject({ status: 'valid' })
  expect(ended.stderr).toMatch(/▀|█/)
})
