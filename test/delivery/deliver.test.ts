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
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Delivery } from '../../src/delivery/deliver.ts'
import { testIf } from '../support/needs.ts'
import { clientKinds, fixture, type Home, makeHome } from './home.ts'
import { makeToken, NOW } from './token.ts'

const FIRST = makeToken('first')
const SECOND = makeToken('second')
const THIRD = makeToken('third')
const DAY_MS = 86_400_000

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

async function deliverOne(home: Home, ...args: Parameters<Home['deliver']>): Promise<Delivery> {
  const deliveries = await home.deliver(...args)
  expect(deliveries).toHaveLength(1)
  return deliveries[0] as Delivery
}

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
    expect(delivery.detail).toContain('2026-11-22T12:00:00.000Z')
    expect(delivery.restart_hint).toMatch(/\w/)
    expect(home.read(file)).toBe(`\ufeff${fixture(name)}`.replace('OLD-TOKEN', FIRST.accessToken))
    expect(statSync(path).mode & 0o777).toBe(0o600)
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
      mcpServers: { a: { args: ['-u', 'x'] }, b: { env: { USER_ACCESS_TOKEN: 'y' } } },
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

test('a symbolic link is followed and kept', async () => {
  const home = makeHome()
  const real = home.put('dotfiles/cursor.json', fixture('cursor.json'))
  mkdirSync(join(home.path, '.cursor'))
  symlinkSync('../dotfiles/cursor.json', join(home.path, '.cursor/mcp.json'))
  expect(await deliverOne(home, 'cursor:lark', FIRST)).toMatchObject({ status: 'delivered' })
  expect(lstatSync(join(home.path, '.cursor/mcp.json')).isSymbolicLink()).toBe(true)
  expect(readFileSync(real, 'utf8')).toContain(FIRST.accessToken)
})

describe('drift', () => {
  test('a value that a person changed is left alone until deliver is called by hand', async () => {
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
    const byHand = await deliverOne(home, 'dotenv:~/.env#TOKEN', SECOND, { byHand: true })
    expect(byHand.status).toBe('delivered')
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', THIRD)).toMatchObject({ status: 'delivered' })
  })

  test('an older token of ours that the client wrote back is no drift', async () => {
    const home = makeHome()
    putEnv(home, 'x')
    for (const token of [FIRST, SECOND, THIRD]) await home.deliver('dotenv:~/.env#TOKEN', token)
    putEnv(home, FIRST.accessToken)
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', THIRD)).toMatchObject({ status: 'delivered' })
  })

  test('it is noticed through a symbolic link and by another name of the target', async () => {
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

describe('token-json', () => {
  test('a missing file is created for its owner alone, without a refresh token', async () => {
    const home = makeHome()
    expect(await deliverOne(home, 'token-json:~/token.json', FIRST)).toMatchObject({
      status: 'delivered',
      restart_required: false,
    })
    expect(JSON.parse(home.read('token.json'))).toEqual({
      access_token: FIRST.accessToken,
      token_type: 'Bearer',
      expires_in: 7200,
      expires_at: '2026-11-22T12:00:00.000Z',
      scope: 'docx:document offline_access',
    })
    expect(statSync(join(home.path, 'token.json')).mode & 0o777).toBe(0o600)
    expect(await deliverOne(home, 'token-json:~/token.json', FIRST)).toMatchObject({ status: 'unchanged' })
    expect(await deliverOne(home, 'token-json:~/token.json', SECOND)).toMatchObject({ status: 'delivered' })
    expect(readdirSync(home.path).sort()).toEqual(['.feishu-token-mcp', 'token.json'])
  })

  test('an existing file keeps its other fields, order and number format', async () => {
    const home = makeHome()
    home.put(
      'token.json',
      '{\r\n\t"id": 12345678901234567890,\r\n\t"expires_at": 1,\r\n\t"access_token": "x"\r\n}',
    )
    await home.deliver('token-json:~/token.json', { ...FIRST, accessToken: 'new' })
    expect(home.read('token.json')).toBe(
      '{\r\n\t"id": 12345678901234567890,\r\n\t"expires_at": 1795348800,\r\n\t"access_token": "new",' +
        '\r\n\t"token_type": "Bearer",\r\n\t"expires_in": 7200,\r\n\t"scope": "docx:document offline_access"\r\n}',
    )
  })

  test.each([
    ['{"access_token": "x", "refresh_token": "ur-1"}', /`import`/],
    ['{"access_token": "x", "data": {"refresh_token": "ur-1"}}', /`import`/],
    ['{"access_token": "x", "access_token": "y"}', /more than once/],
    ['{"code": 0}', /no access_token/],
    ['{}', /no access_token/],
    ['[]', /no access_token/],
    ['{"access_token": "x"', /not valid JSON/],
    [`{"access_token": "\${TOKEN}"}`, /reference/],
  ])('%s is refused and untouched', async (text, why) => {
    const home = makeHome()
    home.put('token.json', text)
    const delivery = await deliverOne(home, 'token-json:~/token.json', FIRST)
    expect(delivery.status).toBe('refused')
    expect(delivery.detail).toMatch(why)
    expect(home.read('token.json')).toBe(text)
  })

  test('no folder is created, and no link is followed into nothing', async () => {
    const home = makeHome()
    symlinkSync('nowhere', join(home.path, 'link.json'))
    expect(await deliverOne(home, 'token-json:~/none/token.json', FIRST)).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('ENOENT'),
    })
    expect(await deliverOne(home, 'token-json:~/link.json', FIRST)).toMatchObject({ status: 'refused' })
    expect(readdirSync(home.path)).toEqual(['link.json'])
  })
})

describe('files that are no configs', () => {
  test.each([
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
  ])('%s', async (_name, make, status, why) => {
    const home = makeHome()
    const path = join(home.path, 'sink')
    make(path)
    const before = snapshot(home.path)
    const delivery = await deliverOne(home, 'dotenv:~/sink#TOKEN', FIRST, { byHand: true })
    expect(delivery.status).toBe(status)
    expect(delivery.detail).toMatch(why)
    expect(snapshot(home.path)).toEqual(before)
  })

  test('a socket', async () => {
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

  testIf(process.getuid?.() === 0 ? 'root may write anywhere: run as another user' : null)(
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

test('a mode that lets others read is tightened, and said', async () => {
  const home = makeHome()
  const path = putEnv(home, 'x')
  chmodSync(path, 0o644)
  expect((await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST)).detail).toContain(
    'mode was 644 and is 600 now',
  )
  expect(statSync(path).mode & 0o777).toBe(0o600)
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

describe('backups', () => {
  function backups(home: Home): string[] {
    return readdirSync(home.memoryDir)
      .filter((name) => name.endsWith('.bak'))
      .sort()
  }

  test('one a day, for us alone, holding everything but our secrets', async () => {
    const home = makeHome()
    const text = fixture('cline.json').replace('OLD-TOKEN', SECOND.accessToken)
    const twice = text.replace('"server.py"', `"${SECOND.accessToken}", "THE-SECRET-OF-OUR-APP"`)
    home.put('cline.json', twice)
    const options = { secrets: ['THE-SECRET-OF-OUR-APP'] }
    await home.deliver('mcp:~/cline.json#lark', FIRST, options)
    await home.deliver('mcp:~/cline.json#lark', SECOND, options)
    expect(backups(home)).toHaveLength(1)
    const backup = join(home.memoryDir, backups(home)[0] ?? '')
    expect(statSync(backup).mode & 0o777).toBe(0o600)
    expect(statSync(home.memoryDir).mode & 0o777).toBe(0o700)
    expect(readFileSync(backup, 'utf8')).toBe(
      twice
        .replaceAll(SECOND.accessToken, 'LEFT-OUT')
        .replace('THE-SECRET-OF-OUR-APP', 'LEFT-OUT')
        .replace('not-ours', 'LEFT-OUT'),
    )
  })

  test('those of the last seven days are kept, for each file', async () => {
    const home = makeHome()
    putEnv(home, 'x')
    home.put('other/.env', 'TOKEN=x\n')
    await home.deliver('dotenv:~/other/.env#TOKEN', FIRST)
    for (let day = 0; day < 9; day++) {
      const now = NOW + day * DAY_MS
      await home.deliver('dotenv:~/.env#TOKEN', makeToken(`day ${day}`), { now })
    }
    const days = backups(home).map((name) => name.slice(-14, -4))
    expect(days.sort()).toEqual([
      '2026-11-22',
      ...[24, 25, 26, 27, 28, 29, 30].map((day) => `2026-11-${day}`),
    ])
  })

  test('where no backup can be made, nothing is written', async () => {
    const home = makeHome()
    putEnv(home, 'x')
    home.put('.feishu-token-mcp', 'a file where the folder should be')
    expect(await deliverOne(home, 'dotenv:~/.env#TOKEN', FIRST)).toMatchObject({ status: 'failed' })
    expect(home.read('.env')).toContain('TOKEN=x')
    expect(await deliverOne(home, 'token-json:~/t.json', FIRST)).toMatchObject({ status: 'failed' })
    expect(existsSync(join(home.path, 't.json'))).toBe(false)
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
      '@@ line 21: mcp_servers.lark.env.USER_ACCESS_TOKEN @@',
      "-USER_ACCESS_TOKEN = '<present value>' …",
      "+USER_ACCESS_TOKEN = '<access token>' …",
    ])
    expect(deliveries[2]?.detail.split('\n')).toEqual([
      `--- ${home.path}/.env`,
      `+++ ${home.path}/.env`,
      '@@ line 2: TOKEN @@',
      '-TOKEN=<present value>',
      '+TOKEN=<access token>',
    ])
    expect(deliveries[3]?.detail).toContain('+  "access_token": "<access token>",')
  })

  test('shows nothing else of a line that holds more than the token', async () => {
    const home = makeHome()
    home.put('.cursor/mcp.json', fixture('cursor.json'))
    home.put('.config/Claude/claude_desktop_config.json', fixture('claude-desktop.json'))
    const deliveries = await home.deliver('cursor:lark,claude-desktop:lark', FIRST, { dryRun: true })
    for (const { detail } of deliveries) {
      expect(detail).toContain('<access token>')
      expect(detail).not.toMatch(/APP-SECRET|OLD-TOKEN|npx/)
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
