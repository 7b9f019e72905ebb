// Which browser is opened for the person, from where they are: a desktop, WSL, an SSH session, a client that hides the
// display. The link is in the answer whatever happens.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fakeBrowser, noteTaker } from '../support/fake-browser.ts'
import { NO_POSIX, testIf } from '../support/needs.ts'
import { approve, type Environment, PROGRAM, run, setStage, startServer, visit } from '../support/program.ts'
import { NO_TMUX, openTerminal } from '../support/terminal.ts'
import { makeWsl, NO_WSL } from '../support/wsl.ts'

testIf(NO_POSIX)('the browser gets one argument, the link, and no secret', async () => {
  const redirect = (port: number): string =>
    `http://localhost:${port}/callback?a=$(id)&b=\`id\`;calc|"x"'y'&--help`
  const stage = await setStage()
  const browser = fakeBrowser(stage)
  const env = { ...browser.env, FEISHU_REDIRECT_URI: redirect(stage.port), FEISHU_TOKEN_KEY: 'A'.repeat(43) }
  const server = await startServer(stage, { env })
  const started = await server.call('start_authorization')
  expect(started.data).toMatchObject({ browser_opened: true })
  expect(started.data.next_step).toContain('opened in the browser')
  const argv = await browser.argv()
  expect(argv).toEqual([started.data.authorization_url])
  expect(argv[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/open-apis\/authen\/v1\/authorize\?[\w&=%:.*+-]+$/)
  expect(browser.inherited()).not.toContain(stage.sandbox.app.appSecret)
  expect(browser.inherited()).not.toContain('A'.repeat(43))
})

testIf(NO_POSIX)(
  'without a display, in an SSH session, and without a program to open it, the link is shown with the reason',
  async () => {
    const stage = await setStage()
    const browser = fakeBrowser(stage)
    const cases: [Record<string, string>, RegExp][] = [
      [{}, /no DISPLAY; for Codex add DISPLAY and WAYLAND_DISPLAY to env_vars/],
      [{ ...browser.env, SSH_CONNECTION: '10.0.0.1 2 10.0.0.2 22' }, /SSH session/],
      [{ DISPLAY: ':77', PATH: '/nowhere' }, /no browser could be started/],
    ]
    for (const [env, reason] of cases) {
      const server = await startServer(stage, { env })
      const started = await server.call('start_authorization')
      expect(started.data).toMatchObject({ status: 'pending', browser_opened: false, joined: false })
      expect(started.data.next_step).toMatch(reason)
      await server.call('start_authorization', { cancel: true })
    }
    const off = await startServer(stage, { env: { ...browser.env, FEISHU_OPEN_BROWSER: 'false' } })
    expect((await off.call('start_authorization', { open_browser: true })).data.browser_opened).toBe(false)
    expect(existsSync(join(stage.home, 'seen'))).toBe(false)
  },
)

testIf(NO_POSIX)('BROWSER is what opens, without a display; what it opens is what is told', async () => {
  const stage = await setStage()
  const browser = fakeBrowser(stage)
  const BROWSER = join(stage.home, 'bin', 'xdg-open')
  const server = await startServer(stage, { env: { BROWSER } })
  const started = await server.call('start_authorization')
  expect(started.data.browser_opened).toBe(true)
  expect(await browser.argv()).toEqual([started.data.authorization_url])
  await server.call('start_authorization', { cancel: true })
  const failing = join(stage.home, 'bin', 'failing')
  noteTaker(failing, join(stage.home, 'tried'), 'exit 3')
  const other = await startServer(stage, { env: { ...browser.env, BROWSER: failing } })
  const shown = await other.call('start_authorization')
  expect(shown.data).toMatchObject({ browser_opened: false, status: 'pending' })
  expect(shown.data.next_step).toContain('what BROWSER names could not be started')
})

const SSH = { SSH_CONNECTION: '203.0.113.9 52100 192.0.2.7 22', SSH_TTY: '/dev/pts/3' }

test('over SSH the paste comes first, and works', async () => {
  const stage = await setStage({ env: SSH })
  const server = await startServer(stage)
  const started = await server.call('start_authorization')
  expect(started.data).toMatchObject({ status: 'pending', browser_opened: false })
  const step = String(started.data.next_step)
  expect(step).toMatch(/their own browser.*callback_url.*forward the port.*call token_status/)
  const location = await stage.sandbox.approve(String(started.data.authorization_url))
  expect((await server.call('start_authorization', { callback_url: location })).data.status).toBe('succeeded')
})

testIf(NO_TMUX)('at a terminal over SSH, login takes the address that is pasted', async () => {
  const stage = await setStage({ env: { ...SSH, LANG: 'C.UTF-8', TERM: 'xterm', NO_COLOR: '1' } })
  const terminal = openTerminal(stage, `"${process.execPath}" "${PROGRAM}" login`)
  const [, url = ''] = await terminal.seen(/\s(http\S+\/authorize\?\S+)\s/)
  await terminal.seen(/paste it here by [\d:]+:/)
  const location = await stage.sandbox.approve(url)
  // What does not fit is asked for again: a piece of the address, and an address of another login.
  for (const wrong of [location.slice(0, -12), location.replace('state=', 'state=x')]) {
    terminal.type(wrong)
    await terminal.seen(
      /does not belong to the pending authorization: its state is that of a different link\. .*paste the whole address/,
    )
  }
  terminal.type(location)
  await terminal.seen(/status: +valid[\s\S]*ended with 0[\s\S]* icanon[\s\S]* echo /)
  expect(stage.sandbox.ledger.filter(({ kind }) => kind === 'code')).toHaveLength(1)
})

testIf(NO_TMUX)('Ctrl-C while the address is awaited cancels the login', async () => {
  const stage = await setStage({ env: { ...SSH, LANG: 'C.UTF-8', TERM: 'xterm', NO_COLOR: '1' } })
  const terminal = openTerminal(stage, `"${process.execPath}" "${PROGRAM}" login`)
  await terminal.seen(/paste it here by /)
  terminal.press('C-c')
  await terminal.seen(/The authorization was cancelled[\s\S]*ended with 130/)
  expect(JSON.parse((await run(stage, ['status', '--json'])).stdout)).toMatchObject({
    status: 'not_authorized',
    authorization_status: 'cancelled',
  })
})

testIf(NO_TMUX)('at a terminal over SSH with the port forwarded, nobody has to paste', async () => {
  const stage = await setStage({ env: { ...SSH, LANG: 'C.UTF-8', TERM: 'xterm', NO_COLOR: '1' } })
  const terminal = openTerminal(stage, `"${process.execPath}" "${PROGRAM}" login`)
  const [, url = ''] = await terminal.seen(/\s(http\S+\/authorize\?\S+)\s/)
  await terminal.seen(/paste it here by /)
  terminal.type('')
  await visit(stage, await stage.sandbox.approve(url))
  await terminal.seen(/status: +valid[\s\S]*ended with 0/)
  expect(JSON.parse((await run(stage, ['status', '--json'])).stdout).status).toBe('valid')
})

/** What Codex hands to its servers, and nothing else. */
function asCodex(env: Environment, more: Environment = {}): Environment {
  const own = ['HOME', 'LANG', 'LC_ALL', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'TMPDIR', 'TZ', 'USER']
  const named = Object.keys(env).filter((name) => own.includes(name) || name.startsWith('FEISHU_'))
  return { ...Object.fromEntries(named.map((name) => [name, env[name] ?? ''])), ...more }
}

testIf(NO_POSIX)(
  'Codex keeps the display from us: the answer says what to add, and with it the browser opens',
  async () => {
    const stage = await setStage()
    const browser = fakeBrowser(stage)
    const desktop = { ...stage.env, ...browser.env, XDG_RUNTIME_DIR: '/run/user/0' }
    const hidden = await startServer({ ...stage, env: asCodex(desktop) })
    const started = await hidden.call('start_authorization')
    expect(started.data).toMatchObject({ status: 'pending', browser_opened: false })
    expect(started.data.next_step).toMatch(/for Codex add DISPLAY and WAYLAND_DISPLAY to env_vars/)
    expect(browser.wasStarted()).toBe(false)
    await hidden.call('start_authorization', { cancel: true })
    await hidden.close()

    const shown = await startServer({ ...stage, env: asCodex(desktop, { DISPLAY: ':77' }) })
    const opened = await shown.call('start_authorization')
    expect(opened.data.browser_opened).toBe(true)
    expect(await browser.argv()).toEqual([opened.data.authorization_url])
  },
)

testIf(NO_WSL)('under WSL the browser of Windows opens, whatever variables the client hands on', async () => {
  const stage = await setStage()
  const wsl = makeWsl(stage)
  const server = await startServer(stage, { node: wsl.node })
  const started = await server.call('start_authorization')
  expect(started.data).toMatchObject({ status: 'pending', browser_opened: true })
  // The PowerShell here does not end before the test does.
  const url = String(started.data.authorization_url)
  // One argument, in quotes that PowerShell takes literally.
  expect(await wsl.command()).toMatch(/Start ["'`]+http[^"'`]+["'`]+$/)
  expect(await wsl.command()).toContain(url)
  await approve(stage, url)
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

testIf(NO_TMUX)('setup over SSH ends with the paste', async () => {
  const env = {
    ...SSH,
    FEISHU_APP_ID: '',
    FEISHU_APP_SECRET: '',
    LANG: 'C.UTF-8',
    TERM: 'xterm',
    NO_COLOR: '1',
  }
  const stage = await setStage({ env })
  const { appId, appSecret } = stage.sandbox.app
  const terminal = openTerminal(stage, `"${process.execPath}" "${PROGRAM}" setup`)
  const answers = ['', '1', 'feishu', appId, appSecret, '', 'browser']
  const questions = [
    /\[Y\/n\] $/,
    /\[1\] $/,
    /\[feishu\] $/,
    /App ID[^\n]*: $/,
    /App Secret[^\n]*: $/,
    /Enter[^\n]*$/,
    /\[browser\] $/,
  ]
  for (const [index, question] of questions.entries()) {
    await terminal.seen(question)
    terminal.type(answers[index] ?? '')
  }
  const [, url = ''] = await terminal.seen(/\s(http\S+\/authorize\?\S+)\s/)
  await terminal.seen(/paste it here by [\d:]+:/)
  terminal.type(await stage.sandbox.approve(url))
  await terminal.seen(/status: +valid[\s\S]*ended with 0/)
})
