// What one profile meets stays its own: another one's locks, logins, pauses and keys are no obstacle. They share the
// callback port alone, and whoever holds it is named.

import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { rateLimited } from '../feishu-sandbox/fault-presets.ts'
import {
  approve,
  authorize,
  presentations,
  run,
  type Stage,
  setStage,
  start,
  startServer,
} from '../support/program.ts'
import { openStore, storeIssued } from '../support/stored.ts'

/** A stage on which these profiles are logged in. */
async function stageWith(...profiles: string[]): Promise<Stage> {
  const stage = await setStage()
  const { sandbox, tokenDir } = stage
  for (const profile of profiles) {
    const id = { brand: 'feishu', appId: sandbox.app.appId, profile } as const
    await storeIssued(openStore(tokenDir), id, sandbox.issue(), sandbox.user, Date.now())
  }
  return stage
}

async function redirectPort(stage: Stage, profile: string): Promise<{ status: string; message: string }> {
  const { stdout } = await run(stage, ['doctor', '--profile', profile, '--json'])
  const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string; message: string }[] }
  const check = checks.find(({ name }) => name === 'redirect_port')
  if (!check) throw new Error(stdout)
  return check
}

test.each(['another process', 'the same process'])(
  'the profile that holds the callback port is named, when it is held by %s',
  async (holder) => {
    const stage = await setStage()
    const server = await startServer(stage)
    const other = holder === 'the same process' ? server : await startServer(stage)
    const work = await server.call('start_authorization', { open_browser: false, profile: 'work' })
    const refused = await other.call('start_authorization', { open_browser: false, profile: 'home' })
    expect(refused.text).toMatch(/\[code=callback_port_in_use recovery=fix_config\]$/)
    expect(refused.text).toContain(`Port ${stage.port} on 127.0.0.1 is in use`)
    expect(refused.text).toContain(
      `process ${server.pid}, which waits for the approval of profile "work" (app ${stage.sandbox.app.appId})`,
    )
    expect(refused.text).toContain('start_authorization with profile "work" and cancel true')
    expect((await other.call('token_status', { profile: 'home' })).data.authorization_status).toBe('none')

    await approve(stage, work.data.authorization_url)
    await server.call('token_status', { wait_seconds: 20, profile: 'work' })
    await authorize(stage, other, { profile: 'home' })
  },
)

test('a login in a terminal is told which profile holds the port, and how to go on', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  await server.call('start_authorization', { open_browser: false, profile: 'work' })
  const login = await run(stage, ['login', '--no-browser', '--profile', 'home'])
  expect(login.code).toBe(2)
  expect(login.stderr).toMatch(/waits for the approval of profile "work"/)
  // Tools are not for people at a terminal.
  expect(login.stderr).toContain('or cancel it where it was begun; then run')
})

test('doctor names the profile that holds the port, and passes for that profile itself', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  expect((await redirectPort(stage, 'home')).status).toBe('pass')
  await server.call('start_authorization', { open_browser: false, profile: 'work' })
  const other = await redirectPort(stage, 'home')
  expect(other).toMatchObject({ status: 'warn', message: expect.stringContaining('profile "work"') })
  expect(await redirectPort(stage, 'work')).toMatchObject({
    status: 'pass',
    message: expect.stringContaining(String(server.pid)),
  })
})

test('a killed process leaves no name on the port', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  await server.call('start_authorization', { open_browser: false, profile: 'work' })
  server.transport.child.kill('SIGKILL')
  await server.transport.closed
  const next = await startServer(stage)
  await authorize(stage, next, { profile: 'home' })
  expect((await next.call('token_status', { profile: 'home' })).data.status).toBe('valid')
})

test('while one profile is being refreshed, another one is refreshed too', async () => {
  const stage = await stageWith('work', 'home')
  const held = stage.sandbox.faults.next({ kind: 'hold' })
  const refresh = start(stage, ['refresh', '--force', '--profile', 'work'])
  await held.reached
  expect((await run(stage, ['refresh', '--force', '--profile', 'home'])).code).toBe(0)
  held.release()
  expect((await refresh.end).code).toBe(0)
})

test('two profiles can wait for two approvals at once, and cancelling one leaves the other', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  const browser = await server.call('start_authorization', { open_browser: false, profile: 'work' })
  const device = await server.call('start_authorization', {
    open_browser: false,
    profile: 'home',
    method: 'device',
  })
  expect(device.data).toMatchObject({ status: 'pending', joined: false })
  await server.call('start_authorization', { profile: 'home', cancel: true })
  await approve(stage, browser.data.authorization_url)
  const work = await server.call('token_status', { wait_seconds: 20, profile: 'work' })
  expect(work.data).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
  const home = await server.call('token_status', { profile: 'home' })
  expect(home.data).toMatchObject({ status: 'not_authorized', authorization_status: 'cancelled' })
})

test('a pause that Feishu asks of one profile does not bind another', async () => {
  const stage = await stageWith('work', 'home')
  stage.sandbox.faults.next(rateLimited({ reset: '30', limit: '1000' }))
  const limited = await run(stage, ['refresh', '--force', '--profile', 'work', '--json'])
  expect(JSON.parse(limited.stdout).error).toMatchObject({ code: 'rate_limited' })
  const again = await run(stage, ['refresh', '--force', '--profile', 'work', '--json'])
  expect(JSON.parse(again.stdout).error).toMatchObject({ code: 'rate_limited' })
  expect(presentations(stage)).toBe(1)
  expect((await run(stage, ['refresh', '--force', '--profile', 'home'])).code).toBe(0)
})

test('a profile whose key is not to be had is no obstacle to another one', async () => {
  const stage = await setStage({ env: { FEISHU_TOKEN_KEY_SOURCE: 'env' } })
  const keyOf = { work: randomBytes(32).toString('base64'), home: randomBytes(32).toString('base64') }
  const status = async (server: Awaited<ReturnType<typeof startServer>>, profile: string) =>
    (await server.call('token_status', { profile })).data
  const work = await startServer(stage, { env: { FEISHU_TOKEN_KEY: keyOf.work, FEISHU_PROFILE: 'work' } })
  await authorize(stage, work)
  const home = await startServer(stage, { env: { FEISHU_TOKEN_KEY: keyOf.home, FEISHU_PROFILE: 'home' } })
  await authorize(stage, home)
  for (const [server, own, other] of [
    [work, 'work', 'home'],
    [home, 'home', 'work'],
  ] as const) {
    expect((await server.call('refresh_token', { force: true })).data).toMatchObject({ generation: 2 })
    const seen = await status(server, own)
    expect(seen).toMatchObject({ status: 'valid', generation: 2 })
    expect(seen.profiles).toEqual([
      { profile: own, status: 'valid' },
      { profile: other, status: 'store_unreadable' },
    ])
  }
})
