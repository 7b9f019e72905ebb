import { expect, test } from 'vitest'
import { connectStage, startConnect, toolNames } from '../support/connect.ts'
import { run, type Stage, setStage, start } from '../support/program.ts'

const knobs = { deviceIntervalMs: 1_000 }
const env = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' }
const CODE = /\(code ([A-Z0-9]{4}-[A-Z0-9]{4})\)/
const LOGIN_CODE = /must show this code: ([A-Z0-9]{4}-[A-Z0-9]{4})\n/

/** No secret of the sandbox's is in what people and programs get to see. */
function expectNoSecret(stage: Stage, ...texts: string[]): void {
  for (const secret of stage.sandbox.secrets()) for (const text of texts) expect(text).not.toContain(secret)
}

test.each(['feishu', 'lark'] as const)('from nothing to a token with two scans, on %s', async (brand) => {
  const stage = await setStage({ env, knobs: { ...knobs, registrationBrand: brand } })
  const setup = start(stage, ['setup', '--create-app', '--json'])
  const [, code = ''] = await setup.written(CODE)
  await stage.sandbox.approveDevice(code)
  const [, loginCode = ''] = await setup.written(LOGIN_CODE)
  await stage.sandbox.approveDevice(loginCode)
  const ended = await setup.end
  expect(ended.code).toBe(0)
  expect(JSON.parse(ended.stdout)).toMatchObject({ status: 'valid', brand, generation: 1 })
  expect(ended.stderr).toMatch(/▀|█/)
  expect(ended.stderr).toContain('not part of its public documentation')
  expectNoSecret(stage, ended.stdout, ended.stderr)
  // No client config needs a secret: the next process finds the app.
  const refreshed = await run(stage, ['refresh', '--force', '--json'])
  expect(JSON.parse(refreshed.stdout)).toMatchObject({ status: 'refreshed', generation: 2 })
})

test("with Feishu's tools their list is kept, so that a client's first session has them at once", async () => {
  const stage = await connectStage({ env, knobs })
  const setup = start(stage, ['setup', '--create-app', '--with-tools'])
  for (const code of [CODE, LOGIN_CODE])
    await stage.sandbox.approveDevice((await setup.written(code))[1] ?? '')
  const ended = await setup.end
  expect([ended.code, ended.stderr]).toEqual([
    0,
    expect.stringMatching(/Feishu's tools: .*, fetch-doc, .*\.\n$/),
  ])
  stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'silence' }, Number.POSITIVE_INFINITY)
  expect(await toolNames(await startConnect(stage))).toContain('fetch-doc')
})

test('a denial and an expiry end with 4 and the way through the console, and nothing is kept', async () => {
  const stage = await setStage({ env, knobs })
  const denied = start(stage, ['setup', '--create-app', '--json'])
  await stage.sandbox.denyDevice((await denied.written(CODE))[1] ?? '')
  const declined = await denied.end
  expect(declined.code).toBe(4)
  expect(JSON.parse(declined.stdout).error).toMatchObject({ code: 'access_denied' })
  expect(declined.stderr).toContain(`${stage.sandbox.url}/app`)

  const late = start(stage, ['setup', '--create-app'])
  await late.written(CODE)
  stage.sandbox.clock.advance(stage.sandbox.knobs.deviceCodeLifetimeMs + 1_000)
  const expired = await late.end
  expect([expired.code, expired.stdout]).toEqual([4, ''])
  expect(expired.stderr).toContain('authorization_expired')
  expect(JSON.parse((await run(stage, ['status', '--json'])).stdout).status).toBe('not_configured')
})

test('where Feishu refuses, one sentence names the console', async () => {
  const stage = await setStage({ env, knobs })
  const fault = { endpoint: 'registration', kind: 'answer', status: 404, body: '404 page not found' } as const
  stage.sandbox.faults.next(fault)
  const refused = await run(stage, ['setup', '--create-app', '--json'])
  expect(refused.code).toBe(1)
  const { error } = JSON.parse(refused.stdout)
  expect(error.next_step).toMatch(/^Create the app in the developer console instead \(.*\/app\), .*\.$/)
})

test('create-app is not begun where its app would not be used, and goes with no other way', async () => {
  const stage = await setStage({ knobs })
  const overruled = await run(stage, ['setup', '--create-app'])
  expect([overruled.code, overruled.stdout]).toEqual([2, ''])
  expect(overruled.stderr).toContain('FEISHU_APP_ID')
  const both = await run(stage, ['setup', '--create-app', '--brand', 'lark'], { env })
  expect(both.code).toBe(2)
  expect(stage.sandbox.requests).toEqual([])
})
