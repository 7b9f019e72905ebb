import fc from 'fast-check'
import { parse as parseToml, stringify as stringifyToml } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { applyEdit, type Edit, type EditRefusal, isEditRefusal } from '../../src/delivery/edit.ts'
import { editMcpJson } from '../../src/delivery/mcp-json.ts'
import { editMcpToml } from '../../src/delivery/mcp-toml.ts'
import { fixture } from './home.ts'
import { makeToken } from './token.ts'

const TOKEN = makeToken('new').accessToken
const JSON_KEYS = ['mcpServers', 'servers', 'context_servers', 'amp.mcpServers', 'mcp']

function find(format: 'json' | 'toml', text: string, server = 'lark'): Promise<Edit | EditRefusal> {
  return format === 'json'
    ? editMcpJson(text, { topKeys: JSON_KEYS, server, giveUpAt: Number.POSITIVE_INFINITY }, TOKEN)
    : editMcpToml(text, 'mcp_servers', server, TOKEN)
}

async function edit(format: 'json' | 'toml', text: string, server = 'lark'): Promise<string> {
  const found = await find(format, text, server)
  if (isEditRefusal(found)) throw new Error(String(found.refused))
  return applyEdit(text, found.spans)
}

async function refusal(format: 'json' | 'toml', text: string): Promise<string> {
  const found = await find(format, text)
  return isEditRefusal(found) ? String(found.refused) : `edited ${found.place}`
}

const server = (entry: object) => JSON.stringify({ mcpServers: { lark: entry } })

describe.each([
  ['cursor.json', 'json', 'mcpServers.lark.args["-u"]'],
  ['claude-code.json', 'json', 'mcpServers.lark.env.USER_ACCESS_TOKEN'],
  ['claude-desktop.json', 'json', 'mcpServers.lark.args["--user-access-token"]'],
  ['windsurf.json', 'json', 'mcpServers.lark.headers.X-Lark-MCP-UAT'],
  ['vscode.json', 'json', 'servers.lark.args["--user-access-token"]'],
  ['gemini.json', 'json', 'mcpServers.lark.headers.x-lark-mcp-uat'],
  ['cline.json', 'json', 'mcpServers.lark.env.LARK_USER_ACCESS_TOKEN'],
  ['codex.toml', 'toml', 'mcp_servers.lark.env.USER_ACCESS_TOKEN'],
  ['codex-inline.toml', 'toml', 'mcp_servers.lark.env.FEISHU_USER_ACCESS_TOKEN'],
  ['codex-args.toml', 'toml', 'mcp_servers.lark.args["-u"]'],
  ['codex-headers.toml', 'toml', 'mcp_servers.lark.http_headers.X-Lark-MCP-UAT'],
] as const)('%s', (file, format, place) => {
  const text = fixture(file)
  const variants = {
    'as it is': text,
    'with CRLF': text.replaceAll('\n', '\r\n'),
    'with tabs': text.replace(/^ +/gm, (indent) => '\t'.repeat(indent.length / 2)),
    'without its last line end': text.trimEnd(),
  }
  test.each(Object.entries(variants))('%s: only the value’s bytes change', async (_name, variant) => {
    expect(await find(format, variant)).toMatchObject({ place, value: 'OLD-TOKEN' })
    expect(await edit(format, variant)).toBe(variant.replace('OLD-TOKEN', TOKEN))
  })

  test('cut short anywhere before the value, it is never edited', async () => {
    for (let length = 0; length <= text.indexOf('OLD-TOKEN'); length += 7) {
      expect(await refusal(format, text.slice(0, length))).not.toMatch(/^edited/)
    }
  })
})

test('a JSON text cut short anywhere is refused', async () => {
  const text = fixture('vscode.json').trimEnd()
  for (let length = 0; length < text.length; length += 3) {
    expect(await find('json', text.slice(0, length))).toHaveProperty('refused')
  }
})

test('an independent TOML reader finds the new value and nothing else changed', async () => {
  for (const file of ['codex.toml', 'codex-inline.toml', 'codex-args.toml', 'codex-headers.toml']) {
    const text = fixture(file)
    const options = { integersAsBigInt: 'asNeeded' } as const
    const before = JSON.stringify(parseToml(text, options), (_key, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : value,
    )
    const after = JSON.stringify(parseToml(await edit('toml', text), options), (_key, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : value,
    )
    expect(after).toBe(before.replace('OLD-TOKEN', TOKEN))
  }
})

test.each([
  ['-u in two words', { command: 'lark-mcp', args: ['mcp', '-u', 'OLD'] }, 'args["-u"]'],
  ['-u in one word', { args: ['@larksuiteoapi/lark-mcp@1.2.3', 'mcp', '-u=OLD'] }, 'args["-u"]'],
  ['the long option in two words', { args: ['--user-access-token', 'OLD'] }, 'args["--user-access-token"]'],
  ['the long option in one word', { args: ['--user-access-token=OLD'] }, 'args["--user-access-token"]'],
  ['an empty value', { args: ['--user-access-token='] }, 'args["--user-access-token"]'],
  [
    'arguments before the environment',
    { args: ['lark-mcp', '-u', 'OLD'], env: { USER_ACCESS_TOKEN: 'x' } },
    'args["-u"]',
  ],
  [
    'names in their order',
    { env: { LARK_USER_ACCESS_TOKEN: 'x', FEISHU_USER_ACCESS_TOKEN: 'OLD' } },
    'env.FEISHU_USER_ACCESS_TOKEN',
  ],
  ['a rarer name', { env: { FEISHU_MCP_UAT: 'OLD' } }, 'env.FEISHU_MCP_UAT'],
  [
    'the environment before headers',
    { env: { USER_ACCESS_TOKEN: 'OLD' }, headers: { 'X-Lark-MCP-UAT': 'x' } },
    'env.USER_ACCESS_TOKEN',
  ],
  [
    'Python’s -u is another option',
    { command: '/usr/bin/python3.12', args: ['-u', 'server.py'], env: { USER_ACCESS_TOKEN: 'OLD' } },
    'env.USER_ACCESS_TOKEN',
  ],
  [
    'Docker’s -u is another option, lark-mcp’s is not',
    { command: 'docker', args: ['run', '-u', '1000', 'larksuite/lark-mcp', 'mcp', '-u', 'OLD'] },
    'args["-u"]',
  ],
])('the place is found: %s', async (_name, entry, place) => {
  expect(await find('json', server(entry))).toMatchObject({ place: `mcpServers.lark.${place}` })
})

const FOREIGN: [string, string, string[]][] = [
  ['wsl', 'wsl.exe', ['-u', 'ada', 'node', 'server.js']],
  ['docker compose', 'docker', ['compose', '-f', 'feishu.yml', 'exec', '-u', 'node', 'lark', 'server']],
  ['a container named lark-mcp', 'docker', ['run', '--name', 'lark-mcp', '-u', '1000', 'image']],
  [
    'a project named lark-mcp',
    'docker',
    ['compose', '-p', 'lark-mcp', 'exec', '-u', 'node', 'app', 'server'],
  ],
  ['chpst', 'chpst', ['-u', 'ada', 'feishu-server']],
  ['sudo', 'sudo', ['-u', 'ada', 'lark-server']],
  ['uv', 'uv', ['run', 'python', '-u', 'lark_server.py']],
  ['a program that nobody knows', '/opt/lark/bin/start', ['-u', 'ada']],
]

test.each(FOREIGN)('a -u of another program is never the token’s: %s', async (_name, command, args) => {
  const env = { USER_ACCESS_TOKEN: 'OLD' }
  const text = server({ command, args, env })
  expect(await edit('json', text)).toBe(text.replace('OLD', TOKEN))
  expect(await refusal('json', server({ command, args }))).toMatch(
    /no place.*its -u may be another program's/,
  )
})

test('a -u that nobody knows is the token’s where its value is a token', async () => {
  for (const value of [`u-${'Ab1'.repeat(9)}`, makeToken('old').accessToken]) {
    const text = server({ command: 'lark-server', args: ['-u', value], env: { USER_ACCESS_TOKEN: 'x' } })
    expect(await edit('json', text)).toBe(text.replace(value, TOKEN))
  }
})

test.each([
  ['OpenCode', { mcp: { lark: { command: ['npx', '-y', '@larksuiteoapi/lark-mcp', 'mcp', '-u', 'OLD'] } } }],
  [
    'OpenCode',
    { mcp: { lark: { type: 'local', command: ['x'], environment: { USER_ACCESS_TOKEN: 'OLD' } } } },
  ],
  ['Zed', { context_servers: { lark: { command: 'x', env: { USER_ACCESS_TOKEN: 'OLD' } } } }],
  [
    'Zed before 2025',
    { context_servers: { lark: { command: { path: 'x', args: [], env: { USER_ACCESS_TOKEN: 'OLD' } } } } },
  ],
])('a form of %s is found', async (_name, config) => {
  const text = JSON.stringify(config)
  expect(await edit('json', text)).toBe(text.replace('OLD', TOKEN))
})

test.each([
  'op://vault/item/token',
  'encrypted:BASE64==',
  'vault:secret/data/feishu#token',
  'ref+vault://secret/feishu#/token',
  'keyring:feishu/token',
  'file:///run/secrets/token',
  'secretref:feishu',
  'ENC[AES256_GCM,data:x]',
  '#{TOKEN}#',
])('%s is a reference to what another program resolves', async (value) => {
  expect(await refusal('json', server({ env: { USER_ACCESS_TOKEN: value } }))).toMatch(/reference/)
})

test('no token that Feishu issues looks like a reference', async () => {
  for (const value of ['OLD', `u-${'x'.repeat(30)}`, TOKEN, 'a.b~c+d/e-_f==']) {
    expect(await find('json', server({ env: { USER_ACCESS_TOKEN: value } }))).toHaveProperty('value', value)
  }
})

test.each([
  ['an option without value', { args: ['lark-mcp', '-u'] }, /no value/],
  ['an option before another', { args: ['lark-mcp', '-u', '--oauth'] }, /no value/],
  ['two options', { args: ['lark-mcp', '-u', 'a', '--user-access-token=b'] }, /more than once/],
  ['a reference', { args: ['lark-mcp', '-u', `\${env:USER_ACCESS_TOKEN}`] }, /reference/],
  ['a reference with a default', { env: { USER_ACCESS_TOKEN: `\${TOKEN:-x}` } }, /reference/],
  ['a short reference', { env: { USER_ACCESS_TOKEN: '$TOKEN' } }, /reference/],
  ['a reference to a file', { headers: { 'X-Lark-MCP-UAT': `\${file:/run/token}` } }, /reference/],
  ['a reference of Windows', { env: { USER_ACCESS_TOKEN: '%TOKEN%' } }, /reference/],
  [
    'a reference that hides a literal',
    { args: ['lark-mcp', '-u', '$T'], env: { USER_ACCESS_TOKEN: 'literal' } },
    /reference/,
  ],
  ['a value that is no string', { env: { USER_ACCESS_TOKEN: null } }, /not a string/],
  ['a header given twice', { headers: { 'X-Lark-MCP-UAT': 'a', 'x-lark-mcp-uat': 'b' } }, /more than once/],
  ['no place', { command: 'npx', args: ['x'] }, /no place/],
  ['a refresh token’s name is no place', { env: { FEISHU_REFRESH_TOKEN: 'x' } }, /no place/],
  ['forwarded variables', { env_vars: ['USER_ACCESS_TOKEN'] }, /from the environment/],
])('an entry is refused: %s', async (_name, entry, why) => {
  expect(await refusal('json', server(entry))).toMatch(why)
})

test.each([
  ['not JSON', '{"mcpServers": {"lark": {]}', /not valid JSON \(line 1\)/],
  ['two documents', `${server({ args: ['-u', 'x'] })}${server({})}`, /not valid JSON/],
  ['no object', '[1]', /no server "lark"/],
  ['no servers', '{}', /no server "lark"/],
  ['another server', '{"mcpServers": {"Lark": {}, "docs": {}}}', /no server "lark".*it has "Lark", "docs"/],
  ['servers in a list', '{"mcpServers": [{"lark": {"args": ["-u", "x"]}}]}', /no server/],
  ['an entry that is no object', '{"mcpServers": {"lark": "x", "b": {}}}', /not an object/],
  [
    'Claude Code’s local scope',
    '{"mcpServers": {}, "projects": {"/home/ada": {"mcpServers": {"lark": {"env": {"USER_ACCESS_TOKEN": "x"}}}}}}',
    /no server "lark".*is under projects › \/home\/ada › mcpServers, where nothing is delivered/,
  ],
  [
    'a server in a list',
    '{"profiles": [{"mcpServers": {"lark": {}}}]}',
    /is under profiles › \[\] › mcpServers/,
  ],
  ['nested elsewhere', '{"projects": {"mcpServers": {"lark": {"args": ["-u", "x"]}}}}', /no server/],
  ['servers twice', '{"mcpServers": {"lark": {"args": ["-u", "x"]}}, "mcpServers": {}}', /more than once/],
  [
    'the server twice',
    '{"mcpServers": {"lark": {"args": ["-u", "x"]}, "lark": {"args": ["-u", "y"]}}}',
    /more than once/,
  ],
  [
    'the server under two keys',
    '{"mcpServers": {"lark": {"args": ["-u", "x"]}}, "servers": {"lark": {"args": ["-u", "y"]}}}',
    /more than once/,
  ],
  [
    'the name twice',
    '{"mcpServers": {"lark": {"env": {"USER_ACCESS_TOKEN": "x", "USER_ACCESS_TOKEN": "y"}}}}',
    /more than once/,
  ],
  [
    'the name twice, once escaped',
    '{"mcpServers": {"lark": {"env": {"USER_ACCESS_TOKEN": "x", "USER\\u005fACCESS_TOKEN": "y"}}}}',
    /more than once/,
  ],
  [
    'an inherited entry',
    '{"mcpServers": {"lark": {"__proto__": {"env": {"USER_ACCESS_TOKEN": "x"}}}}}',
    /no place/,
  ],
])('a JSON text is refused: %s', async (_name, text, why) => {
  expect(await refusal('json', text)).toMatch(why)
})

test.each([
  ['not TOML', 'a = 1\n[mcp_servers.lark\nb = 2\n', /not valid TOML \(line [23]\)/],
  ['a table twice', '[mcp_servers.lark]\nargs=["-u","x"]\n[mcp_servers.lark]\n', /not valid TOML \(line 3\)/],
  [
    'a key twice',
    '[mcp_servers.lark.env]\nUSER_ACCESS_TOKEN="x"\nUSER_ACCESS_TOKEN="y"\n',
    /not valid TOML \(line 3\)/,
  ],
  ['no servers', 'model = "x"\n', /no server "lark"/],
  ['a list of tables', '[[mcp_servers.lark]]\nargs=["-u","x"]\n', /not an object/],
  ['forwarded variables', '[mcp_servers.lark]\nenv_vars=["USER_ACCESS_TOKEN"]\n', /from the environment/],
  ['too large', `# ${'x'.repeat(150_000)}\n[mcp_servers.lark]\n`, /too large/],
  ['a key of many parts', `a${'.a'.repeat(20_000)} = 1\n[mcp_servers.lark]\n`, /nested too deeply/],
  ['a quoted key of many parts', `a${'."a"'.repeat(20_000)} = 1\n`, /nested too deeply/],
  ['lists in lists', `a = ${'['.repeat(500)}${']'.repeat(500)}\n`, /nested too deeply/],
  ['tables in tables', `a = ${'{a='.repeat(500)}1${'}'.repeat(500)}\n`, /nested too deeply/],
  [
    'a server of a profile',
    '[profiles.work.mcp_servers.lark]\nargs=["--user-access-token","x"]\n',
    /is under profiles\.work\.mcp_servers/,
  ],
])('a TOML text is refused: %s', async (_name, text, why) => {
  expect(await refusal('toml', text)).toMatch(why)
})

test('a refusal quotes no value of the file', async () => {
  const text = '[mcp_servers.lark.env]\nUSER_ACCESS_TOKEN = "SECRET" "SECRET"\n'
  expect(await refusal('toml', text)).not.toContain('SECRET')
})

/** Names and values that are likely to collide with what is looked for. */
const word = fc.oneof(
  fc.constantFrom(
    'mcpServers',
    'lark',
    'env',
    'args',
    '-u',
    'USER_ACCESS_TOKEN',
    'headers',
    '__proto__',
    '"',
  ),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
)
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, 12345678901234567000, -0.5),
    word,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(word, tie('value'), { maxKeys: 4 }),
  ),
})).value
const table = fc.dictionary(word, json, { maxKeys: 4 })

function shuffled(...parts: object[]): Record<string, unknown> {
  return Object.assign({}, ...parts) as Record<string, unknown>
}

test('whatever else a JSON config holds, parse(edit(x)) is x but for the place', async () => {
  const config = fc.record({ before: table, after: table, servers: table, entry: table, env: table })
  await fc.assert(
    fc.asyncProperty(
      config,
      fc.constantFrom(undefined, 1, '\t'),
      fc.boolean(),
      async (parts, indent, crlf) => {
        const env = shuffled(parts.env, { USER_ACCESS_TOKEN: 'old "value"' })
        const lark = shuffled(parts.entry, { args: ['x'], env })
        const { servers: _servers, 'amp.mcpServers': _amp, ...rest } = shuffled(parts.before, parts.after)
        const data = { ...rest, mcpServers: shuffled(parts.servers, { lark }) }
        const plain = JSON.stringify(data, null, indent)
        const text = crlf ? plain.replaceAll('\n', '\r\n') : plain
        const result = await edit('json', text)
        env.USER_ACCESS_TOKEN = TOKEN
        expect(JSON.parse(result)).toEqual(JSON.parse(JSON.stringify(data)))
        expect(result).toBe(text.replace('old \\"value\\"', TOKEN))
      },
    ),
    { numRuns: 300 },
  )
})

test('whatever else a TOML config holds, parse(edit(x)) is x but for the place', async () => {
  const name = fc.oneof(
    fc.constantFrom('mcp_servers', 'lark', 'env', 'a.b', 'args', "'", '"'),
    fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 6 }),
  )
  const leaf = fc.oneof(name, fc.boolean(), fc.integer(), fc.array(name, { maxLength: 3 }))
  const tables = fc.dictionary(name, fc.oneof(leaf, fc.dictionary(name, leaf, { maxKeys: 3 })), {
    maxKeys: 4,
  })
  await fc.assert(
    fc.asyncProperty(tables, tables, tables, async (root, servers, variables) => {
      const env = { ...variables, USER_ACCESS_TOKEN: 'the old value' }
      const data = { ...root, mcp_servers: { ...servers, lark: { command: 'npx', env } } }
      const text = stringifyToml(data)
      const result = await edit('toml', text)
      env.USER_ACCESS_TOKEN = TOKEN
      expect(parseToml(result)).toEqual(parseToml(stringifyToml(data)))
      expect(result).toBe(text.replace('the old value', TOKEN))
    }),
    { numRuns: 200 },
  )
})
