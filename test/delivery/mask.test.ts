import { parse as parseToml } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { maskSecrets } from '../../src/delivery/mask.ts'
import { effortMs } from '../support/effort.ts'
import { clientKinds, fixture } from './home.ts'
import { makeToken } from './token.ts'

/** Every secret of these texts is written as HUSH, with whatever belongs to it. */
const left = (text: string) => text.replace(/HUSH[\w-]*/g, '<left out>')

describe('what is secret by its name', () => {
  test.each([
    ['json', '{"env": {"APP_SECRET": "HUSH", "FEISHU_APP_ID": "cli_a1"}}'],
    ['json', '{"args": ["-y", "lark-mcp", "mcp", "-a", "cli_a1", "-s", "HUSH1", "-u", "HUSH2"]}'],
    ['json', '{"args": ["--app-secret", "HUSH", "--token-mode", "user_access_token"]}'],
    ['json', '{"args": ["--app-secret=HUSH", "--user-access-token=HUSH", "--domain=https://x.example"]}'],
    ['json', '{"args": ["--api-key",\n  // the key\n  "HUSH", "next"]}'],
    ['json', '{"headers": {"Authorization": "HUSH", "X-Lark-MCP-UAT": "HUSH", "Accept": "text/plain"}}'],
    ['json', '{"headers": {"Cookie": "HUSH", "X-Api-Key": "HUSH", "x-auth-token": "HUSH"}}'],
    ['json', '{"refreshToken" : "HUSH", "clientSecret":\n"HUSH", "password": "HUSH"}'],
    ['json', '{"tokens": ["HUSH1", "HUSH2"], "other": ["open"]}'],
    ['json', '{"args": ["run", "-e", "GITHUB_TOKEN=HUSH", "-e", "LANG=C"]}'],
    ['json', '{"args": ["-H", "Authorization: Bearer HUSH"]}'],
    ['json', '{"args": ["-c", "lark-mcp mcp -a cli_a1 -s HUSH1 -u HUSH2 --oauth"]}'],
    ['json', '{"url": "https://x.example/mcp?api_key=HUSH&tools=a"}'],
    ['json', '{"url": "postgres://HUSH@db.example/feishu"}'],
    ['json', '{"pin-token": HUSH12345, "on": true}'],
    ['json', '{"env": {"APP_SECRET": "HUSH"'],
    ['toml', "[mcp_servers.lark.env]\nAPP_SECRET = 'HUSH' # kept\nLANG = 'C'\n"],
    ['toml', 'env = { "APP_SECRET" = "HUSH", LANG = "C" }\nargs = ["-s", """HUSH"""]\n'],
    ['toml', 'http_headers = { "X-Lark-MCP-UAT" = "HUSH", Accept = "x" }\n# old_token = "HUSH"\n'],
    ['dotenv', 'A=1\nexport APP_SECRET=HUSH\nTOKEN="HUSH"\nB=2 # note\n'],
    ['dotenv', "# TOKEN=HUSH\r\nAPI_KEY='HUSH'\r\nURL=https://HUSH@x.example\r\n"],
    ['dotenv', 'DB_PASSWORD=\nAPP_SECRET=HUSH\n'],
  ])('%s %j', (format, text) => {
    const expected = left(text)
    expect(maskSecrets(text, format)).toBe(expected)
    expect(maskSecrets(expected, format)).toBe(expected)
  })
})

test.each([
  makeToken('a name that says nothing').accessToken,
  `u-${'Ab1_'.repeat(6)}`,
  `ur-${'Ab1_'.repeat(6)}`,
  `t-g${'104'.repeat(8)}ABC`,
  'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
  'sk-proj-abcdefghijklmnop1234',
  '0123456789abcdef0123456789abcdef',
])('what looks like a secret is left out wherever it stands: %s', (secret) => {
  for (const text of [`{"x": "${secret}"}`, `{"args": ["${secret}"]}`, `// ${secret}\n{}`, `X=${secret}\n`]) {
    expect(maskSecrets(text, text.startsWith('X') ? 'dotenv' : 'json')).toBe(
      text.replace(secret, '<left out>'),
    )
  }
})

test('what we know to be a secret is left out, whatever it looks like', () => {
  expect(maskSecrets('{"a": "plain word", "b": "xplain wordx"}', 'json', ['plain word'])).toBe(
    '{"a": "<left out>", "b": "x<left out>x"}',
  )
})

test('a mask keeps the number of lines', () => {
  const pem = '-----BEGIN PRIVATE KEY-----\nMIIE\nabc=\n-----END PRIVATE KEY-----'
  for (const [format, text] of [
    ['dotenv', `A=1\nTLS_KEY="${pem}"\nB=2\n`],
    ['toml', `a = 1\nnotes = """\n${pem}\n"""\nb = 2\n`],
  ] as const) {
    const masked = maskSecrets(text, format)
    expect(masked).not.toMatch(/MIIE|abc=/)
    expect(masked.split('\n')).toHaveLength(text.split('\n').length)
  }
})

test('what is no secret stays, in every client’s own file', () => {
  const files = ['cursor.json', 'claude-code.json', 'claude-desktop.json', 'windsurf.json', 'vscode.json']
  for (const name of [...files, 'gemini.json', 'cline.json', 'codex.toml', 'codex-args.toml']) {
    const text = fixture(name)
    const masked = maskSecrets(text, name.endsWith('.toml') ? 'toml' : 'json')
    expect(masked).not.toMatch(/OLD-TOKEN|APP-SECRET|not-ours/)
    const secrets =
      /OLD-TOKEN|APP-SECRET|not-ours|the project's own|in the environment|example(?=" \})|(?<="-u", ")[\w.]+/g
    expect(masked.replaceAll('<left out>', '')).toBe(text.replace(secrets, '').replace(/\$\{input:key\}/, ''))
  }
  expect(clientKinds()).toHaveLength(8)
})

test('a masked config is a config still', () => {
  expect(parseToml(maskSecrets(fixture('codex-args.toml'), 'toml'))).toMatchObject({
    mcp_servers: { lark: { command: 'npx', args: expect.arrayContaining(['-u', '<left out>']) } },
  })
  expect(JSON.parse(maskSecrets(fixture('cursor.json'), 'json'))).toHaveProperty('mcpServers.lark')
})

test('our own entry is shown as it is', () => {
  const env = { FEISHU_TOKEN_DIR: '/x', FEISHU_TOKEN_KEY_SOURCE: 'file', FEISHU_TOKEN_ENDPOINT: 'v3' }
  const text = JSON.stringify({ mcpServers: { 'feishu-token': { command: 'feishu-token-mcp', env } } })
  expect(maskSecrets(text, 'json')).toBe(text)
})

test.each([
  ['hyphens', 'a-'.repeat(60_000)],
  ['base64url', 'Zm9v_YmFy-YmF6.'.repeat(20_000)],
])('a long row of %s takes no time that grows with its square', (_, row) => {
  const effort = effortMs(() => void maskSecrets(JSON.stringify({ note: row }), 'json'))
  // Tried at each character it takes more than ten seconds.
  expect(effort).toBeLessThan(2_000)
})
