import { chmodSync, lstatSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { diffChars } from 'diff'
import { expect, onTestFinished, test } from 'vitest'
import { inJson } from '../../src/answers.ts'
import { insertEntry, type ServerEntry } from '../../src/delivery/add-entry.ts'
import { type Client, findClients, planEntry, writeEntry } from '../../src/delivery/client-config.ts'
import { parseTargets, type Target } from '../../src/delivery/targets.ts'
import { NO_LINKS, OWN_FILE, testIf } from '../support/needs.ts'
import { clientKinds, fixture, type Home, makeHome } from './home.ts'
import { NOW } from './token.ts'

const ENTRY: ServerEntry = {
  command: 'npx',
  args: ['-y', 'feishu-token-mcp'],
  env: { FEISHU_SCOPES: 'a "b"' },
}

function targetOf(kind: string, name = 'feishu-token'): Target {
  const [target] = parseTargets(`${kind}:${name}`, { platform: 'linux', home: '/home/x', environment: {} })
  if (!target) throw new Error(`no target ${kind}`)
  return target
}

test('every client that can be a target is offered', () => {
  const home = makeHome()
  const expected = clientKinds().map((kind) => {
    const [target] = parseTargets(`${kind}:feishu-token`, home.machine)
    return home.put(String(target?.paths[0]).slice(home.path.length + 1), '{}')
  })
  const found = findClients(home.machine, 'feishu-token', ENTRY).flatMap(({ target }) => target.paths)
  expect(found.map((path) => resolve(path)).sort()).toEqual(expected.sort())
})

function only(home: Home, label: string): Client {
  const client = findClients(home.machine, 'feishu-token', ENTRY).find((each) => each.label === label)
  if (!client) throw new Error(`${label} was not found`)
  return client
}

test.each([
  ['cursor', 'cursor.json'],
  ['claude-code', 'claude-code.json'],
  ['claude-desktop', 'claude-desktop.json'],
  ['windsurf', 'windsurf.json'],
  ['vscode', 'vscode.json'],
  ['codex', 'codex.toml'],
  ['codex', 'codex-args.toml'],
  ['gemini', 'gemini.json'],
  ['cline', 'cline.json'],
])('in a real config of %s (%s) the entry is added and every other character stays', async (kind, file) => {
  const before = fixture(file).replace(/^\ufeff/, '')
  const result = await insertEntry(before, targetOf(kind), ENTRY)
  if (result.kind !== 'insert') throw new Error(JSON.stringify(result))
  expect(diffChars(before, result.text).filter(({ removed }) => removed)).toEqual([])
  expect(result.text).toContain('feishu-token')
  // A second time there is nothing to do.
  expect(await insertEntry(result.text, targetOf(kind), ENTRY)).toEqual({ kind: 'present' })
})

test.each([
  [
    '{}',
    '{\n  "mcpServers": {\n    "feishu-token": {\n      "command": "x",\n      "args": []\n    }\n  }\n}',
  ],
  ['{\n\t"a": 1 // note\n}\n', '{\n\t"a": 1, // note\n\t"mcpServers": {'],
  ['{\r\n    "mcpServers": {}\r\n}\r\n', '{\r\n    "mcpServers": {\r\n        "feishu-token": {\r\n'],
  ['{\n  "mcpServers": {\n    "a": {},\n  },\n}\n', '"a": {},\n    "feishu-token": {\n'],
  [' \n', '{\n  "mcpServers": {\n'],
])('the text %j keeps its indentation, line ends, comments and commas', async (before, part) => {
  const result = await insertEntry(before, targetOf('cursor'), { command: 'x', args: [] })
  expect(result).toMatchObject({ kind: 'insert', text: expect.stringContaining(part) })
})

test.each([
  ['cursor', '{ "mcpServers": {', 'not valid JSON'],
  ['cursor', '[]', 'not an object'],
  ['cursor', '{"mcpServers": []}', 'not an object'],
  ['cursor', '{"mcpServers": {}, "mcpServers": {}}', 'more than once'],
  ['codex', 'a = = "secret"', 'not valid TOML'],
  ['codex', 'mcp_servers = { a = { command = "x" } }\n', 'could not be added'],
  ['codex', 'mcp_servers = 1\n', 'not an object'],
])('a config of %s with %j is left alone', async (kind, text, why) => {
  const result = await insertEntry(text, targetOf(kind), ENTRY)
  expect(inJson(result)).toMatchObject({ kind: 'refused', why: expect.stringContaining(why) })
})

test('the diff shows the entry and the lines around it, and no secret of them', async () => {
  const home = makeHome()
  home.put(
    '.cursor/mcp.json',
    '{\n  "mcpServers": {\n    "other": { "env": { "KEY": "somebody-s-secret" } }\n  }\n}\n',
  )
  const { diff } = await planEntry(only(home, 'Cursor'))
  const path = join(home.path, '.cursor/mcp.json')
  expect(diff.split('\n').slice(0, 7)).toEqual([
    `--- ${path}`,
    `+++ ${path}`,
    '@@ -1,5 +1,15 @@ feishu-token',
    ' {',
    '   "mcpServers": {',
    '-    "other": { "env": { "KEY": "<left out>" } }',
    '+    "other": { "env": { "KEY": "<left out>" } },',
  ])
  expect(diff).toContain('\n+    "feishu-token": {\n')
  expect(diff).not.toContain('somebody')
})

test('a profile with a dot in its name makes a quoted TOML table', async () => {
  const result = await insertEntry('', targetOf('codex', 'feishu-token-a.b'), ENTRY)
  expect(result).toMatchObject({
    kind: 'insert',
    text: expect.stringContaining('[mcp_servers."feishu-token-a.b"]'),
  })
})

test('clients are found by their file or their folder; the others are not offered', () => {
  const home = makeHome()
  expect(findClients(home.machine, 'feishu-token', ENTRY)).toEqual([])
  home.put('.claude.json', '{}')
  home.put('.cursor/other.json', '{}')
  home.put('.codex/config.toml', '')
  const found = findClients(home.machine, 'feishu-token', ENTRY)
  expect(found.map(({ label }) => label)).toEqual(['Claude Code', 'Cursor', 'Codex'])
  expect(found[0]?.entry).toMatchObject({ type: 'stdio', command: 'npx' })
  expect(found[2]?.entry).toMatchObject({ startup_timeout_sec: 30, env_vars: expect.any(Array) })
})

test('a client of the terminal that was never run is found by its program, and its config is made with a yes', async () => {
  const home = makeHome()
  const { platform } = process
  const ending = platform === 'win32' ? '.exe' : ''
  const programs = ['claude', 'codex', 'gemini'].map((name) => home.put(`bin/${name}${ending}`, ''))
  const environment = { PATH: `relative${delimiter}${join(home.path, 'bin')}` }
  const machine = { ...home.machine, platform, environment }
  if (platform !== 'win32') {
    // What cannot be run is no program.
    expect(findClients(machine, 'feishu-token', ENTRY)).toEqual([])
    for (const program of programs) chmodSync(program, 0o755)
  }
  const found = findClients(machine, 'feishu-token', ENTRY)
  expect(found.map(({ target }) => target.paths.map((path) => path.slice(home.path.length + 1)))).toEqual([
    ['.claude.json'],
    [join('.codex', 'config.toml')],
    [join('.gemini', 'settings.json')],
  ])
  for (const client of found) {
    expect((await planEntry(client)).insertion.kind).toBe('insert')
    expect(await writeEntry(client, { memoryDir: home.memoryDir, now: NOW })).toBeNull()
    expect((await planEntry(client)).insertion).toEqual({ kind: 'present' })
  }
  expect(JSON.parse(home.read('.claude.json')).mcpServers['feishu-token']).toMatchObject({ command: 'npx' })
})

test('Codex hands on the way to the network by name, the others have it in the entry', () => {
  const home = makeHome()
  home.put('.cursor/mcp.json', '{}')
  home.put('.codex/config.toml', '')
  const environment = { HTTPS_PROXY: 'http://proxy:1', NODE_EXTRA_CA_CERTS: '/ca.pem' }
  const base = { ...ENTRY, env: { ...ENTRY.env, ...environment } }
  const found = findClients({ ...home.machine, environment }, 'feishu-token', base)
  expect(found.map(({ entry }) => entry.env)).toEqual([base.env, ENTRY.env])
  expect(found[1]?.entry.env_vars).toEqual(expect.arrayContaining(['HTTPS_PROXY', 'NODE_EXTRA_CA_CERTS']))
})

test('for a user without a home directory no client is found', () => {
  const home = makeHome()
  home.put('.cursor/mcp.json', '{}')
  const cwd = process.cwd()
  process.chdir(home.path)
  onTestFinished(() => process.chdir(cwd))
  expect(findClients({ ...home.machine, home: '' }, 'feishu-token', ENTRY)).toEqual([])
})

testIf(NO_LINKS)(
  'a plan writes nothing; the write keeps links and modes tight, and leaves a backup',
  async () => {
    const home = makeHome()
    const text = '{\n  "mcpServers": {},\n  "env": { "APP_SECRET": "HUSH" }, "args": ["-s", "HUSH"]\n}\n'
    const real = home.put('dotfiles/mcp.json', text)
    home.put('.cursor/other', '')
    symlinkSync(real, join(home.path, '.cursor/mcp.json'))
    const client = only(home, 'Cursor')
    expect(await planEntry(client)).toMatchObject({ path: real, insertion: { kind: 'insert' } })
    expect(home.read('dotfiles/mcp.json')).toBe(text)

    const options = { memoryDir: home.memoryDir, now: NOW }
    expect(await writeEntry(client, options)).toBeNull()
    expect(JSON.parse(home.read('dotfiles/mcp.json'))).toMatchObject({
      mcpServers: { 'feishu-token': ENTRY },
    })
    expect(lstatSync(join(home.path, '.cursor/mcp.json')).isSymbolicLink()).toBe(true)
    expect(lstatSync(real).mode & 0o777).toBe(OWN_FILE)
    const [backup = ''] = readdirSync(home.memoryDir)
    expect(readFileSync(join(home.memoryDir, backup), 'utf8')).toBe(text.replaceAll('HUSH', '<left out>'))
    expect((await planEntry(client)).insertion).toEqual({ kind: 'present' })
  },
)

test('a client without a config gets one, with a byte order mark an old one keeps it', async () => {
  const home = makeHome()
  home.put('.cursor/other', '')
  const client = only(home, 'Cursor')
  expect((await planEntry(client)).diff).toMatch(/^--- \/dev\/null\n/)
  expect(await writeEntry(client, { memoryDir: home.memoryDir, now: NOW })).toBeNull()
  expect(JSON.parse(home.read('.cursor/mcp.json'))).toEqual({ mcpServers: { 'feishu-token': ENTRY } })

  home.put('.gemini/settings.json', '\ufeff{}\n')
  expect(await writeEntry(only(home, 'Gemini CLI'), { memoryDir: home.memoryDir, now: NOW })).toBeNull()
  expect(home.read('.gemini/settings.json')).toMatch(/^\ufeff\{\n {2}"mcpServers"/)
})

test('what another program writes between the plan and the yes is kept', async () => {
  const home = makeHome()
  home.put('.claude.json', '{}')
  const client = only(home, 'Claude Code')
  await planEntry(client)
  home.put('.claude.json', '{\n  "projects": { "/x": 1 }\n}\n')
  expect(await writeEntry(client, { memoryDir: home.memoryDir, now: NOW })).toBeNull()
  expect(JSON.parse(home.read('.claude.json'))).toMatchObject({
    projects: { '/x': 1 },
    mcpServers: { 'feishu-token': { type: 'stdio' } },
  })
})
