import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { TIME_UP } from '../../src/delivery/edit.ts'
import { editMcpJson } from '../../src/delivery/mcp-json.ts'
import {
  NO_LINKS,
  NO_MODES,
  NO_SPECIAL_FILES,
  OWN_FILE,
  OWN_FOLDER,
  skipIf,
  testIf,
} from '../support/needs.ts'
import { clientKinds, deliverOne, fixture, type Home, makeHome } from './home.ts'
import { makeToken, NOW } from './token.ts'

const FIRST = makeToken('first')
const SECOND = makeToken('second')
const THIRD = makeToken('third')

const CLIENTS = [
  ['cursor', '.cursor/mcp.json', 'cursor.json', true],
  ['claude-code', '.claude.json', 'claude-code.json', true],
  ['claude-desktop', '.config/Claude/claude_desktop_config.json', 'claude-desktop.json', true],
  ['windsurf', '.codeium/windsurf/mcp_config.json', 'windsurf.json', true],
  ['vscode', '.config/Code/User/mcp.json', 'vscode.json', true],
  ['codex', '.codex/config.toml', 'codex.toml', true],
  ['gemini', '.gemini/settings.json', 'gemini.json', true],
  [
    'cline',
    '.config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json',
    'cline.json',
    false,
  ],
] as const

test('every client that can be a target is tried here', () => {
  expect(CLIENTS.map(([kind]) => kind).sort()).toEqual(clientKinds().sort())
})

/** Every file below a directory with its bytes' beginning, mode and time. */
function snapshot(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, lstatSync(path)] as const)
    .map(([path, stat]) => `${path} ${stat.ino} ${stat.mode.toString(8)} ${stat.size} ${stat.mtimeMs}`)
    .sort()
}

function putEnv(home: Home, value: string): string {
  return home.put('.env', `A=1\nTOKEN=${value}\nB=2\n`)
}

describe.each(CLIENTS)('%s', (client, file, name, restarts) => {
  test('its own file receives the token and nothing else changes', async () => {
    const home = makeHome()
    const path = home.put(file, `\ufeff${fixture(name)}`)
    const delivery = await deliverOne(home, `${client}:lark`, FIRST)
    expect(delivery).toMatchObject({
      target: `${client}:lark`,
      status: 'delivered',
      restart_required: restarts,
    })
    expect(delivery.detail).toContain(path)
    expect(delivery.detail).toContain('2026-11-22T12:00:00Z')
    expect(delivery.restart_hint).toMatch(/\w/)
    expect(home.read(file)).toBe(`\ufeff${fixture(name)}`.replace('OLD-TOKEN', FIRST.accessToken))
    expect(statSync(path).mode & 0o777).toBe(OWN_FILE)
    expect(readdirSync(join(path, '..')).filter((entry) => entry.endsWith('.tmp'))).toEqual([])
  })
})

test('the same token again writes nothing at all', async () => {
  const home = makeHome()
  const path = home.put('.cursor/mcp.json', fixture('cursor.json'))
  await home.deliver('cursor:lark', FIRST)
  utimesSync(path, 1, 1)
  const before = snapshot(home.path)
  expect(await deliverOne(home, 'cursor:lark', FIRST)).toMatchObject({
    status: 'unchanged',
    restart_required: false,
    restart_hint: null,
  })
  expect(snapshot(home.path)).toEqual(before)
})

test('several targets, in one file and in others, are served in one call', async () => {
  const home = makeHome()
  putEnv(home, 'x')
  home.put(
    'two.json',
    JSON.stringify({
      mcpServers: { a: { args: ['lark-mcp', 'mcp', '-u', 'x'] }, b: { env: { USER_ACCESS_TOKEN: 'y' } } },
    }),
  )
  const setting = 'mcp:~/two.json#a,mcp:~/two.json#b,mcp:~/two.json#c,dotenv:~/.env#TOKEN,cursor:lark'
  const statuses = (await home.deliver(setting, FIRST)).map(({ status }) => status)
  expect(statuses).toEqual(['delivered', 'delivered', 'refused', 'delivered', 'refused'])
  expect(home.read('two.json').split(FIRST.accessToken)).toHaveLength(3)
  expect(home.read('.env')).toBe(`A=1\nTOKEN=${FIRST.accessToken}\nB=2\n`)
})

test('no file, entry or name is created', async () => {
  const home = makeHome()
  putEnv(home, 'x')
  home.put('mcp.json', '{"mcpServers": {"docs": {}}}')
  mkdirSync(join(home.path, '.cursor'))
  const before = snapshot(home.path)
  const setting =
    'cursor:lark,mcp:~/mcp.json#lark,mcp:~/mcp.json#docs,dotenv:~/.env#OTHER,dotenv:~/none/.env#TOKEN'
  for (const { status, restart_hint } of await home.deliver(setting, FIRST)) {
    expect([status, restart_hint]).toEqual(['refused', null])
  }
  expect(snapshot(home.path)).toEqual(before)
})

testIf(NO_LINKS)('a symbolic link is followed and kept', async () => {
  const home = makeHome()
  const real = home.put('dotfiles/cursor.json', fixture('cursor.json'))
  mkdirSync(join(home.path, '.cursor'))
  symlinkSync('../dotfiles/cursor.json', join(home.path, '.cursor/mcp.json'))
  expect(await deliverOne(home, 'cursor:lark', FIRST)).toMatchObject({ status: 'delivered' })
  expect(lstatSync(join(home.path, '.cursor/mcp.json')).isSymbolicLink()).toBe(true)
  expect(readFileSync(real, 'utf8')).toContain(FIRST.accessToken)
})

describe('drift', () => {
  test('a value that a person changed is left alone until it is replaced by force', async () => {
    const home = makeHome()
    putEnv(home, 'the first value is replaced')
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST)).toMatchObject({ status: 'delivered' })
    for (const value of ['mine', '', 'the first value is replaced']) {
      putEnv(home, value)
      expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', SECOND)).toMatchObject({
        status: 'drift',
        restart_hint: null,
      })
      expect(home.read('.env')).toBe(`A=1\nTOKEN=${value}\nB=2\n`)
    }
    const forced = await deliverOne(home, 'dotenv:~/.env#TOKEN', SECOND, { force: true })
    expect(forced.status).toBe('delivered')
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', THIRD)).toMatchObject({ status: 'delivered' })
  })

  test('an older token of ours that the client wrote back is no drift', async () => {
    const home = makeHome()
    putEnv(home, 'x')
    for (const token of [FIRST, SECOND, THIRD]) await home.deliver('dotenv:~/.env#TOKEN', token)
    putEnv(home, FIRST.accessToken)
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', THIRD)).toMatchObject({ status: 'delivered' })
  })

  testIf(NO_LINKS)('it is noticed through a symbolic link and by another name of the target', async () => {
    const home = makeHome()
    const path = putEnv(home, 'x')
    symlinkSync(path, join(home.path, 'link.env'))
    await home.deliver('dotenv:~/.env#TOKEN', FIRST)
    putEnv(home, 'mine')
    expect(await deliverOne(home, 'dotenv:~/link.env#TOKEN', SECOND)).toMatchObject({ status: 'drift' })
  })

  test('another place in the same file is another delivery', async () => {
    const home = makeHome()
    putEnv(home, 'x')
    await home.deliver('dotenv:~/.env#TOKEN', FIRST)
    expect(await deliverOne(home, 'dotenv:~/.env#A', SECOND)).toMatchObject({ status: 'delivered' })
  })

  test('a memory that cannot be understood counts as a change', async () => {
    const home = makeHome()
    putEnv(home, 'x')
    await home.deliver('dotenv:~/.env#TOKEN', FIRST)
    for (const name of readdirSync(home.memoryDir).filter((entry) => entry.endsWith('.json'))) {
      writeFileSync(join(home.memoryDir, name), '{')
    }
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', SECOND)).toMatchObject({ status: 'drift' })
  })
})

describe('files that are no configs', () => {
  test.for<[string, (path: string) => unknown, string, RegExp]>([
    ['a directory', (path: string) => mkdirSync(path), 'refused', /directory/],
    ['a FIFO', (path: string) => void execFileSync('mkfifo', [path]), 'refused', /not a regular file/],
    ['a device', (path: string) => symlinkSync('/dev/zero', path), 'refused', /not a regular file/],
    ['too large', (path: string) => writeFileSync(path, Buffer.alloc(33 * 1024 * 1024)), 'refused', /32 MB/],
    [
      'not UTF-8',
      (path: string) => writeFileSync(path, Buffer.from('TOKEN=\xff\n', 'latin1')),
      'refused',
      /UTF-8/,
    ],
    [
      'UTF-16',
      (path: string) => writeFileSync(path, Buffer.from('\ufeffTOKEN=x\n', 'utf16le')),
      'refused',
      /UTF-8/,
    ],
    ['empty', (path: string) => writeFileSync(path, ''), 'refused', /empty/],
    [
      'read-only',
      (path: string) => writeFileSync(path, 'TOKEN=x\n', { mode: 0o400 }),
      'failed',
      /EACCES.*read-only/,
    ],
  ])('%s', async ([name, make, status, why], context) => {
    skipIf(name === 'a FIFO' || name === 'a device' ? NO_SPECIAL_FILES : null, context)
    const home = makeHome()
    const path = join(home.path, 'sink')
    make(path)
    const before = snapshot(home.path)
    const delivery = await deliverOne(home, 'dotenv:~/sink#TOKEN', FIRST, { force: true })
    expect(delivery.status).toBe(status)
    expect(delivery.detail).toMatch(why)
    expect(snapshot(home.path)).toEqual(before)
  })

  testIf(NO_SPECIAL_FILES)('a socket', async () => {
    const home = makeHome()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(home.path, 's'), resolve))
    onTestFinished(() => void server.close())
    expect(await deliverOne(home, 'dotenv:~/s#TOKEN', FIRST)).toMatchObject({ status: 'refused' })
  })

  test('nesting without end', async () => {
    const home = makeHome()
    home.put('deep.json', '{"a":'.repeat(100_000))
    expect(await deliverOne(home, 'mcp:~/deep.json#lark', FIRST)).toMatchObject({
      status: 'refused',
      detail: expect.stringContaining('nested too deeply'),
    })
  })

  testIf(process.getuid?.() === 0 ? null : 'only root can give files away')(
    'a file of another user',
    async () => {
      const home = makeHome()
      chownSync(putEnv(home, 'x'), 12_345, 12_345)
      expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST)).toMatchObject({
        status: 'failed',
        detail: expect.stringContaining('EPERM'),
      })
      expect(home.read('.env')).toContain('TOKEN=x')
    },
  )

  testIf(NO_MODES ?? (process.getuid?.() === 0 ? 'root may write anywhere: run as another user' : null))(
    'a folder that takes no writes',
    async () => {
      const home = makeHome()
      home.put('locked/.env', 'TOKEN=x\n')
      chmodSync(join(home.path, 'locked'), 0o500)
      onTestFinished(() => chmodSync(join(home.path, 'locked'), 0o700))
      expect(await deliverOne(home, 'dotenv:~/locked/.env#TOKEN', FIRST)).toMatchObject({
        status: 'failed',
        detail: expect.stringContaining('EACCES'),
      })
    },
  )
})

testIf(NO_MODES)('a mode that lets others read is tightened, and said', async () => {
  const home = makeHome()
  const path = putEnv(home, 'x')
  chmodSync(path, 0o644)
  expect((await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST)).detail).toContain(
    'mode was 644 and is 600 now',
  )
  expect(statSync(path).mode & 0o777).toBe(OWN_FILE)
  expect((await deliverOne(home, 'dotenv:~/.env#TOKEN', SECOND)).detail).not.toContain('mode')
})

test('a token in argv and a second name of the file are warned of', async () => {
  const home = makeHome()
  const path = home.put('.cursor/mcp.json', fixture('cursor.json'))
  linkSync(path, join(home.path, 'second'))
  const { detail } = await deliverOne(home, 'cursor:lark', FIRST)
  expect(detail).toContain('can be read by other users of this machine (ps)')
  expect(detail).toContain('hard link')
  expect((await deliverOne(home, 'cursor:lark', SECOND)).detail).not.toContain('hard link')
})

describe('our own folder', () => {
  test('holds no copy of a file that a token was delivered to, nor one of an earlier version', async () => {
    const home = makeHome()
    home.put('.feishu-token-mcp/deliveries/.env-0123456789ab-2026-11-20.bak', 'APP_SECRET=HUSH\n')
    home.put('.env', 'APP_SECRET=HUSH\nTOKEN=HUSH\n')
    await home.deliver('dotenv:~/.env#TOKEN', FIRST)
    expect(statSync(home.memoryDir).mode & 0o777).toBe(OWN_FOLDER)
    const kept = readdirSync(home.memoryDir)
    expect(kept).toHaveLength(1)
    expect(kept.map((name) => readFileSync(join(home.memoryDir, name), 'utf8')).join('')).not.toMatch(/HUSH/)
  })

  test('where it cannot be made, nothing is written', async () => {
    const home = makeHome()
    putEnv(home, 'x')
    home.put('.feishu-token-mcp', 'a file where the folder should be')
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST)).toMatchObject({ status: 'failed' })
    expect(home.read('.env')).toContain('TOKEN=x')
    expect(await deliverOne(home, 'token-json:~/t.json', FIRST)).toMatchObject({ status: 'failed' })
    expect(existsSync(join(home.path, 't.json'))).toBe(false)
  })

  testIf(NO_LINKS)('is no target, by a link either', async () => {
    const home = makeHome()
    home.put('.feishu-token-mcp/app.json', '{"access_token": "x"}')
    mkdirSync(join(home.path, 'links'))
    symlinkSync('../.feishu-token-mcp/app.json', join(home.path, 'links/token.json'))
    symlinkSync('../.feishu-token-mcp', join(home.path, 'links/folder'))
    const setting = 'token-json:~/links/token.json,file:~/links/folder/new,token-json:~/links/folder/app.json'
    for (const delivery of await home.deliver(setting, FIRST, { force: true })) {
      expect(delivery).toMatchObject({
        status: 'refused',
        detail: expect.stringContaining('FEISHU_TOKEN_DIR'),
      })
    }
    expect(home.read('.feishu-token-mcp/app.json')).toBe('{"access_token": "x"}')
    expect(readdirSync(join(home.path, '.feishu-token-mcp'))).toEqual(['app.json'])
  })
})

describe('a dry run', () => {
  const secret = makeToken('a secret that is in the file').accessToken

  test('writes nothing, and shows the place with the token masked', async () => {
    const home = makeHome()
    home.put('.claude.json', fixture('claude-code.json').replace('OLD-TOKEN', secret))
    home.put('.codex/config.toml', fixture('codex.toml').replace('OLD-TOKEN', secret))
    putEnv(home, secret)
    const before = snapshot(home.path)
    const setting = 'claude-code:lark,codex:lark,dotenv:~/.env#TOKEN,token-json:~/token.json,cursor:lark'
    const deliveries = await home.deliver(setting, FIRST, { dryRun: true })
    expect(snapshot(home.path)).toEqual(before)
    expect(deliveries.map(({ status }) => status)).toEqual([
      'delivered',
      'delivered',
      'delivered',
      'delivered',
      'refused',
    ])
    expect(deliveries[1]?.detail.split('\n').slice(2)).toEqual([
      '@@ -18,7 +18,7 @@ mcp_servers.lark.env.USER_ACCESS_TOKEN',
      ' ',
      ' [mcp_servers.lark.env]',
      ' APP_ID = "cli_a1b2c3"',
      "-USER_ACCESS_TOKEN = '<present value>' # until noon",
      "+USER_ACCESS_TOKEN = '<access token>' # until noon",
      ' ',
      ' [projects."/home/ada/paper"]',
      ' trust_level = "trusted"',
    ])
    expect(deliveries[2]?.detail.split('\n')).toEqual([
      `--- ${join(home.path, '.env')}`,
      `+++ ${join(home.path, '.env')}`,
      '@@ -1,3 +1,3 @@ TOKEN',
      ' A=1',
      '-TOKEN=<present value>',
      '+TOKEN=<access token>',
      ' B=2',
    ])
    expect(deliveries[3]?.detail).toContain('+  "access_token": "<access token>",')
  })

  test('shows no secret that stands beside the token', async () => {
    const home = makeHome()
    home.put('.cursor/mcp.json', fixture('cursor.json'))
    home.put('.config/Claude/claude_desktop_config.json', fixture('claude-desktop.json'))
    const deliveries = await home.deliver('cursor:lark,claude-desktop:lark', FIRST, { dryRun: true })
    for (const { detail } of deliveries) {
      expect(detail).toContain('<access token>')
      expect(detail).not.toMatch(/APP-SECRET|OLD-TOKEN|in the environment/)
    }
  })

  test('says what a real run would: unchanged, drift, warnings', async () => {
    const home = makeHome()
    home.put('.cursor/mcp.json', fixture('cursor.json'))
    putEnv(home, 'x')
    await home.deliver('dotenv:~/.env#TOKEN', FIRST)
    const dryRun = { dryRun: true }
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST, dryRun)).toMatchObject({
      status: 'unchanged',
    })
    putEnv(home, 'mine')
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST, dryRun)).toMatchObject({ status: 'drift' })
    expect((await deliverOne(home, 'cursor:lark', FIRST, dryRun)).detail).toContain('(ps)')
  })
})

test('a config of 20 MB is edited in the one value', async () => {
  const home = makeHome()
  const history = Array.from({ length: 150_000 }, (_, index) => ({
    display: `line ${index} `.repeat(8),
    index,
  }))
  const text = `${JSON.stringify({ history }, null, 1).slice(0, -2)},\n${fixture('claude-code.json').slice(1)}`
  expect(text.length).toBeGreaterThan(15_000_000)
  home.put('.claude.json', text)
  expect(await deliverOne(home, 'claude-code:lark', FIRST)).toMatchObject({ status: 'delivered' })
  expect(home.read('.claude.json') === text.replace('OLD-TOKEN', FIRST.accessToken)).toBe(true)
})

test('a text that is no bearer token is never written', async () => {
  const home = makeHome()
  putEnv(home, 'x')
  for (const accessToken of ['', 'a b', 'a"b', 'a\nB=1', `\${HOME}`, '飞书']) {
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', { ...FIRST, accessToken })).toMatchObject({
      status: 'failed',
    })
  }
  expect(home.read('.env')).toBe('A=1\nTOKEN=x\nB=2\n')
})

test('no attempt begins after the deadline', async () => {
  const home = makeHome()
  putEnv(home, 'x')
  expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST, { deadlineAt: NOW - 1 })).toMatchObject({
    status: 'failed',
  })
  expect(home.read('.env')).toContain('TOKEN=x')
  expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST, { deadlineAt: NOW + 60_000 })).toMatchObject({
    status: 'delivered',
  })
})

describe('the time of a run', () => {
  test('what had no turn comes first in the next run', async () => {
    const home = makeHome()
    for (const name of ['a', 'b', 'c']) home.put(`${name}.env`, 'TOKEN=x\n')
    const setting = 'dotenv:~/a.env#TOKEN,dotenv:~/b.env#TOKEN,dotenv:~/c.env#TOKEN'
    const clock = vi.spyOn(performance, 'now')
    onTestFinished(() => void clock.mockRestore())
    // Each look at the clock is a second later, so that the first targets use up what there is.
    const run = async (token: typeof FIRST) => {
      let at = 0
      clock.mockImplementation(() => (at += 1_000))
      return (await home.deliver(setting, token, { deadlineAt: NOW + 8_000 })).map(({ status }) => status)
    }
    const runs = [await run(FIRST), await run(FIRST), await run(FIRST)]
    const [first = [], second = []] = runs
    expect(first[0]).toBe('delivered')
    expect(first.at(-1)).toBe('failed')
    expect(second[first.indexOf('failed')]).toBe('delivered')
    for (const index of [0, 1, 2]) expect(runs.map((statuses) => statuses[index])).toContain('delivered')
  })

  test('a file that takes longer to read than there is time is left, and comes first in the next run', async () => {
    const home = makeHome()
    const text = JSON.stringify({
      history: Array(5_000).fill(1),
      mcpServers: { lark: { env: { USER_ACCESS_TOKEN: 'x' } } },
    })
    home.put('big.json', text)
    const wanted = { topKeys: ['mcpServers'], server: 'lark', giveUpAt: performance.now() - 1 }
    await expect(editMcpJson(text, wanted, FIRST.accessToken)).rejects.toBe(TIME_UP)
    expect(
      await editMcpJson(text, { ...wanted, giveUpAt: performance.now() + 60_000 }, FIRST.accessToken),
    ).toHaveProperty('value', 'x')
  })

  test('a file too large to be read while others wait is for the command', async () => {
    const home = makeHome()
    const text = `{"a": "${'x'.repeat(17 * 1024 * 1024)}", "mcpServers": {"lark": {"env": {"USER_ACCESS_TOKEN": "x"}}}}`
    home.put('big.json', text)
    expect(await deliverOne(home, 'mcp:~/big.json#lark', FIRST, { deadlineAt: NOW + 60_000 })).toMatchObject({
      status: 'refused',
      detail: expect.stringContaining('larger than 16 MB'),
    })
    expect(await deliverOne(home, 'mcp:~/big.json#lark', FIRST, { force: true })).toMatchObject({
      status: 'delivered',
    })
  })
})

test('VS Code’s profiles are named where the server stands there', async () => {
  const home = makeHome()
  home.put('.config/Code/User/mcp.json', '{"servers": {}}')
  const text = '{"servers": {"lark": {"env": {"USER_ACCESS_TOKEN": "x"}}}}'
  const file = home.put('.config/Code/User/profiles/-1a2b/mcp.json', text)
  home.put('.config/Code/User/profiles/-3c4d/settings.json', '{}')
  const { status, detail } = await deliverOne(home, 'vscode:lark', FIRST)
  expect(status).toBe('refused')
  expect(detail).toContain(`deliver to mcp:${file}#lark`)
  expect(await deliverOne(home, `mcp:${file}#lark`, FIRST)).toMatchObject({ status: 'delivered' })
})

test('no result and nothing in our folder holds a token', async () => {
  const home = makeHome()
  for (const [, file, name] of CLIENTS) home.put(file, fixture(name))
  const setting = CLIENTS.map(([client]) => `${client}:lark`).join(',')
  const results = [
    ...(await home.deliver(setting, FIRST)),
    ...(await home.deliver(setting, SECOND)),
    ...(await home.deliver(setting, SECOND)),
    ...(await home.deliver(setting, THIRD, { dryRun: true })),
  ]
  const ours = readdirSync(home.memoryDir).map((name) => readFileSync(join(home.memoryDir, name), 'utf8'))
  for (const text of [JSON.stringify(results), ...ours]) {
    for (const { accessToken } of [FIRST, SECOND, THIRD]) expect(text).not.toContain(accessToken)
  }
  expect(ours.length).toBeGreaterThan(0)
})
