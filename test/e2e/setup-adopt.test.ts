// Entries that hold a token become `connect`'s: asked at a terminal, by `--yes` in a script, never otherwise.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { testIf } from '../support/needs.ts'
import { PROGRAM, run, type Stage, setStage, startServer } from '../support/program.ts'
import { NO_TMUX, openTerminal } from '../support/terminal.ts'

const env = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '', LANG: 'C.UTF-8', TERM: 'xterm' }
const TOKEN = 'u-0123456789abcdefghijklmnop'
const HOSTED = { url: 'https://mcp.feishu.cn/mcp', headers: { 'X-Lark-MCP-UAT': TOKEN } }

function put(stage: Stage, file: string, config: object): string {
  const text = `${JSON.stringify(config, null, 2)}\n`
  mkdirSync(dirname(join(stage.home, file)), { recursive: true })
  writeFileSync(join(stage.home, file), text)
  return text
}

function read(stage: Stage, file: string): string {
  return readFileSync(join(stage.home, file), 'utf8')
}

/** lark-mcp with everything in it, for Cursor; the hosted server for Gemini. */
function installClients(stage: Stage): { cursor: string; gemini: string } {
  const { appId, appSecret } = stage.sandbox.app
  const args = [
    '-y',
    '@larksuiteoapi/lark-mcp',
    'mcp',
    '-a',
    appId,
    '-s',
    appSecret,
    '-u',
    TOKEN,
    '-t',
    'preset.light',
  ]
  return {
    cursor: put(stage, '.cursor/mcp.json', {
      mcpServers: { lark: { command: 'npx', args }, other: { command: 'o' } },
    }),
    gemini: put(stage, '.gemini/settings.json', { mcpServers: { docs: { ...HOSTED, trust: true } } }),
  }
}

/** All that was kept beside the clients' configs, in clear. */
function kept(stage: Stage): string {
  const folder = join(stage.tokenDir, 'deliveries')
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')
}

function expectNoSecret(stage: Stage, ...texts: string[]): void {
  for (const text of texts) {
    expect(text).not.toContain(TOKEN)
    expect(text).not.toContain(stage.sandbox.app.appSecret)
  }
}

function entriesOf(stage: Stage): { lark: Record<string, unknown>; docs: Record<string, unknown> } {
  const { lark } = JSON.parse(read(stage, '.cursor/mcp.json')).mcpServers
  const { docs } = JSON.parse(read(stage, '.gemini/settings.json')).mcpServers
  return { lark, docs }
}

test('without a terminal, --adopt shows what it would change and changes nothing', async () => {
  const stage = await setStage({ env })
  const { cursor, gemini } = installClients(stage)
  const result = await run(stage, ['setup', '--adopt'], { input: 'y\ny\ny\n' })
  expect([result.code, result.stdout]).toEqual([0, ''])
  expect(result.stderr).toMatch(/\+ +"connect",[\s\S]*Nothing was changed: run .* setup --adopt/)
  expect([read(stage, '.cursor/mcp.json'), read(stage, '.gemini/settings.json')]).toEqual([cursor, gemini])
  expectNoSecret(stage, result.stderr)
  expect(stage.sandbox.requests).toEqual([])
})

test('an entry for the other brand than that of the app that setup kept is left alone, with the way on', async () => {
  const stage = await setStage({ env })
  const { appId, appSecret } = stage.sandbox.app
  const given = ['setup', '--app-id', appId, '--app-secret-stdin']
  expect((await run(stage, given, { input: `${appSecret}\n` })).code).toBe(0)
  const headers = { 'X-Lark-MCP-UAT': TOKEN }
  const url = 'https://mcp.larksuite.com/mcp'
  const text = put(stage, '.gemini/settings.json', { mcpServers: { docs: { url, headers } } })
  const result = await run(stage, ['setup', '--adopt', '--yes'])
  expect(result.code).toBe(0)
  expect(result.stderr).toMatch(
    /left alone: It is for Lark, and the profile "default" uses an app of Feishu: run .* setup --profile NAME/,
  )
  expect(read(stage, '.gemini/settings.json')).toBe(text)
  // A profile of its own for Lark takes it.
  const lark = ['--profile', 'lark', '--brand', 'lark']
  expect((await run(stage, [...given, ...lark], { input: `${appSecret}\n` })).code).toBe(0)
  expect((await run(stage, ['setup', '--adopt', '--yes', '--profile', 'lark'])).code).toBe(0)
  const { docs } = JSON.parse(read(stage, '.gemini/settings.json')).mcpServers
  expect(docs).toMatchObject({
    args: [PROGRAM, 'connect', url],
    env: { FEISHU_BRAND: 'lark', FEISHU_PROFILE: 'lark' },
  })
})

test('--yes changes all: the app is kept sealed first, and no secret is left, shown or kept in clear', async () => {
  const stage = await setStage({ env })
  installClients(stage)
  const { appId } = stage.sandbox.app
  const result = await run(stage, ['setup', '--adopt', '--yes', '--json'])
  expect(result.code).toBe(0)
  expect(JSON.parse(result.stdout)).toMatchObject({
    status: 'not_authorized',
    app_id: appId,
    adopted: [
      {
        client: 'Cursor',
        path: join(stage.home, '.cursor/mcp.json'),
        entry: 'lark',
        status: 'changed',
        detail: null,
      },
      { client: 'Gemini CLI', entry: 'docs', status: 'changed', detail: null },
    ],
  })
  const { lark, docs } = entriesOf(stage)
  expect(lark).toMatchObject({
    command: expect.stringMatching(/node(\.exe)?$/),
    args: [PROGRAM, 'connect', '--', 'npx', '-y', '@larksuiteoapi/lark-mcp', 'mcp', '-t', 'preset.light'],
  })
  expect(docs).toMatchObject({ args: [PROGRAM, 'connect'], trust: true })
  expect(docs).not.toHaveProperty('headers')
  expectNoSecret(
    stage,
    result.stderr,
    read(stage, '.cursor/mcp.json'),
    read(stage, '.gemini/settings.json'),
    kept(stage),
  )
  // What was kept names what stood there.
  expect(kept(stage)).toContain('"X-Lark-MCP-UAT": "<left out>"')

  // The client starts what was written, and has the app, without a secret in its config.
  const { PATH = '', HOME = '', USERPROFILE = '' } = stage.env
  const { args, env: own } = lark as { args: string[]; env: Record<string, string> }
  const server = await startServer(
    { ...stage, env: { PATH, HOME, USERPROFILE, ...own } },
    { args: args.slice(1) },
  )
  expect((await server.call('token_status')).data).toMatchObject({ status: 'not_authorized', app_id: appId })

  const again = await run(stage, ['setup', '--adopt', '--yes'])
  expect([again.code, again.stderr]).toEqual([
    0,
    'No entry of an MCP client was found that holds a Feishu token.\n',
  ])
  expect(entriesOf(stage)).toEqual({ lark, docs })
})

test('a setting with a secret, which the changed entry is without, is named', async () => {
  const stage = await setStage({ env })
  installClients(stage)
  const key = { FEISHU_TOKEN_KEY: Buffer.alloc(32, 7).toString('base64') }
  const changed = await run(stage, ['setup', '--adopt', '--yes'], { env: key })
  expect(changed.stderr).toContain('No secret stands in the entry: set FEISHU_TOKEN_KEY where')
})

test('an entry whose App Secret Feishu refuses stays; another app of the profile stays too', async () => {
  const stage = await setStage({ env })
  const { appId, appSecret } = stage.sandbox.app
  const entry = (id: string, secret: string) => ({
    mcpServers: {
      lark: { command: 'lark-mcp', args: ['mcp', '-a', id, '-s', secret], env: { USER_ACCESS_TOKEN: TOKEN } },
    },
  })
  const wrong = put(stage, '.cursor/mcp.json', entry(appId, 'WrongSecretWrongSecretWrongSecr1'))
  const refused = await run(stage, ['setup', '--adopt', '--yes', '--json'])
  expect(refused.code).toBe(1)
  expect(JSON.parse(refused.stdout).adopted).toMatchObject([
    { status: 'failed', detail: expect.stringMatching(/does not accept/) },
  ])
  expect(read(stage, '.cursor/mcp.json')).toBe(wrong)

  await run(stage, ['setup', '--app-id', appId, '--app-secret-stdin'], { input: appSecret })
  const other = put(
    stage,
    '.cursor/mcp.json',
    entry('cli_another0000000', 'OtherSecretOtherSecretOtherSecr1'),
  )
  const kept = await run(stage, ['setup', '--adopt', '--yes', '--json'])
  expect(kept.code).toBe(1)
  expect(kept.stderr).toContain(`uses the app ${appId}; that of this entry is cli_another0000000`)
  expect(JSON.parse(kept.stdout)).toMatchObject({
    app_id: appId,
    adopted: [{ status: 'failed', detail: expect.stringMatching(/App Secret would be lost/) }],
  })
  expect(read(stage, '.cursor/mcp.json')).toBe(other)
})

test('a header with a secret of another service never lands in an argument list without a person’s word', async () => {
  const stage = await setStage({ env })
  const text = put(stage, '.cursor/mcp.json', {
    mcpServers: { docs: { ...HOSTED, headers: { ...HOSTED.headers, 'X-Api-Key': 'hunter2-hunter2' } } },
  })
  const result = await run(stage, ['setup', '--adopt', '--yes', '--json'])
  expect(result.stderr).toMatch(/argument list, which other users of this machine can read: X-Api-Key/)
  expect(JSON.parse(result.stdout).adopted).toMatchObject([{ status: 'left_alone' }])
  expect(read(stage, '.cursor/mcp.json')).toBe(text)
  expect(result.stderr).not.toContain('hunter2')
})

test('--adopt stands alone, and --yes belongs to it', async () => {
  const stage = await setStage({ env })
  for (const args of [
    ['setup', '--adopt', '--create-app'],
    ['setup', '--yes'],
    ['setup', '--adopt', '--with-tools'],
  ]) {
    expect((await run(stage, args)).code).toBe(2)
  }
})

testIf(NO_TMUX)('at a terminal each entry is asked for by itself, after its app', async () => {
  const stage = await setStage({ env })
  const { gemini } = installClients(stage)
  const { appId } = stage.sandbox.app
  const terminal = openTerminal(stage, `"${process.execPath}" "${PROGRAM}" setup --adopt`)
  const [shown] = await terminal.seen(
    /Cursor: [\s\S]*Keep the App ID and App Secret of this entry[\s\S]*\[y\/N\] /,
  )
  expect(shown).toContain('-        "<left out>",')
  expect(shown).toContain(`(${appId})`)
  terminal.type('y')
  await terminal.seen(/The secret is encrypted\.[\s\S]*Change this entry of Cursor into connect\? \[y\/N\] /)
  expect(read(stage, '.cursor/mcp.json')).toContain(TOKEN)
  terminal.type('y')
  await terminal.seen(/Changed\.[\s\S]*Change this entry of Gemini CLI into connect\? \[y\/N\] /)
  terminal.type('')
  await terminal.seen(/ended with 0/)
  expectNoSecret(stage, terminal.transcript(), read(stage, '.cursor/mcp.json'), kept(stage))
  expect(read(stage, '.gemini/settings.json')).toBe(gemini)
  expect(JSON.parse((await run(stage, ['status', '--json'])).stdout)).toMatchObject({ app_id: appId })
})

testIf(NO_TMUX)(
  'setup offers the change too, in Chinese as well, and no second entry to that client',
  async () => {
    const stage = await setStage({ env: { ...env, FEISHU_LANG: 'zh' } })
    const { appId, appSecret } = stage.sandbox.app
    await run(stage, ['setup', '--app-id', appId, '--app-secret-stdin'], { input: appSecret })
    installClients(stage)
    const terminal = openTerminal(stage, `"${process.execPath}" "${PROGRAM}" setup`)
    await terminal.seen(/\[Y\/n\] /)
    terminal.type('')
    await terminal.seen(/要改用另一个应用吗？\[y\/N\] /)
    terminal.type('')
    await terminal.seen(/Cursor：[\s\S]*含有飞书凭证[\s\S]*将 Cursor 的这个条目改为 connect 吗？\[y\/N\] /)
    terminal.type('y')
    await terminal.seen(/已改动。[\s\S]*将 Gemini CLI 的这个条目改为 connect 吗？\[y\/N\] /)
    terminal.type('')
    // Cursor has what it needs.
    const [rest] = await terminal.seen(/[\s\S]*写入 Gemini CLI 的配置吗？\[y\/N\] /)
    expect(rest).not.toContain('写入 Cursor 的配置吗')
    terminal.type('')
    await terminal.seen(/\[browser\] /)
    terminal.type('no')
    await terminal.seen(/ended with 0/)
    expectNoSecret(stage, terminal.transcript())
  },
)
