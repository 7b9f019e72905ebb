// A newcomer at a real terminal (tmux): from nothing to a working token in one go.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { approve, PROGRAM, run, type Stage, setStage, startServer } from '../support/program.ts'

const HAS_TMUX = spawnSync('tmux', ['-V']).status === 0
if (!HAS_TMUX) process.stderr.write('SKIPPED: there is no tmux, so `setup` was not tried at a terminal.\n')

const env = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '', LANG: 'C.UTF-8', TERM: 'xterm' }
const knobs = { deviceIntervalMs: 1_000 }

/** Longer than any step takes on a busy machine. */
const STEP = { timeout: 20_000, interval: 50 }

type Terminal = {
  /** Waits until the pattern shows behind what was seen before. */
  seen: (pattern: RegExp) => Promise<RegExpExecArray>
  type: (text: string) => void
  press: (key: string) => void
  transcript: () => string
}

/** Starts `setup --json` at a terminal, its stdout in a file. */
function openTerminal(stage: Stage): Terminal & { answer: () => unknown } {
  const socket = join(stage.home, 'tmux.socket')
  const log = join(stage.home, 'transcript')
  const out = join(stage.home, 'stdout.json')
  const tmux = (...args: string[]) => {
    const { status, stderr } = spawnSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
      env: stage.env,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`tmux ${args[0]}: ${stderr}`)
  }
  const program = `"${process.execPath}" "${PROGRAM}" setup --json >"${out}"; echo "ended with $?"; stty -a; cat`
  // The first line is read when the transcript is on.
  tmux('new-session', '-d', '-x', '200', '-y', '120', `read go; ${program}`)
  onTestFinished(() => void spawnSync('tmux', ['-S', socket, 'kill-server']))
  writeFileSync(log, '')
  tmux('pipe-pane', '-o', `cat >>"${log}"`)
  tmux('send-keys', 'Enter')
  let position = 0
  return {
    async seen(pattern) {
      return vi.waitFor(() => {
        const text = readFileSync(log, 'utf8').slice(position)
        const match = pattern.exec(text)
        if (!match) throw new Error(`${pattern} does not show:\n${text}`)
        position += match.index + match[0].length
        return match
      }, STEP)
    },
    type(text) {
      tmux('send-keys', '-l', text)
      tmux('send-keys', 'Enter')
    },
    press: (key) => tmux('send-keys', key),
    transcript: () => readFileSync(log, 'utf8'),
    answer: () => JSON.parse(readFileSync(out, 'utf8')),
  }
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

test.skipIf(!HAS_TMUX)('at a terminal, setup leads from nothing to a working token', async () => {
  const stage = await setStage({ env, knobs })
  const { appId, appSecret } = stage.sandbox.app
  installClients(stage)
  const terminal = openTerminal(stage)
  await terminal.seen(/Which way\? \[1\] /)
  terminal.type('')
  await terminal.seen(/Lark \(larksuite\.com\)\? \[feishu\] /)
  terminal.type('feishu')
  await terminal.seen(/App ID \(cli_…\): /)
  terminal.type('not an id')
  await terminal.seen(/looks like cli_[\s\S]*App ID \(cli_…\): /)
  terminal.type(appId)
  await terminal.seen(/App Secret \(does not show\): /)
  terminal.type('a-wrong-secret-0000')
  await terminal.seen(/nothing was kept[\s\S]*App ID \(cli_…\): /)
  expect(existsSync(join(stage.tokenDir, 'app.json'))).toBe(false)
  terminal.type(appId)
  await terminal.seen(/App Secret \(does not show\): /)
  terminal.type(appSecret)
  const [steps] = await terminal.seen(/Feishu accepts them\.[\s\S]*Press Enter when that is done\. /)
  expect(steps).toContain(stage.env.FEISHU_REDIRECT_URI)
  expect(steps).toContain(`${stage.sandbox.url}/app/${appId}/safe`)
  expect(steps).toContain(`${stage.sandbox.url}/app/${appId}/auth?q=`)
  expect(steps).toContain('publish a version')
  terminal.type('')

  const [diff] = await terminal.seen(/---[\s\S]*config of Claude Code\? \[y\/N\] /)
  expect(diff).toContain('+    "feishu-token": {')
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

  expect(terminal.answer()).toMatchObject({ status: 'valid', app_id: appId, generation: 1 })
  expect(terminal.transcript()).not.toContain('a-wrong-secret-0000')
  for (const secret of stage.sandbox.secrets()) expect(terminal.transcript()).not.toContain(secret)
  expect(existsSync(join(stage.home, '.cursor/mcp.json'))).toBe(false)
  expect(read(stage, '.codex/config.toml')).toMatch(/^# mine\nmodel = "x"\n\n\[mcp_servers\.feishu-token\]\n/)

  // The client starts what was written, and has the token: without a secret in its config.
  const { other, 'feishu-token': entry } = JSON.parse(read(stage, '.claude.json')).mcpServers
  expect([other, entry.command, entry.args]).toEqual([{}, 'node', [PROGRAM]])
  expect(JSON.stringify(entry)).not.toContain(appSecret)
  const { PATH = '', HOME = '' } = stage.env
  const server = await startServer({ ...stage, env: { PATH, HOME, ...entry.env } })
  expect((await server.call('token_status')).data).toMatchObject({ status: 'valid', app_id: appId })
})

test.skipIf(!HAS_TMUX)('at a terminal, an app that Feishu makes needs no console', async () => {
  const stage = await setStage({ env, knobs })
  const terminal = openTerminal(stage)
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

test.skipIf(!HAS_TMUX)('Ctrl-C after the login leaves the clients alone and the login as it is', async () => {
  const stage = await setStage({ env, knobs })
  installClients(stage)
  const terminal = openTerminal(stage)
  await terminal.seen(/Which way\? \[1\] /)
  terminal.type('2')
  const [, code = ''] = await terminal.seen(/\(code ([A-Z0-9]{4}-[A-Z0-9]{4})\)/)
  await stage.sandbox.approveDevice(code)
  const [, login = ''] = await terminal.seen(/must show this code: ([A-Z0-9]{4}-[A-Z0-9]{4})/)
  await stage.sandbox.approveDevice(login)
  await terminal.seen(/config of Claude Code\? \[y\/N\] /)
  terminal.press('C-c')
  await terminal.seen(/ended with 0/)
  expect(terminal.answer()).toMatchObject({ status: 'valid' })
  expect(read(stage, '.claude.json')).not.toContain('feishu-token')
})

test.skipIf(!HAS_TMUX)(
  'after a denial the console is offered, and Ctrl-C leaves a sane terminal',
  async () => {
    const stage = await setStage({ env, knobs })
    const terminal = openTerminal(stage)
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
    const [ended] = await terminal.seen(/ended with 2[\s\S]*icanon[\s\S]*echo /)
    expect(ended).not.toMatch(/-icanon|-echo\b/)
    expect(terminal.answer()).toMatchObject({ error: { code: 'config_invalid' } })
    expect(existsSync(join(stage.tokenDir, 'app.json'))).toBe(false)
  },
)

test.skipIf(!HAS_TMUX)('an app that is there already stays unless the person wants another', async () => {
  const stage = await setStage({ env, knobs })
  const { appId, appSecret } = stage.sandbox.app
  const given = ['setup', '--app-id', appId, '--app-secret-stdin']
  expect((await run(stage, given, { input: appSecret })).code).toBe(0)
  const terminal = openTerminal(stage)
  await terminal.seen(new RegExp(`uses the app ${appId}[\\s\\S]*in its place\\? \\[y/N\\] `))
  terminal.type('')
  await terminal.seen(/\[browser\] /)
  terminal.type('no')
  await terminal.seen(/ended with 0/)
  expect(terminal.answer()).toMatchObject({ status: 'not_authorized', app_id: appId })
})

test('without a terminal and without credentials, setup asks nothing', async () => {
  const stage = await setStage({ env })
  const result = await run(stage, ['setup'], { input: '1\nfeishu\n' })
  expect([result.code, result.stdout]).toEqual([2, ''])
  expect(result.stderr).toContain('--app-id')
  expect(stage.sandbox.requests).toEqual([])
})
