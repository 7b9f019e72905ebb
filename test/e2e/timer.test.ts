// The timer against stand-ins for systemctl, launchctl and schtasks on PATH, which keep what they are told in a folder.

import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { findProgram } from '../../src/machine/program.ts'
import { installTimer, removeTimer, type TimerHost, timerState } from '../../src/timer/timer.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_POSIX, testIf } from '../support/needs.ts'
import { PROGRAM, run, type Stage, setStage } from '../support/program.ts'

/** Notes each call, and answers as the program does whose name it bears. */
const STAND_IN = `#!${process.execPath}
const { appendFileSync, existsSync, rmSync, writeFileSync } = require('node:fs')
const { basename, dirname, join } = require('node:path')
const here = dirname(process.argv[1]), [name, args] = [basename(process.argv[1]), process.argv.slice(2)]
const on = join(here, 'on'), text = args.join(' ')
appendFileSync(join(here, 'calls'), name + ' ' + text + '\\n')
appendFileSync(join(here, 'environments'), JSON.stringify(process.env) + '\\n')
const end = (code, said = '') => { process.stdout.write(said); process.exit(code) }
const set = (value) => { value ? writeFileSync(on, '') : rmSync(on, { force: true }); end(0) }
if (existsSync(join(here, 'broken'))) end(1, 'Failed to connect to bus')
if (/ (enable|is-enabled|is-active) /.test(' ' + text + ' ') && existsSync(join(here, 'refuses'))) end(1, 'Access denied')
if (/enable --now|^bootstrap|^\\/Create/.test(text) && !/disable/.test(text)) set(true)
if (/disable|^bootout|^\\/Delete/.test(text)) set(false)
if (/is-active|is-enabled|^print|^\\/Query/.test(text)) end(existsSync(on) ? 0 : 3, 'last exit code = 3')
if (/ show /.test(text)) end(0, 'ExecMainExitTimestampMonotonic=' + (existsSync(join(here, 'failed')) ? '7\\nExecMainStatus=3' : '0\\nExecMainStatus=0'))
if (name === 'loginctl') end(0, 'Linger=no')
end(0)
`

function standIns(names: string[], ending = ''): string {
  const bin = makeFolder()
  for (const name of names) {
    writeFileSync(join(bin, name + ending), STAND_IN)
    chmodSync(join(bin, name + ending), 0o755)
  }
  return bin
}

function calls(bin: string): string[] {
  return existsSync(join(bin, 'calls')) ? readFileSync(join(bin, 'calls'), 'utf8').trim().split('\n') : []
}

async function setSystemd(): Promise<{
  stage: Stage
  bin: string
  timer: (...args: string[]) => ReturnType<typeof run>
}> {
  const stage = await setStage()
  const bin = standIns(['systemctl', 'loginctl'])
  const env = { PATH: bin, USER: 'somebody', FEISHU_TOKEN_DIR: join(stage.home, 'a "b" 100% x') }
  return { stage, bin, timer: (...args) => run(stage, ['timer', ...args], { env }) }
}

testIf(NO_POSIX)(
  'installs a unit and a timer that start this program by absolute paths, shows them, and says how it stands',
  async () => {
    const { stage, bin, timer } = await setSystemd()
    const installed = await timer('install')
    expect(installed).toMatchObject({ code: 0, stdout: '' })
    expect(installed.stderr).toMatch(
      /The timer is running \(systemd\).*Nothing is needed.*loginctl enable-linger/s,
    )
    const folder = join(stage.home, '.config', 'systemd', 'user')
    const service = readFileSync(join(folder, 'feishu-token-mcp.service'), 'utf8')
    expect(service).toContain(`ExecStart="${process.execPath}" "${PROGRAM}" refresh --all\n`)
    expect(service).toContain(`Environment="FEISHU_TOKEN_DIR=${stage.home}/a \\"b\\" 100%% x"\n`)
    const timerUnit = readFileSync(join(folder, 'feishu-token-mcp.timer'), 'utf8')
    expect(timerUnit).toMatch(/^OnCalendar=daily$/m)
    for (const text of [service, timerUnit]) {
      expect(text).not.toContain(stage.sandbox.app.appSecret)
      for (const line of text.trim().split('\n')) expect(installed.stderr).toContain(line)
    }
    expect(calls(bin)).toContain('systemctl --user daemon-reload')
    expect(calls(bin)).toContain('systemctl --user enable --now feishu-token-mcp.timer')
  },
)

testIf(NO_POSIX)('a helper program gets none of our secrets, the database’s password neither', async () => {
  const { stage, bin } = await setSystemd()
  const env = { PATH: bin, USER: 'somebody', PGPASSWORD: 'canary-of-the-database' }
  await run(stage, ['timer', 'status'], { env })
  const seen = readFileSync(join(bin, 'environments'), 'utf8')
  expect(seen).toContain('"USER":"somebody"')
  expect(seen).not.toContain(stage.sandbox.app.appSecret)
  expect(seen).not.toContain(env.PGPASSWORD)
})

testIf(NO_POSIX)(
  'a second install changes nothing; what was changed is put right; remove takes all away',
  async () => {
    const { stage, bin, timer } = await setSystemd()
    const json = async (action: string) => JSON.parse((await timer(action, '--json')).stdout)
    expect(await json('status')).toMatchObject({ status: 'absent', scheduler: 'systemd', changed: false })
    expect(await json('remove')).toMatchObject({ status: 'absent', changed: false })
    expect(await json('install')).toMatchObject({ status: 'running', changed: true, cron_line: null })
    const path = join(stage.home, '.config/systemd/user/feishu-token-mcp.service')
    const { ino } = statSync(path)
    const told = calls(bin).filter((call) => call.includes('enable --now')).length
    expect(await json('install')).toMatchObject({ status: 'running', changed: false })
    expect(statSync(path).ino).toBe(ino)
    expect(calls(bin).filter((call) => call.includes('enable --now'))).toHaveLength(told)

    writeFileSync(path, 'ExecStart=/gone/node /gone/main.js refresh --all\n')
    expect(await json('status')).toMatchObject({ status: 'outdated' })
    expect(await json('install')).toMatchObject({ status: 'running', changed: true })
    expect(readFileSync(path, 'utf8')).toContain(PROGRAM)

    expect(await json('remove')).toMatchObject({
      status: 'absent',
      changed: true,
      next_step: 'Nothing is needed.',
    })
    expect(existsSync(path)).toBe(false)
    expect(calls(bin)).toContain('systemctl --user disable --now feishu-token-mcp.timer')
  },
)

testIf(NO_POSIX)('doctor tells whether the timer runs', async () => {
  const { stage, bin, timer } = await setSystemd()
  const check = async () => {
    const env = { PATH: bin, FEISHU_TOKEN_DIR: join(stage.home, 'a "b" 100% x') }
    const { checks } = JSON.parse((await run(stage, ['doctor', '--json'], { env })).stdout)
    return checks.find(({ name }: { name: string }) => name === 'timer')
  }
  expect(await check()).toMatchObject({ status: 'skip', hint: expect.stringContaining('timer install') })
  await timer('install')
  expect(await check()).toMatchObject({ status: 'pass' })
  writeFileSync(join(bin, 'failed'), '')
  expect(await check()).toMatchObject({ status: 'warn', message: expect.stringContaining('ended with 3') })
  await run(stage, ['timer', 'status'])
  writeFileSync(join(bin, 'refuses'), '')
  expect(await check()).toMatchObject({ status: 'warn', hint: expect.stringContaining('timer install') })
})

testIf(NO_POSIX)(
  'where no scheduler runs, a line for crontab is printed, and it does what it says',
  async () => {
    const { stage, bin, timer } = await setSystemd()
    writeFileSync(join(bin, 'broken'), '')
    const installed = await timer('install')
    expect(installed.code).toBe(0)
    expect(installed.stdout).toMatch(/^17 10 \* \* \* .* refresh --all\n$/)
    expect(installed.stdout).toContain('100\\%')
    expect(installed.stderr).toContain('crontab -e')
    expect(existsSync(join(stage.home, '.config'))).toBe(false)
    const none = await run(stage, ['timer', 'install'], { env: { PATH: makeFolder() } })
    expect(none.stdout).toMatch(/^17 10 \* \* \* /)
    const removed = await timer('remove')
    expect(removed).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('take it out') })
  },
)

testIf(NO_POSIX)('a scheduler that refuses is told, with what is left to do', async () => {
  const { bin, timer } = await setSystemd()
  writeFileSync(join(bin, 'refuses'), '')
  const refused = await timer('install')
  expect(refused.code).toBe(2)
  expect(refused.stderr).toMatch(/systemd does not take the timer: Access denied.*17 10 \* \* \*/s)
})

testIf(NO_POSIX)(
  'secrets of the environment are not written, and it is said that the run lacks them',
  async () => {
    const { stage, timer } = await setSystemd()
    const installed = await timer('install')
    expect(installed.stderr).toMatch(/It runs without FEISHU_APP_SECRET, which are set here/)
    expect(
      readFileSync(join(stage.home, '.config/systemd/user/feishu-token-mcp.service'), 'utf8'),
    ).not.toContain('FEISHU_APP_ID')
  },
)

testIf(NO_POSIX)('the way to the network is written in each of its names, without a password', async () => {
  const proxies = {
    https_proxy: 'http://proxy.example:8080',
    all_proxy: 'proxy.example:8081',
    no_proxy: 'localhost',
    ALL_PROXY: 'http://kim:hunter2@proxy.example:8082',
  }
  const { state } = await installTimer(hostOf('linux', standIns(['systemctl']), proxies), '/a & <b>')
  const service = state.files.map(({ content }) => content).join('')
  for (const name of ['https_proxy', 'all_proxy', 'no_proxy'] as const)
    expect(service).toContain(`Environment="${name}=${proxies[name]}"\n`)
  expect(service).not.toContain('hunter2')
  expect(state.lacking).toEqual(['ALL_PROXY'])
})

testIf(NO_POSIX)(
  'a token directory that is relative to this folder is written with the whole path',
  async () => {
    const { stage, timer } = await setSystemd()
    const env = { PATH: standIns(['systemctl']), FEISHU_TOKEN_DIR: 'tokens' }
    await run(stage, ['timer', 'install'], { env })
    const service = readFileSync(join(stage.home, '.config/systemd/user/feishu-token-mcp.service'), 'utf8')
    expect(service).toMatch(/^Environment="FEISHU_TOKEN_DIR=\/.*\/tokens"$/m)
    await timer('remove')
  },
)

test.each([[[]], [['start']], [['install', 'x']]])('timer %j is a usage error', async (args) => {
  expect(await run(await setStage(), ['timer', ...args])).toMatchObject({ code: 2, stdout: '' })
})

function hostOf(platform: NodeJS.Platform, bin: string, environment: Record<string, string> = {}): TimerHost {
  const helpers = { PATH: bin }
  return {
    platform,
    environment: { PATH: bin, FEISHU_TOKEN_DIR: '/a & <b>', ...environment },
    helpers,
    home: makeFolder(),
    uid: 501,
    node: '/opt/a & b/node',
    script: '/opt/it/main.js',
  }
}

testIf(NO_POSIX)('on macOS an agent of launchd, started anew whenever it is put in place', async () => {
  const bin = standIns(['launchctl'])
  const host = hostOf('darwin', bin)
  const { state, changed } = await installTimer(host, '/a & <b>')
  expect([changed, state.status, state.scheduler]).toEqual([true, 'running', 'launchd'])
  const path = join(host.home, 'Library/LaunchAgents/io.github.feishu-token-mcp.refresh.plist')
  const text = readFileSync(path, 'utf8')
  expect(text).toContain('<string>/opt/a &amp; b/node</string>')
  expect(text).toMatch(
    /<string>\/opt\/it\/main\.js<\/string>\s+<string>refresh<\/string>\s+<string>--all<\/string>/,
  )
  expect(text).toContain('<key>FEISHU_TOKEN_DIR</key>\n    <string>/a &amp; &lt;b&gt;</string>')
  expect(calls(bin)).toContain(`launchctl bootstrap gui/501 ${path}`)
  expect((await installTimer(host, '/a & <b>')).changed).toBe(false)
  expect((await timerState(host, '/a & <b>')).lastExit).toBe(3)
  expect((await removeTimer(host, '/a & <b>')).state.status).toBe('absent')
  expect(existsSync(path)).toBe(false)
})

testIf(NO_POSIX)(
  'on Windows a task of the Task Scheduler, which is told what its account must set',
  async () => {
    const bin = standIns(['schtasks'], '.exe')
    const tokenDir = makeFolder()
    // The paths of Windows are text here; the folder of the stand-in is one of Linux.
    const host = { ...hostOf('win32', bin), environment: { Path: bin, FEISHU_TOKEN_DIR: 'D:\\tokens' } }
    expect(findProgram('schtasks', host)).toMatch(/schtasks\.exe$/)
    const { state, changed } = await installTimer(host, tokenDir)
    expect([changed, state.status, state.scheduler, state.lacking]).toEqual([
      true,
      'running',
      'task-scheduler',
      ['FEISHU_TOKEN_DIR'],
    ])
    const [file] = state.files
    const bytes = readFileSync(String(file?.path))
    expect([...bytes.subarray(0, 2)]).toEqual([0xff, 0xfe])
    const text = bytes.toString('utf16le')
    expect(text).toContain('<Command>/opt/a &amp; b/node</Command>')
    expect(text).toContain('<Arguments>&quot;/opt/it/main.js&quot; refresh --all</Arguments>')
    expect(
      calls(bin).some((call) => call.startsWith('schtasks.exe /Create /TN feishu-token-mcp refresh /XML ')),
    ).toBe(true)
    expect((await removeTimer(host, tokenDir)).state.status).toBe('absent')
  },
)

testIf(NO_POSIX)(
  'a program is found in the absolute folders of PATH alone, and only where it can be run',
  () => {
    const folder = makeFolder()
    mkdirSync(join(folder, 'systemctl'))
    const plain = makeFolder()
    writeFileSync(join(plain, 'systemctl'), '')
    chmodSync(join(plain, 'systemctl'), 0o644)
    // A folder that cannot be looked into, as one of another user.
    const barred = join(makeFolder(), 'barred')
    symlinkSync(barred, barred)
    const bin = standIns(['systemctl'])
    const find = (path: string) =>
      findProgram('systemctl', { platform: 'linux', environment: { PATH: path } })
    expect(find(`.:bin:${barred}:${folder}:${plain}:${bin}`)).toBe(join(bin, 'systemctl'))
    const standing = process.cwd()
    try {
      process.chdir(bin)
      expect(find('.')).toBeNull()
      expect(find('')).toBeNull()
    } finally {
      process.chdir(standing)
    }
    expect(dirname(String(find(bin)))).toBe(bin)
  },
)
