// A newcomer at a real terminal (tmux): from nothing to a working token in one go.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testIf } from '../support/needs.ts'
import { approve, NODE_COMMAND, PROGRAM, run, type Stage, setStage, startServer } from '../support/program.ts'
import { NO_TMUX, openTerminal, type Terminal } from '../support/terminal.ts'

const env = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '', LANG: 'C.UTF-8', TERM: 'xterm' }
const knobs = { deviceIntervalMs: 1_000 }

/** Starts `setup --json` at a terminal, its stdout in a file. */
function openSetup(stage: Stage): Terminal & { answer: () => unknown } {
  const out = join(stage.home, 'stdout.json')
  const terminal = openTerminal(stage, `"${process.execPath}" "${PROGRAM}" setup --json >"${out}"`)
  return { ...terminal, answer: () => JSON.parse(readFileSync(out, 'utf8')) }
}

/** Three clients: with servers, without a config, and with a TOML config. */
function installClients(stage: Stage): void {
  mkdirSync(join(stage.home, '.cursor'))
  mkdirSync(join(stage.home, '.codex'))
  writeFileSync(join(stage.home, '.claude.json'), '{\n  "mcpServers": {\n    "other": {}\n  }\n}\n')
  writeFileSync(join(stage.home, '.codex/config.toml'), '# mine\nmodel = "x"\n')
}

function read(stage: Stage, file: string): string {
  return readFileSync(join(stage.home, file), 'utf8')
}

testIf(NO_TMUX)('at a terminal, setup leads from nothing to a working token', async () => {
  const stage = await setStage({ env, knobs })
  const { appId, appSecret } = stage.sandbox.app
  installClients(stage)
  const terminal = openSetup(stage)
  await terminal.seen(/not the login alone\? \[Y\/n\] /)
  terminal.type('')
  await terminal.seen(/Which way\? \[1\] /)
  terminal.type('')
  await terminal.seen(/Lark \(larksuite\.com\)\? \[feishu\] /)
  terminal.type('feishu')
  await terminal.seen(/App ID \(cli_…\): /)
  terminal.type('not an id')
  await terminal.seen(/looks like cli_[\s\S]*App ID \(cli_…\): /)
  terminal.type('wrongplace1')
  await terminal.seen(/looks like cli_[\s\S]*App ID \(cli_…\): /)
  terminal.type(`https://open.feishu.cn/app/${appId}/baseinfo`)
  await terminal.seen(/App Secret \(does not show\): /)
  terminal.type('')
  await terminal.seen(/nothing came[\s\S]*App Secret \(does not show\): /)
  terminal.type(`"${appSecret}"`)
  await terminal.seen(/is in quotes[\s\S]*App Secret \(does not show\): /)
  expect(stage.sandbox.requests).toEqual([])
  terminal.type('a-wrong-secret-0000')
  await terminal.seen(/nothing was kept[\s\S]*Enter to keep it[\s\S]*App ID \(cli_…\): /)
  expect(existsSync(join(stage.tokenDir, 'app.json'))).toBe(false)
  terminal.type('')
  await terminal.seen(/App Secret \(does not show\): /)
  terminal.type(appSecret)
  const [steps] = await terminal.seen(/Feishu accepts them\.[\s\S]*Press Enter when that is done\. /)
  expect(steps).toContain(stage.env.FEISHU_REDIRECT_URI)
  expect(steps).toContain(`${stage.sandbox.url}/app/${appId}/safe`)
  expect(steps).toContain(`${stage.sandbox.url}/app/${appId}/auth?q=`)
  expect(steps).toContain('publish a version')
  terminal.type('')

  const [diff] = await terminal.seen(/---[\s\S]*config of Claude Code\? \[y\/N\] /)
  expect(diff).toContain('+    "feishu": {')
  terminal.type('y')
  await terminal.seen(/Written\.[\s\S]*config of Cursor\? \[y\/N\] /)
  terminal.type('')
  await terminal.seen(/config of Codex\? \[y\/N\] /)
  terminal.type('yes')
  await terminal.seen(/browser, code or no\? \[browser\] /)
  terminal.type('')
  const [, url] = await terminal.seen(/\s(http\S+\/authorize\?\S+)\s/)
  await approve(stage, url)
  await terminal.seen(/ended with 0/)

  expect(terminal.answer()).toMatchObject({
    status: 'valid',
    app_id: appId,
    generation: 1,
    console_urls: { redirect_settings: `${stage.sandbox.url}/app/${appId}/safe` },
    entry: { mcpServers: { feishu: { args: [PROGRAM, 'connect'] } } },
  })
  // The terminal itself showed it once, as it was typed.
  expect(terminal.transcript().split('wrongplace1')).toHaveLength(2)
  expect(read(stage, '.feishu-token-mcp/activity.jsonl')).not.toMatch(/wrong/)
  expect(terminal.transcript()).not.toContain('a-wrong-secret-0000')
  for (const secret of stage.sandbox.secrets()) expect(terminal.transcript()).not.toContain(secret)
  expect(existsSync(join(stage.home, '.cursor/mcp.json'))).toBe(false)
  expect(read(stage, '.codex/config.toml')).toMatch(/^# mine\nmodel = "x"\n\n\[mcp_servers\.feishu\]\n/)

  // The client starts what was written, and has the token: without a secret in its config.
  const { other, feishu: entry } = JSON.parse(read(stage, '.claude.json')).mcpServers
  expect([other, entry.command, entry.args]).toEqual([{}, NODE_COMMAND, [PROGRAM, 'connect']])
  expect(JSON.stringify(entry)).not.toContain(appSecret)
  const { PATH = '', HOME = '' } = stage.env
  const server = await startServer({ ...stage, env: { PATH, HOME, ...entry.env } })
  expect((await server.call('token_status')).data).toMatchObject({ status: 'valid', app_id: appId })
})

testIf(NO_TMUX)('at a terminal, an app that Feishu makes needs no console', async () => {
  const stage = await setStage({ env, knobs })
  const terminal = openSetup(stage)
  await terminal.seen(/not the login alone\? \[Y\/n\] /)
  terminal.type('')
  await terminal.seen(/Which way\? \[1\] /)
  terminal.type('2')
  const [, code = ''] = await terminal.seen(/\(code ([A-Z0-9]{4}-[A-Z0-9]{4})\)/)
  await stage.sandbox.approveDevice(code)
  const [, login = ''] = await terminal.seen(/must show this code: ([A-Z0-9]{4}-[A-Z0-9]{4})/)
  await stage.sandbox.approveDevice(login)
  await terminal.seen(/No MCP client was found here/)
  await terminal.seen(/ended with 0/)
  expect(terminal.answer()).toMatchObject({ status: 'valid', generation: 1 })
})

testIf(NO_TMUX)('Ctrl-C after the login leaves the clients alone and the login as it is', async () => {
  const stage = await setStage({ env, knobs })
  installClients(stage)
  const terminal = openSetup(stage)
  await terminal.seen(/not the login alone\? \[Y\/n\] /)
  terminal.type('')
  await terminal.seen(/Which way\? \[1\] /)
  terminal.type('2')
  const [, code = ''] = await terminal.seen(/\(code ([A-Z0-9]{4}-[A-Z0-9]{4})\)/)
  await stage.sandbox.approveDevice(code)
  const [, login = ''] = await terminal.seen(/must show this code: ([A-Z0-9]{4}-[A-Z0-9]{4})/)
  await stage.sandbox.approveDevice(login)
  await terminal.seen(/config of Claude Code\? \[y\/N\] /)
  terminal.press('C-c')
  await terminal.seen(/ended with 130/)
  expect(terminal.answer()).toMatchObject({ status: 'valid' })
  expect(read(stage, '.claude.json')).not.toContain('feishu-token')
})

testIf(NO_TMUX)('after a denial the console is offered, and Ctrl-C leaves a sane terminal', async () => {
  const stage = await setStage({ env, knobs })
  const terminal = openSetup(stage)
  await terminal.seen(/not the login alone\? \[Y\/n\] /)
  terminal.type('')
  await terminal.seen(/Which way\? \[1\] /)
  terminal.type('2')
  const [, code = ''] = await terminal.seen(/\(code ([A-Z0-9]{4}-[A-Z0-9]{4})\)/)
  await stage.sandbox.denyDevice(code)
  await terminal.seen(/declined[\s\S]*developer console instead \([\s\S]*\[feishu\] /)
  terminal.type('lark')
  await terminal.seen(/App ID \(cli_…\): /)
  terminal.type('cli_a1')
  await terminal.seen(/App Secret \(does not show\): /)
  terminal.press('C-c')
  const [ended] = await terminal.seen(
    /Stopped before it was done\.\s+ended with 130[\s\S]*icanon[\s\S]*echo /,
  )
  expect(ended).not.toMatch(/-icanon|-echo\b/)
  expect(terminal.answer()).toMatchObject({ error: { code: 'temporarily_unavailable' } })
  expect(existsSync(join(stage.tokenDir, 'app.json'))).toBe(false)
})

testIf(NO_TMUX)('an app that is there already stays unless the person wants another', async () => {
  const stage = await setStage({ env, knobs })
  const { appId, appSecret } = stage.sandbox.app
  const given = ['setup', '--app-id', appId, '--app-secret-stdin']
  expect((await run(stage, given, { input: appSecret })).code).toBe(0)
  const terminal = openSetup(stage)
  await terminal.seen(/\[Y\/n\] /)
  terminal.type('n')
  await terminal.seen(new RegExp(`uses the app ${appId}[\\s\\S]*in its place\\? \\[y/N\\] `))
  terminal.type('')
  await terminal.seen(/\[browser\] /)
  terminal.type('no')
  await terminal.seen(/ended with 0/)
  expect(terminal.answer()).toMatchObject({ status: 'not_authorized', app_id: appId })
})

testIf(NO_TMUX)(
  'an app that is there already is not called new when its person logs in with a code',
  async () => {
    const stage = await setStage({ env, knobs })
    const { appId, appSecret } = stage.sandbox.app
    const given = ['setup', '--app-id', appId, '--app-secret-stdin']
    expect((await run(stage, given, { input: appSecret })).code).toBe(0)
    const terminal = openSetup(stage)
    await terminal.seen(/\[Y\/n\] /)
    terminal.type('')
    await terminal.seen(/in its place\? \[y\/N\] /)
    terminal.type('')
    await terminal.seen(/\[browser\] /)
    terminal.type('code')
    const [before, code = ''] = await terminal.seen(/[\s\S]*([A-Z0-9]{4}-[A-Z0-9]{4})\s/)
    expect(before).not.toContain('new app')
    await stage.sandbox.approveDevice(code)
    await terminal.seen(/ended with 0/)
    // The scopes are those of Feishu's tools, which the person said yes to.
    const { granted_scopes } = terminal.answer() as { granted_scopes: string[] }
    expect(granted_scopes).toContain('search:docs:read')
  },
)

testIf(NO_TMUX)('at a terminal of people who read Chinese, setup asks in Chinese', async () => {
  const stage = await setStage({ env: { ...env, FEISHU_LANG: 'zh' }, knobs })
  const { appId, appSecret } = stage.sandbox.app
  installClients(stage)
  const terminal = openSetup(stage)
  await terminal.seen(/是否也让助手使用飞书的工具（文档、消息等）？\[Y\/n\] /)
  terminal.type('否')
  await terminal.seen(/选择哪种方式？\[1\] /)
  terminal.type('3')
  await terminal.seen(/请输入 1 \/ 2。[\s\S]*选择哪种方式？\[1\] /)
  terminal.type('1')
  await terminal.seen(/飞书（feishu\.cn）还是 Lark（larksuite\.com）？\[feishu\] /)
  terminal.type('')
  await terminal.seen(/App ID（cli_…）：/)
  terminal.type(appId)
  await terminal.seen(/App Secret（输入时不显示）：/)
  terminal.type(appSecret)
  await terminal.seen(
    /飞书已确认凭证正确。[\s\S]*1\. 在“安全设置”中登记重定向 URL：http[\s\S]*完成后请按回车键。/,
  )
  terminal.type('')
  await terminal.seen(/将以上内容写入 Claude Code 的配置吗？\[y\/N\] /)
  terminal.type('好')
  await terminal.seen(/已写入。请在 Claude Code 中用 \/mcp 重新连接该服务[\s\S]*Cursor 的配置吗？\[y\/N\] /)
  terminal.type('')
  await terminal.seen(/Codex 的配置吗？\[y\/N\] /)
  terminal.type('')
  await terminal.seen(/请选择 browser、code 或 no：\[browser\] /)
  terminal.type('')
  const [, url] = await terminal.seen(/请打开以下页面并授权[\s\S]*?\s(http\S+\/authorize\?\S+)\s/)
  await approve(stage, url)
  await terminal.seen(/ended with 0/)
  expect(terminal.answer()).toMatchObject({ status: 'valid', app_id: appId, generation: 1 })
  // No sentence of four English words or more.
  const talk = terminal.transcript().replace(/ended with[\s\S]*/, '')
  expect(talk).not.toMatch(/(?:\b[A-Za-z]+[ ,]+){3}[a-z]+/)
})

test('without a terminal and without credentials, setup asks nothing', async () => {
  const stage = await setStage({ env })
  const result = await run(stage, ['setup'], { input: '1\nfeishu\n' })
  expect([result.code, result.stdout]).toEqual([2, ''])
  expect(result.stderr).toContain('--app-id')
  expect(stage.sandbox.requests).toEqual([])
})
