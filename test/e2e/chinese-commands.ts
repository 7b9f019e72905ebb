// What every command says to people who read Chinese.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { englishIn } from '../support/english.ts'
import {
  approve,
  type Environment,
  type Run,
  run,
  type Stage,
  setStage,
  start,
  startServer,
  visit,
} from '../support/program.ts'
import { openStore, storeIssued } from '../support/stored.ts'

const LINK = /https?:\/\/\S+\/authorize\?\S+/
const HAN = /\p{Script=Han}/u
/** Lines that say nothing: links, names of commands with their options, a line of a QR code or of JSON. */
const SILENT = /^(?:\s*|\s*https?:\/\/\S+| {2}(?:[a-z]+ ?.*|--help, --version)|[\s█▀▄]+|\s*["{}[\]].*)$/u

/** A login. */
export async function seed(stage: Stage): Promise<void> {
  const { sandbox } = stage
  const id = { brand: 'feishu', appId: sandbox.app.appId, profile: 'default' } as const
  await storeIssued(openStore(stage.tokenDir), id, sandbox.issue(), sandbox.user, Date.now())
}

/** Every line for people is Chinese, and holds no English but names. */
function expectChinese(text: string): void {
  const lines = text.split('\n').filter((line) => !SILENT.test(line))
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.filter((line) => !HAN.test(line) || englishIn(line) !== null)).toEqual([])
}

/** What a command says to people, on both streams. */
async function said(stage: Stage, args: string[], options: { input?: string } = {}): Promise<Run> {
  const result = await run(stage, args, options)
  expectChinese(`${args[0] === 'status' || args[0] === '--help' ? result.stdout : ''}${result.stderr}`)
  return result
}

/** The tests that hold wherever Chinese is spoken: help, the log, and what is shown of before. */
export function speaksChinese(env: Environment): void {
  test('help and mistakes are told in Chinese', async () => {
    const stage = await setStage({ env })
    expect((await said(stage, ['--help'])).stdout).toContain('用法：')
    expect((await said(stage, ['bogus'])).code).toBe(2)
    expect((await said(stage, ['status', 'more'])).code).toBe(2)
    expect((await said(stage, ['login', '--force'])).code).toBe(2)
    expect((await said(stage, ['login', '--nothing'])).code).toBe(2)
    expect((await said(stage, ['key'])).code).toBe(2)
    expect((await said(stage, ['profile'])).code).toBe(2)
  })

  test('the log of the server is Chinese, what it answers is not', async () => {
    const stage = await setStage({ env })
    const server = await startServer(stage)
    const refused = await server.call('refresh_token')
    expect(refused.text).toContain('has no token yet. Call start_authorization (or run ')
    await server.close()
    expect(server.transport.stderr).toMatch(
      /^feishu-token-mcp warn: not_authorized：应用 \S+ 的账号“default”还没有凭证。$/m,
    )
  })

  test('a login that failed before another process looks is told in Chinese', async () => {
    const stage = await setStage({ env: { ...env, FEISHU_LANG: 'en' } })
    const server = await startServer(stage)
    const { data } = await server.call('start_authorization', { open_browser: false })
    await visit(stage, await stage.sandbox.deny(String(data.authorization_url)))
    await server.call('token_status', { wait_seconds: 20 })
    await server.close()
    stage.env.FEISHU_LANG = 'zh'
    const { stdout } = await said(stage, ['status'])
    expect(stdout).toContain('用户在授权页面上拒绝了授权。如改变主意，请重新运行 `')
  })
}

/** One command after the other. */
export function everyCommandSpeaksChinese(env: Environment): void {
  test('the commands speak Chinese before, while and after somebody is logged in', async () => {
    const stage = await setStage({ env })
    expect((await said(stage, ['status'])).code).toBe(3)
    expect((await said(stage, ['token'])).code).toBe(3)
    const login = start(stage, ['login', '--no-browser'])
    await approve(stage, (await login.written(LINK))[0])
    const end = await login.end
    expect(end.code).toBe(0)
    expectChinese(end.stderr)
    expect((await said(stage, ['status', '--verify'])).stdout).toContain('状态：           有效\n')
    expect((await said(stage, ['refresh', '--force'])).stderr).toContain('已刷新')
    expect((await said(stage, ['refresh', '--all'])).stderr).toBe('没有需要刷新的账号。\n')
    expect((await said(stage, ['profile', 'list'])).code).toBe(0)
    expect((await said(stage, ['profile', 'rename', 'default', 'work'])).stderr).toContain('已重命名为 work')
    expect((await said(stage, ['profile', 'remove', 'work'])).code).toBe(2)
    expect((await said(stage, ['profile', 'remove', 'work', '--force'])).code).toBe(0)
    expect((await said(stage, ['key', '--move-to', 'file'])).code).toBe(0)
    await seed(stage)
    expect((await said(stage, ['logout'])).stderr).toContain('已退出登录')
  })

  test('setup, import, exec, deliver and doctor speak Chinese', async () => {
    const stage = await setStage({ env })
    const { appId, appSecret } = stage.sandbox.app
    const given = ['setup', '--app-id', appId, '--app-secret-stdin']
    expect((await said(stage, given, { input: appSecret })).code).toBe(0)
    expect((await said(stage, given, { input: 'wrong' })).stderr).toContain('code=invalid_client')
    expect((await said(stage, ['setup', '--create-app'])).code).toBe(2)
    const file = join(stage.home, 'token.json')
    expect((await said(stage, ['import', file])).code).toBe(2)
    const expires_at = Date.now() + 3_600_000
    writeFileSync(file, JSON.stringify({ access_token: 'not-from-feishu', expires_at }))
    expect((await said(stage, ['import', file])).code).toBe(0)
    expect((await said(stage, ['exec', '--', '/nowhere/program'])).code).toBe(127)
    const target = join(stage.home, 'delivered.json')
    stage.env.FEISHU_DELIVER_TO = `token-json:${target},dotenv:${join(stage.home, 'none')}#TOKEN`
    expect((await said(stage, ['deliver'])).stderr).toContain('已分发')
    await said(stage, ['doctor'])
    stage.env.FEISHU_BRAND = 'neither'
    expect((await said(stage, ['doctor'])).code).toBe(1)
    expect((await said(stage, ['token'])).stderr).toContain('设置无法使用')
  })

  test('what programs read stays as it is', async () => {
    const stage = await setStage({ env })
    await seed(stage)
    const plain = await setStage()
    await seed(plain)
    const keys = (result: Run) => Object.keys(JSON.parse(result.stdout))
    for (const args of [['status'], ['token'], ['doctor'], ['profile', 'list'], ['refresh']]) {
      const chinese = await run(stage, [...args, '--json'])
      expect(chinese.stdout).not.toMatch(/[，。；：]/)
      expect(keys(chinese)).toEqual(keys(await run(plain, [...args, '--json'])))
    }
    expect((await run(stage, ['token'])).stdout).toMatch(/^[\x21-\x7e]+\n$/)
    const failed = await run(stage, ['deliver', '--profile', 'other', '--json'])
    expect(JSON.parse(failed.stdout).error.message).toMatch(/^FEISHU_DELIVER_TO belongs to/)
    expect(failed.stderr).toContain('[code=config_invalid recovery=fix_config]')
  })
}
