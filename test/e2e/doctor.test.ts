import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testIf } from '../support/needs.ts'
import { approve, run, start, startServer } from '../support/program.ts'
import { age, openStore } from '../support/stored.ts'
import { doctor, idOf, loggedInStage, NAMES, stageOf, statuses } from './doctor-report.ts'

const HEALTHY = {
  ...Object.fromEntries(NAMES.map((name) => [name, 'pass'])),
  redirect_registered: 'skip',
  targets: 'skip',
  timer: 'skip',
}

test('a healthy installation passes', async () => {
  const stage = await loggedInStage()
  const report = await doctor(stage)
  expect(statuses(report)).toEqual(HEALTHY)
  expect(report.code).toBe(0)
  expect(report.checks.redirect_registered?.hint).toContain(`/app/${stage.sandbox.app.appId}/safe`)
  expect(report.checks.token?.message).toContain('Feishu confirms it')
  expect(readdirSync(join(stage.tokenDir, 'store')).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

test('an activity log that cannot be written is told', async () => {
  const stage = await loggedInStage()
  mkdirSync(join(stage.tokenDir, 'activity.jsonl'), { mode: 0o700 })
  expect((await doctor(stage)).checks.copies).toMatchObject({
    status: 'warn',
    message: expect.stringMatching(/activity\.jsonl is (a directory|not a regular file)/),
    hint: expect.stringContaining('remove it'),
  })
})

test('people read one line a check, with what to do below it', async () => {
  const stage = await loggedInStage()
  const { stderr, code } = await run(stage, ['doctor'])
  expect(code).toBe(0)
  expect(stderr).toMatch(/^pass {2}settings: profile "default".*\npass {2}versions: feishu-token-mcp .*Node/)
  expect(stderr).toMatch(/\npass {2}token: .* valid until 20\d\d-\d\d-\d\d \d\d:\d\d \(in [^)]+\)/)
  expect(stderr).toMatch(/\nskip {2}redirect_registered: .*\n {6}Look for exactly this address/)
})

test('with nothing configured it says what to set, and exits with 2', async () => {
  const stage = await stageOf()
  const { FEISHU_APP_ID: _, FEISHU_APP_SECRET: __, ...env } = stage.env
  const report = await doctor({ ...stage, env })
  expect(report.code).toBe(2)
  expect(report.checks.app).toMatchObject({
    status: 'fail',
    hint: expect.stringMatching(/setup.*FEISHU_APP_ID/),
  })
  expect(statuses(report)).toMatchObject({ settings: 'pass', open_host: 'pass', token: 'skip', lock: 'skip' })
  // It looks, and leaves nothing behind.
  expect(report.checks.store?.status).toBe('skip')
  expect(existsSync(stage.tokenDir)).toBe(false)
})

test('settings that cannot be used are a failed check', async () => {
  const stage = await stageOf()
  const report = await doctor(stage, { FEISHU_REFRESH_MARGIN: 'soon', FEISHU_BRAND: 'fish' })
  expect(report.code).toBe(1)
  expect(report.checks.settings).toMatchObject({
    status: 'fail',
    message: expect.stringMatching(/FEISHU_BRAND.*FEISHU_REFRESH_MARGIN/),
  })
  expect(report.checks.versions?.status).toBe('pass')
  expect(report.checks.store?.status).toBe('skip')
})

test('before the first login nothing has failed', async () => {
  const report = await doctor(await stageOf())
  expect(report.code).toBe(0)
  expect(statuses(report)).toMatchObject({ token: 'warn', scopes: 'skip', key: 'skip', app: 'pass' })
  expect(report.checks.token?.hint).toMatch(/login/)
})

test('a wrong App Secret fails where Feishu refuses it', async () => {
  const stage = await loggedInStage()
  const report = await doctor(stage, { FEISHU_APP_SECRET: 'x'.repeat(32) })
  expect(report.code).toBe(1)
  expect(report.checks.app).toMatchObject({
    status: 'fail',
    message: `Feishu does not accept the App Secret of ${stage.sandbox.app.appId}.`,
    hint: expect.stringMatching(/baseinfo/),
  })
})

test('a port that another program holds is named with that program; one that waits for us is fine', async () => {
  const stage = await loggedInStage()
  const other = createServer().listen(stage.port, '127.0.0.1')
  await once(other, 'listening')
  const held = await doctor(stage)
  expect(held.code).toBe(1)
  expect(held.checks.redirect_port?.status).toBe('fail')
  if (process.platform === 'linux')
    expect(held.checks.redirect_port?.message).toContain(`process ${process.pid} (`)
  other.close()
  await once(other, 'close')

  const server = await startServer(stage)
  const started = await server.call('start_authorization', { open_browser: false })
  const waiting = await doctor(stage)
  expect(waiting.checks.redirect_port).toMatchObject({
    status: 'pass',
    message: expect.stringContaining(`Process ${server.pid} listens`),
  })
  expect(waiting.checks.copies?.message).toContain(`Process ${server.pid} on`)
  await approve(stage, started.data.authorization_url)
  expect((await server.call('token_status', { wait_seconds: 20 })).data).toMatchObject({ status: 'valid' })
})

test('hosts that cannot be reached fail, and what depends on them is not blamed', async () => {
  const stage = await loggedInStage()
  await stage.sandbox.close()
  const report = await doctor(stage)
  expect(report.code).toBe(1)
  expect(statuses(report)).toMatchObject({
    accounts_host: 'fail',
    open_host: 'fail',
    clock: 'skip',
    app: 'skip',
    token: 'warn',
    store: 'pass',
  })
})

test.each([
  [0, 'pass', /agrees with/],
  [120_000, 'warn', /\d s behind/],
  [-600_000, 'fail', /\d s ahead of/],
])('a server clock that is %i ms off: %s', async (dateOffsetMs, status, message) => {
  const stage = await stageOf({ knobs: { dateOffsetMs } })
  const { clock } = (await doctor(stage)).checks
  expect(clock).toMatchObject({
    status,
    message: expect.stringMatching(message),
  })
})

test('a store whose key is missing, and one that is damaged, are told apart and left as they are', async () => {
  const stage = await loggedInStage()
  const folder = join(stage.tokenDir, 'store')
  const record = join(folder, readdirSync(folder).find((name) => name.endsWith('.json')) ?? '')
  const moved = await run(stage, ['key', '--move-to', 'env'], {
    env: { FEISHU_TOKEN_KEY: Buffer.alloc(32, 5).toString('base64') },
  })
  expect(moved.code).toBe(0)
  const shut = await doctor(stage)
  expect(shut.code).toBe(1)
  expect(statuses(shut)).toMatchObject({ key: 'fail', store: 'pass', token: 'skip' })
  expect(shut.checks.key?.message).toContain('FEISHU_TOKEN_KEY')

  const damaged = readFileSync(record, 'utf8').slice(0, -30)
  writeFileSync(record, damaged)
  const broken = await doctor(stage)
  expect(broken.checks.store).toMatchObject({ status: 'fail', message: expect.stringContaining(record) })
  expect(readFileSync(record, 'utf8')).toBe(damaged)
})

test('edits that were kept beside a target, or beside a client’s config, are named with what to do', async () => {
  const stage = await loggedInStage()
  const put = (folder: string, name: string) => {
    mkdirSync(join(stage.home, folder), { recursive: true })
    writeFileSync(join(stage.home, folder, name), '{}')
    return join(stage.home, folder, name)
  }
  const target = join(stage.home, 'work', 'token.json')
  put('.cursor', 'mcp.json')
  const targets = { FEISHU_DELIVER_TO: `token-json:${target}` }
  expect((await doctor(stage, targets)).checks.targets?.message).not.toContain('.kept')
  const kept = [
    put('work', 'token.json.aB3_-9.0123456789ab.0123456789ab.kept'),
    put('.cursor', 'mcp.json.aB3_-9.kept'),
  ]
  for (const env of [targets, {}]) {
    const told = (await doctor(stage, env)).checks.targets
    expect(told).toMatchObject({ status: 'warn', hint: expect.stringContaining('then delete it') })
    for (const path of env === targets ? kept : kept.slice(1)) expect(told?.message).toContain(path)
  }
})

testIf(process.platform === 'win32' ? 'Windows has no modes' : null)(
  'what others could read is named',
  async () => {
    const stage = await loggedInStage()
    chmodSync(stage.tokenDir, 0o755)
    const folder = join(stage.tokenDir, 'key')
    const key = join(folder, readdirSync(folder)[0] ?? '')
    chmodSync(key, 0o644)
    const { store } = (await doctor(stage)).checks
    expect(store).toMatchObject({ status: 'warn', hint: expect.stringContaining('chmod') })
    expect(store?.message).toContain(`${stage.tokenDir}, ${key}`)
  },
)

test('a store that cannot be in its place fails, and stops no other check', async () => {
  const stage = await stageOf()
  const file = join(stage.home, 'file')
  writeFileSync(file, 'no directory')
  const report = await doctor(stage, { FEISHU_TOKEN_DIR: join(file, 'tokens') })
  expect(report.code).toBe(1)
  expect(report.checks.store).toMatchObject({ status: 'fail', message: expect.stringContaining(file) })
  expect(statuses(report)).toMatchObject({ open_host: 'pass', app: 'pass', lock: 'fail' })
})

test('a lock that another copy holds is named with that copy', async () => {
  const stage = await loggedInStage()
  const held = stage.sandbox.faults.next({ kind: 'hold' })
  const refresh = start(stage, ['refresh', '--force'])
  await held.reached
  const { lock } = (await doctor(stage)).checks
  expect(lock).toMatchObject({
    status: 'warn',
    message: expect.stringContaining(`process ${refresh.child.pid} on`),
  })
  held.release()
  expect((await refresh.end).code).toBe(0)
  const after = await doctor(stage)
  expect(after.checks.lock?.status).toBe('pass')
  expect(after.checks.copies?.message).toMatch(
    new RegExp(`asked for this profile by process(es)? (.*, )?${refresh.child.pid}\\b.*\\.$`),
  )
  expect(after.checks.copies?.message).not.toContain('(es)')
})

test('a token that is due, and one that Feishu refuses to refresh', async () => {
  const stage = await loggedInStage()
  await age(openStore(stage.tokenDir), idOf(stage))
  const due = await doctor(stage)
  expect(due.checks.token).toMatchObject({ status: 'warn', hint: expect.stringMatching(/refresh/) })
  expect(due.code).toBe(0)
  stage.sandbox.revoke()
  expect((await run(stage, ['refresh', '--force'])).code).toBe(3)
  const refused = await doctor(stage)
  expect(refused.checks.token).toMatchObject({ status: 'fail', hint: expect.stringMatching(/login/) })
  expect(refused.code).toBe(1)
})

test('what nothing is to be done about is told without a next step', async () => {
  const stage = await loggedInStage()
  await openStore(stage.tokenDir).withLock(idOf(stage), 1_000, async (locked) => {
    const { generation, tokenSet } = await locked.read()
    const assumed = tokenSet && { ...tokenSet, lifetimeAssumed: true }
    await locked.commit({ generation: generation + 1, tokenSet: assumed }, generation)
  })
  expect((await doctor(stage)).checks.token).toMatchObject({
    status: 'warn',
    message: expect.stringContaining('two hours were assumed'),
    hint: null,
  })
})

test('scopes that do not exist fail, unknown ones and those that were not granted are a warning', async () => {
  const stage = await loggedInStage()
  const wrong = await doctor(stage, { FEISHU_SCOPES: 'docx:document:write' })
  expect(wrong.checks.scopes).toMatchObject({ status: 'fail', message: expect.stringMatching(/write_only/) })
  const unknown = await doctor(stage, { FEISHU_SCOPES: 'bitable:something' })
  expect(unknown.checks.scopes).toMatchObject({
    status: 'warn',
    message: expect.stringMatching(/bitable:something/),
  })
})

test('targets are tried without a change, and only for the profile that they belong to', async () => {
  const stage = await loggedInStage()
  const path = join(stage.home, '.env')
  writeFileSync(path, 'FEISHU_TOKEN=old\n', { mode: 0o600 })
  const env = { FEISHU_DELIVER_TO: `dotenv:${path}#FEISHU_TOKEN` }
  expect(statuses(await doctor(stage, env)).targets).toBe('pass')
  expect(readFileSync(path, 'utf8')).toBe('FEISHU_TOKEN=old\n')
  expect(statuses(await doctor(stage, env, ['--profile', 'work'])).targets).toBe('skip')
  const missing = { FEISHU_DELIVER_TO: `dotenv:${stage.home}/none/.env#FEISHU_TOKEN` }
  const report = await doctor(stage, missing)
  expect(report.checks.targets).toMatchObject({
    status: 'fail',
    message: expect.stringMatching(/no such file/),
  })
})
