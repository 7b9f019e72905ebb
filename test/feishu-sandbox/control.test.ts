import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { exchange } from './http-client.ts'
import { connectSandbox, type RemoteSandbox } from './remote.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

let child: ChildProcess
let sandbox: RemoteSandbox

async function startProgram(): Promise<{ url: string; appId: string; appSecret: string }> {
  child = spawn(
    process.execPath,
    ['scripts/run.mjs', 'test/feishu-sandbox/serve.ts', '--redirect-url', 'http://127.0.0.1:7777/cb'],
    { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  if (!child.stdout) throw new Error('no stdout')
  const [line] = await once(createInterface(child.stdout), 'line')
  return JSON.parse(line)
}

beforeAll(async () => {
  const started = await startProgram()
  sandbox = await connectSandbox(started.url)
  expect(sandbox.app).toMatchObject({ appId: started.appId, appSecret: started.appSecret })
})

// The end of stdin is what stops the program.
afterAll(async () => {
  const exited = once(child, 'exit')
  child.stdin?.end()
  expect(await exited).toEqual([0, null])
})

beforeEach(() => sandbox.faults.clear())

async function refresh(refreshToken: string | undefined): Promise<Record<string, unknown>> {
  const result = await exchange(`${sandbox.url}/open-apis/authen/v2/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      grant_type: 'refresh_token',
      client_id: sandbox.app.appId,
      client_secret: sandbox.app.appSecret,
      refresh_token: refreshToken,
    }),
  })
  return JSON.parse(result.body)
}

describe('a sandbox in another process', () => {
  test('has its clock, knobs, secrets and ledger read and moved', async () => {
    await sandbox.setKnobs({ accessTokenLifetimeMs: 61_000 })
    expect((await sandbox.knobs()).accessTokenLifetimeMs).toBe(61_000)
    const tokens = await sandbox.issue()
    expect(tokens.expires_in).toBe(61)
    const before = await sandbox.clock.now()
    await sandbox.clock.advance(61_000)
    expect(await sandbox.clock.now()).toBeGreaterThanOrEqual(before + 61_000)
    expect(await sandbox.inspect(tokens.access_token)).toMatchObject({ status: 'expired' })
    const from = (await sandbox.ledger()).length
    expect((await refresh(tokens.refresh_token)).code).toBe(0)
    expect(await sandbox.ledger(from)).toMatchObject([{ outcome: 'rotated', answered: true }])
    expect(await sandbox.secrets()).toContain(tokens.refresh_token)
    expect((await sandbox.requests()).at(-1)).toMatchObject({
      path: '/open-apis/authen/v2/oauth/token',
      status: 200,
    })
  })

  test('is approved and denied like any other', async () => {
    const url = `${sandbox.url}/open-apis/authen/v1/authorize?client_id=${sandbox.app.appId}&response_type=code&redirect_uri=http://127.0.0.1:7777/cb`
    expect(await sandbox.approve(url)).toMatch(/^http:\/\/127\.0\.0\.1:7777\/cb\?code=/)
    expect(await sandbox.deny(url)).toBe('http://127.0.0.1:7777/cb?error=access_denied')
    const other = await sandbox.addUser({ name: '王五' })
    await sandbox.setApp({ availability: [sandbox.user.openId] })
    await expect(sandbox.approve(url, { user: other })).rejects.toMatchObject({ feishuCode: 20010 })
    await sandbox.setApp({ availability: 'everyone' })
  })

  test('holds a request until it is released', async () => {
    const { refresh_token } = await sandbox.issue()
    const fault = await sandbox.faults.next({ kind: 'hold', processed: true })
    const reply = refresh(refresh_token)
    await fault.reached()
    expect(await sandbox.inspect(String(refresh_token))).toMatchObject({ status: 'used' })
    await fault.release()
    expect((await reply).code).toBe(0)
  })

  test('takes faults without end', async () => {
    await sandbox.faults.next({ kind: 'error', code: 20072 }, Number.POSITIVE_INFINITY)
    for (let request = 0; request < 3; request += 1) expect((await refresh('x')).code).toBe(20072)
    await sandbox.faults.clear()
    expect((await refresh('x')).code).toBe(20026)
  })

  test('can be asked with curl, and says what it does not know', async () => {
    const ledger = await exchange(`${sandbox.url}/_sandbox/ledger`)
    expect(Array.isArray(JSON.parse(ledger.body))).toBe(true)
    const unknown = await exchange(`${sandbox.url}/_sandbox/toString`)
    expect([unknown.status, unknown.body]).toEqual([400, '{"error":"The sandbox has no verb toString."}'])
    await expect(sandbox.setApp({}, 'cli_unknown')).rejects.toThrow('The sandbox knows no cli_unknown.')
  })
})
