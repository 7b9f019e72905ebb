import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse as parseToml } from '@decimalturn/toml-patch'
import { parse as parseJsonc } from 'jsonc-parser'
import { expect, test } from 'vitest'
import type { ServerEntry } from '../../src/delivery/add-entry.ts'
import {
  type Adoptable,
  findAdoptable,
  keptAt,
  planAdoption,
  writeAdoption,
} from '../../src/delivery/adopt.ts'
import { parseTargets } from '../../src/delivery/targets.ts'
import { isOwnHeader } from '../../src/hand-over/connect-destination.ts'
import { clientKinds, fixture, type Home, makeHome } from './home.ts'
import { NOW } from './token.ts'

const BASE: ServerEntry = { command: 'node', args: ['/opt/main.js', 'connect'], env: { FEISHU_LANG: 'zh' } }
const TOKEN = 'u-0123456789abcdefghijklmnop'
const SECRET = 'ThisIsTheAppSecret0123456789abcd'
const LARK_MCP = ['-y', '@larksuiteoapi/lark-mcp', 'mcp']
const HOSTED = 'https://mcp.feishu.cn/mcp'

const LARK = 'https://mcp.larksuite.com/mcp'

const wordsFor = (url: string) => (url === HOSTED ? [] : /feishu|larksuite/.test(url) ? [url] : null)
const CONNECT = { wordsFor, setsHeader: isOwnHeader }
const find = async (home: Home, base = BASE) => (await findAdoptable(home.machine, base, CONNECT)).found
const keeping = (home: Home, now = NOW) => ({ memoryDir: home.memoryDir, now, apart: true })

/** The only entry that holds a token. */
async function only(home: Home, base = BASE): Promise<Adoptable> {
  const found = await find(home, base)
  expect(found).toHaveLength(1)
  return found[0] as Adoptable
}

async function change(home: Home, base = BASE): Promise<void> {
  expect(await writeAdoption(await only(home, base), keeping(home))).toBeNull()
}

function server(entry: object): string {
  return `${JSON.stringify({ theme: 'x', mcpServers: { other: { command: 'o' }, lark: entry } }, null, 2)}\n`
}

/** What becomes of an entry in Cursor's config. */
async function adopted(entry: object, base = BASE): Promise<unknown> {
  const home = makeHome()
  home.put('.cursor/mcp.json', server(entry))
  await change(home, base)
  const config = JSON.parse(home.read('.cursor/mcp.json'))
  expect(config).toMatchObject({ theme: 'x', mcpServers: { other: { command: 'o' } } })
  return config.mcpServers.lark
}

async function refusal(entry: object): Promise<string> {
  const home = makeHome()
  home.put('.cursor/mcp.json', server(entry))
  const one = await only(home)
  const { insertion } = await planAdoption(one)
  expect(await writeAdoption(one, keeping(home))).not.toBeNull()
  expect(home.read('.cursor/mcp.json')).toBe(server(entry))
  return insertion.kind === 'refused' ? String(insertion.why) : ''
}

/** The entry in a client's config. */
function entryOf(kind: string, text: string): unknown {
  const bare = text.replace(/^\ufeff/, '')
  const data = (
    kind === 'codex' ? parseToml(bare) : parseJsonc(bare, [], { allowTrailingComma: true })
  ) as Record<string, Record<string, unknown>>
  return (data.mcpServers ?? data.servers ?? data.mcp_servers)?.lark
}

/** Entries with a token as each client writes them: the file, its text, and what it says afterwards. */
const CLIENTS: Record<string, { text: string; after: string }> = {
  cursor: {
    text: fixture('cursor.json'),
    after: fixture('cursor.json')
      .replace('"lark": {\n      "command": "npx"', '"lark": {\n      "command": "node"')
      .replace('["-y", "@lark', '["/opt/main.js", "connect", "--", "npx", "-y", "@lark')
      .replace('"-a", "cli_a1b2c3", "-s", "APP-SECRET", "-u", "OLD-TOKEN", ', '')
      .replace('"env": { "USER_ACCESS_TOKEN": "in the environment" }', '"env": { "FEISHU_LANG": "zh" }'),
  },
  'claude-code': {
    text: fixture('claude-code.json'),
    after: fixture('claude-code.json')
      .replace(
        '"command": "npx",\n      "args": ["-y", "@lark',
        '"command": "node",\n      "args": ["/opt/main.js", "connect", "--", "npx", "-y", "@lark',
      )
      .replace('{ "APP_ID": "cli_a1b2c3", "USER_ACCESS_TOKEN": "OLD-TOKEN" }', '{ "FEISHU_LANG": "zh" }'),
  },
  'claude-desktop': {
    text: fixture('claude-desktop.json'),
    after: fixture('claude-desktop.json')
      .replace('"npx","args":["-y"', '"node","args":["/opt/main.js","connect","--","npx","-y"')
      .replace(',"--user-access-token","OLD-TOKEN"]', '],"env":{"FEISHU_LANG":"zh"}'),
  },
  windsurf: {
    text: fixture('windsurf.json'),
    after: `{
    "mcpServers": {
        "lark": {
            "command": "node",
            "args": [
                "/opt/main.js",
                "connect",
                "--tools",
                "docx.v1.document.rawContent"
            ],
            "env": {
                "FEISHU_LANG": "zh"
            }
        }
    }
}
`,
  },
  vscode: {
    text: fixture('vscode.json'),
    after: fixture('vscode.json')
      .replace('"npx", // no', '"node", // no')
      .replace(
        '\t\t\t\t"-y",\n',
        '\t\t\t\t"/opt/main.js",\n\t\t\t\t"connect",\n\t\t\t\t"--",\n\t\t\t\t"npx",\n\t\t\t\t"-y",\n',
      )
      .replace('"--user-access-token=OLD-TOKEN", ', '')
      .replace(`{ "APP_SECRET": "\${input:key}", }`, '{ "FEISHU_LANG": "zh", }'),
  },
  codex: {
    text: fixture('codex.toml'),
    after: fixture('codex.toml')
      .replace("'npx'", '"node"')
      .replace('  "-y", #', '  "/opt/main.js",\n  "connect",\n  "--",\n  "npx",\n  "-y", #')
      .replace(
        'startup_timeout_sec = 30\n',
        'startup_timeout_sec = 30\nenv_vars = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY"]\n',
      )
      .replace('APP_ID = "cli_a1b2c3"\nUSER_ACCESS_TOKEN = \'OLD-TOKEN\' #', 'FEISHU_LANG = "zh"\n#'),
  },
  gemini: {
    text: fixture('gemini.json').replaceAll('\n', '\r\n'),
    after: `{
  "theme": "Default",
  "mcpServers": {
    "lark": {
      "command": "node",
      "args": [
        "/opt/main.js",
        "connect"
      ],
      "timeout": 30000,
      "trust": false,
      "env": {
        "FEISHU_LANG": "zh"
      }
    }
  }
}
`.replaceAll('\n', '\r\n'),
  },
  cline: {
    text: server({
      autoApprove: ['fetch-doc'],
      disabled: true,
      timeout: 60,
      type: 'streamableHttp',
      url: 'https://mcp.feishu.cn/other',
      headers: { 'X-Lark-MCP-UAT': 'OLD-TOKEN', 'Content-Type': 'application/json', 'X-Team': 'a b' },
    }),
    after: server({
      autoApprove: ['fetch-doc'],
      disabled: true,
      timeout: 60,
      type: 'stdio',
      command: 'node',
      args: ['/opt/main.js', 'connect', 'https://mcp.feishu.cn/other', '--header', 'X-Team=a b'],
      env: { FEISHU_LANG: 'zh' },
    }),
  },
}

test('every client that can be a target is tried here', () => {
  expect(Object.keys(CLIENTS).sort()).toEqual(clientKinds().sort())
})

test.each(Object.entries(CLIENTS))(
  'in a real config of %s the entry becomes connect’s, and all else stays as it is written',
  async (kind, { text, after }) => {
    const home = makeHome()
    const [target] = parseTargets(`${kind}:lark`, home.machine)
    const file = String(target?.paths[0]).slice(home.path.length + 1)
    home.put(file, text)
    const one = await only(home)
    const { diff } = await planAdoption(one)
    expect(home.read(file)).toBe(text)
    await change(home)
    expect(home.read(file)).toBe(after)

    // No secret is shown or kept, and a second time there is nothing to do.
    const kept = readdirSync(home.memoryDir).map((name) => readFileSync(join(home.memoryDir, name), 'utf8'))
    expect(kept).toHaveLength(1)
    for (const secret of ['OLD-TOKEN', 'APP-SECRET', 'in the environment']) {
      expect(`${diff}${kept.join()}`).not.toContain(secret)
    }
    expect(diff).toContain('connect')
    expect(await find(home)).toEqual([])

    // What was kept says what stood there, but for the secrets: with it the change is taken back, and made again.
    const masked = JSON.stringify(entryOf(kind, text)).replaceAll(
      /OLD-TOKEN|APP-SECRET|in the environment|\$\{input:key\}/g,
      '<left out>',
    )
    expect(JSON.stringify(entryOf(kind, kept[0] ?? ''))).toBe(masked)
    home.put(file, kept[0] ?? '')
    expect((await find(home)).map(({ title }) => title)).toEqual(['lark'])
  },
)

test.each([
  [
    'one line',
    `mcp_servers.lark = { url = "${HOSTED}", http_headers = { "X-Lark-MCP-UAT" = "OLD-TOKEN" } } # mine\n`,
  ],
  ['two lines', fixture('codex-headers.toml')],
  [
    'a table of headers',
    `[mcp_servers.lark]\nurl = "${HOSTED}"\n\n[mcp_servers.lark.http_headers]\nX-Lark-MCP-UAT = "OLD-TOKEN"\n\n[next]\na = 1\n`,
  ],
  [
    'dotted keys',
    `[mcp_servers.lark]\nurl = "${HOSTED}"\nhttp_headers.X-Lark-MCP-UAT = "OLD-TOKEN"\nenabled = true\n`,
  ],
  ['arguments', fixture('codex-args.toml')],
])('the forms of TOML: %s', async (_form, text) => {
  const home = makeHome()
  home.put('.codex/config.toml', text)
  await change(home)
  const after = home.read('.codex/config.toml')
  expect(after).not.toContain('OLD-TOKEN')
  const { lark } = (parseToml(after) as { mcp_servers: Record<string, { command: string; args: string[] }> })
    .mcp_servers
  expect(lark).toMatchObject({ command: 'node', args: expect.arrayContaining(['/opt/main.js', 'connect']) })
  expect(lark).not.toHaveProperty('url')
  expect(lark).not.toHaveProperty('http_headers')
  for (const comment of text.match(/#.*/g) ?? []) expect(after).toContain(comment)
  expect(await find(home)).toEqual([])
})

test('each file of a client is looked at, with line ends of Windows too', async () => {
  const home = makeHome()
  const toml = fixture('codex.toml').replaceAll('\n', '\r\n')
  home.put('.codex/config.toml', toml)
  for (const app of ['Code', 'Code - Insiders'])
    home.put(`.config/${app}/User/mcp.json`, fixture('vscode.json'))
  const found = await find(home)
  expect(found.map(({ client }) => client.label)).toEqual(['VS Code', 'VS Code', 'Codex'])
  for (const one of found) expect(await writeAdoption(one, keeping(home))).toBeNull()
  expect(home.read('.codex/config.toml').replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  expect(await find(home)).toEqual([])
})

test('entries of Claude Code’s projects are found too', async () => {
  const home = makeHome()
  const lark = { command: 'npx', args: [...LARK_MCP, '-u', TOKEN] }
  home.put(
    '.claude.json',
    JSON.stringify({ projects: { '/home/ada/x': { mcpServers: { lark }, history: [1] } } }),
  )
  expect((await only(home)).title).toBe('projects › /home/ada/x › mcpServers › lark')
  await change(home)
  expect(JSON.parse(home.read('.claude.json'))).toEqual({
    projects: {
      '/home/ada/x': {
        mcpServers: {
          lark: {
            command: 'node',
            args: ['/opt/main.js', 'connect', '--', 'npx', ...LARK_MCP],
            env: BASE.env,
          },
        },
        history: [1],
      },
    },
  })
})

test('lark-mcp keeps its tools and its variables; token, app and address are ours', async () => {
  const entry = {
    command: 'cmd',
    args: [
      '/c',
      'npx',
      ...LARK_MCP,
      '-a',
      'cli_a1',
      `--app-secret=${SECRET}`,
      '-t',
      'preset.light',
      '-l',
      'zh',
      '-d',
      'https://open.larksuite.com',
      `-u${TOKEN}`,
    ],
    env: {
      NO_COLOR: '1',
      USER_ACCESS_TOKEN: TOKEN,
      LARK_USER_REFRESH_TOKEN: 'ur-x',
      APP_ID: 'cli_b',
      APP_SECRET: 'other',
    },
    disabled: false,
  }
  const home = makeHome()
  home.put('.cursor/mcp.json', server(entry))
  const { verdict } = await only(home)
  expect(verdict).toMatchObject({
    adoption: { app: { appId: 'cli_a1', appSecret: SECRET }, isLark: true, appByReference: false },
  })
  expect(await adopted(entry)).toEqual({
    command: 'node',
    args: [
      '/opt/main.js',
      'connect',
      '--',
      'cmd',
      '/c',
      'npx',
      ...LARK_MCP,
      '-t',
      'preset.light',
      '-l',
      'zh',
    ],
    env: { FEISHU_BRAND: 'lark', FEISHU_LANG: 'zh', NO_COLOR: '1' },
    disabled: false,
  })
})

test.each([
  [
    'OpenCode',
    { type: 'local', command: ['npx', ...LARK_MCP, '-u', TOKEN], environment: { A: '1' } },
    {
      type: 'local',
      command: ['node', '/opt/main.js', 'connect', '--', 'npx', ...LARK_MCP],
      environment: { FEISHU_LANG: 'zh', A: '1' },
    },
  ],
  [
    'OpenCode, remote',
    { type: 'remote', url: HOSTED, headers: { 'X-Lark-MCP-UAT': TOKEN }, enabled: true },
    {
      type: 'local',
      command: ['node', '/opt/main.js', 'connect'],
      environment: { FEISHU_LANG: 'zh' },
      enabled: true,
    },
  ],
  [
    'Zed before 2025',
    { command: { path: 'npx', args: LARK_MCP, env: { USER_ACCESS_TOKEN: TOKEN } }, settings: {} },
    {
      command: {
        path: 'node',
        args: ['/opt/main.js', 'connect', '--', 'npx', ...LARK_MCP],
        env: { FEISHU_LANG: 'zh' },
      },
      settings: {},
    },
  ],
  [
    'a program without arguments',
    { command: 'lark-mcp', env: { USER_ACCESS_TOKEN: TOKEN } },
    {
      command: 'node',
      args: ['/opt/main.js', 'connect', '--', 'lark-mcp'],
      env: { FEISHU_LANG: 'zh' },
    },
  ],
  [
    'an input of VS Code',
    { url: HOSTED, headers: { 'x-lark-mcp-uat': `\${input:uat}` } },
    {
      command: 'node',
      args: ['/opt/main.js', 'connect'],
      env: { FEISHU_LANG: 'zh' },
    },
  ],
  [
    'mcp-remote',
    {
      command: 'npx',
      args: [
        '-y',
        'mcp-remote@0.1',
        HOSTED,
        '--header',
        `X-Lark-MCP-UAT:\${UAT}`,
        '--header',
        'X-Team: a',
        '--debug',
      ],
      env: { UAT: TOKEN, NO_COLOR: '1' },
      timeout: 60,
    },
    {
      command: 'node',
      args: ['/opt/main.js', 'connect', '--header', 'X-Team=a'],
      env: { FEISHU_LANG: 'zh', NO_COLOR: '1' },
      timeout: 60,
    },
  ],
  [
    'the tenant’s token, and the person’s in another form',
    {
      url: HOSTED,
      headers: {
        'X-Lark-MCP-UAT': TOKEN,
        'X-Lark-MCP-TAT': 't-1',
        Authorization: `Bearer ${TOKEN}`,
        'X-Lark-MCP-Allowed-Tools': ' fetch-doc, search-doc ',
      },
    },
    {
      command: 'node',
      args: ['/opt/main.js', 'connect', '--tools', 'fetch-doc,search-doc'],
      env: { FEISHU_LANG: 'zh' },
    },
  ],
])('a form of %s', async (_name, entry, after) => {
  expect(await adopted(entry)).toEqual(after)
})

test.each([
  ['lark-mcp without a token', { command: 'npx', args: [...LARK_MCP, '-a', 'cli_a', '-s', SECRET] }],
  ['a -u of another program', { command: 'python', args: ['-u', 'server.py'] }],
  ['a variable of another program', { command: 'python', args: ['x.py'], env: { USER_ACCESS_TOKEN: TOKEN } }],
  ['an address without the header', { url: HOSTED, headers: { Authorization: `Bearer ${TOKEN}` } }],
  ['connect itself', { command: 'node', args: ['/opt/main.js', 'connect', '--', 'npx', ...LARK_MCP] }],
  [
    'mcp-remote elsewhere',
    { command: 'npx', args: ['mcp-remote', 'https://example.com', '--header', 'A:b'] },
  ],
  ['no table', 'x'],
])('%s is none of these entries', async (_name, entry) => {
  const home = makeHome()
  home.put('.cursor/mcp.json', server(entry as object))
  expect(await find(home)).toEqual([])
})

test.each([
  ['a reference', { command: 'npx', args: [...LARK_MCP, '-u', `\${env:TOKEN}`] }, /reference/],
  [
    'a reference in a header',
    { url: HOSTED, headers: { 'X-Lark-MCP-UAT': 'op://vault/token' } },
    /reference/,
  ],
  [
    'a header of mcp-remote from a variable',
    {
      command: 'mcp-remote',
      args: [HOSTED, '--header', `X-Lark-MCP-UAT:${TOKEN}`, '--header', `X-Other:\${KEY}`],
      env: { KEY: 'k' },
    },
    /X-Other/,
  ],
  ['a container', { command: 'docker', args: ['run', 'lark-openapi-mcp', '-u', TOKEN] }, /environment/],
  [
    'another host',
    { url: 'https://example.com/mcp', headers: { 'X-Lark-MCP-UAT': TOKEN } },
    /none that gets the token/,
  ],
  [
    'a secret in the address',
    { url: 'https://mcp.feishu.cn/mcp?api_key=hunter2', headers: { 'X-Lark-MCP-UAT': TOKEN } },
    /secret/,
  ],
  ['words in braces', { url: HOSTED, headers: { 'X-Lark-MCP-UAT': TOKEN, 'X-Note': 'a {token}' } }, /braces/],
  [
    'headers from elsewhere',
    { url: HOSTED, headers: { 'X-Lark-MCP-UAT': TOKEN }, headersHelper: 'x' },
    /headersHelper/,
  ],
  [
    'the token under another name',
    { command: 'npx', args: [...LARK_MCP, '-u', TOKEN], env: { MINE: TOKEN } },
    /once more/,
  ],
])('an entry is left alone: %s', async (_name, entry, why) => {
  expect(await refusal(entry)).toMatch(why)
})

test.each([
  ['lark-mcp', { command: 'npx', args: [...LARK_MCP, '-u', TOKEN] }, ['-d', 'https://open.larksuite.com']],
  [
    'mcp-remote',
    { command: 'npx', args: ['mcp-remote', HOSTED, '--header', `X-Lark-MCP-UAT:${TOKEN}`] },
    null,
  ],
  ['the hosted server', { url: HOSTED, headers: { 'X-Lark-MCP-UAT': TOKEN } }, null],
])('an entry of %s for Lark is told the brand, one for Feishu is not', async (_name, entry, more) => {
  const base: ServerEntry = { command: 'node', args: ['/opt/main.js', 'connect'] }
  expect(await adopted(entry, base)).not.toHaveProperty('env')
  const given = JSON.parse(JSON.stringify(entry).replaceAll(HOSTED, LARK))
  if (more) given.args.push(...more)
  expect(await adopted(given, base)).toMatchObject({ env: { FEISHU_BRAND: 'lark' } })
})

test('a comment with the token in it is no part of what is left', async () => {
  const home = makeHome()
  const text = `{ "mcpServers": { "lark": { "url": "${HOSTED}", /* ${TOKEN} */ "headers": { "X-Lark-MCP-UAT": "${TOKEN}" } } } }`
  home.put('.cursor/mcp.json', text)
  const one = await only(home)
  expect(String(await writeAdoption(one, keeping(home)))).toMatch(/once more/)
  expect(home.read('.cursor/mcp.json')).toBe(text)
})

test('a header with a secret of another service is told of, by its name', async () => {
  const home = makeHome()
  home.put(
    '.cursor/mcp.json',
    server({ url: HOSTED, headers: { 'X-Lark-MCP-UAT': TOKEN, 'X-Api-Key': 'hunter2', 'X-Team': 'a' } }),
  )
  const one = await only(home)
  expect(one.verdict).toMatchObject({ adoption: { exposed: ['X-Api-Key'] } })
  const { diff } = await planAdoption(one)
  expect(diff).toContain('X-Team=a')
  expect(diff).not.toContain('hunter2')
})

test('a token that does not look like one is masked all the same', async () => {
  const home = makeHome()
  home.put('.cursor/mcp.json', server({ command: 'npx', args: [...LARK_MCP, '-uplainwords'] }))
  const one = await only(home)
  expect((await planAdoption(one)).diff).not.toContain('plainwords')
  await change(home)
  const kept = readFileSync(keptAt(one, keeping(home)), 'utf8')
  expect(kept).toContain('"-u<left out>"')
  expect(kept).not.toContain('plainwords')
})

test('a server that is named twice is left alone: which of them counts is the client’s to say', async () => {
  const home = makeHome()
  const lark = JSON.stringify({ command: 'npx', args: [...LARK_MCP, '-u', TOKEN] })
  const text = `{ "mcpServers": { "lark": { "command": "first" }, "lark": ${lark} } }`
  home.put('.cursor/mcp.json', text)
  expect(String(await writeAdoption(await only(home), keeping(home)))).toMatch(/could not be changed/)
  expect(home.read('.cursor/mcp.json')).toBe(text)
})

test('what was changed since it was shown is not written', async () => {
  const home = makeHome()
  home.put('.cursor/mcp.json', server({ command: 'npx', args: [...LARK_MCP, '-u', TOKEN] }))
  const one = await only(home)
  const other = server({ command: 'npx', args: [...LARK_MCP, '-t', 'x', '-u', TOKEN] })
  home.put('.cursor/mcp.json', other)
  expect(String(await writeAdoption(one, keeping(home)))).toMatch(/meanwhile/)
  expect(home.read('.cursor/mcp.json')).toBe(other)
})

test('each run keeps what it found, also on the day of another one', async () => {
  const home = makeHome()
  const [first, second] = ['one', 'two'].map((tool) =>
    server({ command: 'npx', args: [...LARK_MCP, '-t', tool, '-u', TOKEN] }),
  )
  home.put('.cursor/mcp.json', first ?? '')
  await change(home)
  home.put('.cursor/mcp.json', second ?? '')
  const one = await only(home)
  expect(await writeAdoption(one, keeping(home, NOW + 60_000))).toBeNull()
  expect(readFileSync(keptAt(one, keeping(home)), 'utf8')).toContain('"one"')
  expect(readFileSync(keptAt(one, keeping(home, NOW + 60_000)), 'utf8')).toContain('"two"')
})

test.each([
  ['that is broken', '{ "mcpServers": { "lark-mcp"', 0o600, 'it is not valid JSON'],
  ['that is read-only', '{}', 0o400, 'EACCES: it is read-only'],
  ['in another encoding', Buffer.from([0xff, 0xfe, 0x7b]), 0o600, 'it is not UTF-8'],
])(
  'a config %s is named with the reason, and no entry is found in it',
  async (_how, content, mode, reason) => {
    const home = makeHome()
    const path = home.put('.cursor/mcp.json', content)
    chmodSync(path, mode)
    const { found, unread } = await findAdoptable(home.machine, BASE, CONNECT)
    expect(found).toEqual([])
    expect(unread.map(({ label, path, why }) => [label, resolve(path), String(why)])).toEqual([
      ['Cursor', path, reason],
    ])
  },
)
