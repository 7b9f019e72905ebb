import { expect, onTestFinished, test } from 'vitest'
import { openChild, readChildWishes } from '../../src/hand-over/child.ts'
import { PROGRAMS } from '../../src/hand-over/programs.ts'
import { makeDeps, seed, type World } from '../support/deps.ts'

const COMMAND = { command: 'feishu-token-mcp' }

async function authorized(env: Record<string, string> = {}): Promise<World> {
  const world = await makeDeps({ env })
  await seed(world)
  return world
}

type Wanted = { for?: string; env?: string[]; noGateway?: boolean }

async function environmentOf(
  { deps }: World,
  wanted: Wanted,
  inherited: Record<string, string> = {},
): Promise<NodeJS.ProcessEnv> {
  const wishes = readChildWishes(COMMAND, { noGateway: false, needsGateway: false, ...wanted })
  const child = await openChild(deps, { profile: 'default', inherited, wishes })
  onTestFinished(() => child.gateway?.close())
  return child.environment
}

test('lark-cli gets the token itself beside the App ID, and on Lark the brand', async () => {
  const world = await authorized()
  const outer = {
    LARKSUITE_CLI_BRAND: 'lark',
    LARKSUITE_CLI_USER_ACCESS_TOKEN_FILE: '/some/file',
    LARKSUITE_CLI_APP_ID_FILE: '/some/file',
  }
  const env = await environmentOf(world, { for: 'lark-cli' }, outer)
  const token = String(env.LARKSUITE_CLI_USER_ACCESS_TOKEN)
  expect(world.sandbox.inspect(token)).toMatchObject({ kind: 'access_token', status: 'live' })
  expect(env.LARKSUITE_CLI_APP_ID).toBe(world.sandbox.app.appId)
  expect(Object.keys(env).filter((name) => name.startsWith('LARKSUITE_'))).toHaveLength(2)
  const lark = await authorized({ FEISHU_BRAND: 'lark' })
  expect((await environmentOf(lark, { for: 'lark-cli' })).LARKSUITE_CLI_BRAND).toBe('lark')
})

/** What the source of lark-cli asks of its environment (larksuite/cli 11880dc, extension/credential/env/env.go). */
function larkCliRefuses(env: NodeJS.ProcessEnv): string | null {
  const either = (name: string) => {
    if (env[name] && env[`${name}_FILE`]) return `set only one of ${name} or ${name}_FILE`
    return null
  }
  const twice = either('LARKSUITE_CLI_APP_ID') ?? either('LARKSUITE_CLI_USER_ACCESS_TOKEN')
  if (twice) return twice
  if (!env.LARKSUITE_CLI_USER_ACCESS_TOKEN) return 'no token'
  return env.LARKSUITE_CLI_APP_ID
    ? null
    : 'LARKSUITE_CLI_USER_ACCESS_TOKEN is set but LARKSUITE_CLI_APP_ID is missing'
}

test('lark-cli takes what the preset gives, by the rule of its source, and not the token alone', async () => {
  const world = await authorized()
  const outer = { LARKSUITE_CLI_USER_ACCESS_TOKEN_FILE: '/some/file' }
  expect(larkCliRefuses(await environmentOf(world, { for: 'lark-cli' }, outer))).toBeNull()
  const alone = { env: ['LARKSUITE_CLI_USER_ACCESS_TOKEN={token}'], noGateway: true }
  expect(larkCliRefuses(await environmentOf(world, alone))).toMatch(/APP_ID is missing/)
})

test('feishu-cli gets the key and the origin; FEISHU_BASE_URL is nobody else’s', async () => {
  const world = await authorized()
  const env = await environmentOf(world, { for: 'feishu-cli' })
  expect(env.FEISHU_BASE_URL).toBe(env.LARK_DOMAIN)
  expect(world.sandbox.secrets()).not.toContain(env.FEISHU_USER_ACCESS_TOKEN)
  for (const wanted of [{}, { for: 'lark-mcp' }, { for: 'lark-cli' }, { noGateway: true }]) {
    expect((await environmentOf(world, wanted)).FEISHU_BASE_URL).toBeUndefined()
  }
})

test('--env is filled in with the gateway, and without it with the token and the open host', async () => {
  const world = await authorized()
  const env = [
    'A={token}',
    'B=Bearer {token}',
    'C={origin}',
    'D={open_apis}/x',
    'E={app_id}/{brand}',
    'F={}={"a":1}',
  ]
  const filled = await environmentOf(world, { env })
  const origin = String(filled.LARK_DOMAIN)
  expect(filled).toMatchObject({ A: filled.USER_ACCESS_TOKEN, B: `Bearer ${filled.A}`, C: origin })
  expect(filled).toMatchObject({
    D: `${origin}/open-apis/x`,
    E: `${world.sandbox.app.appId}/feishu`,
    F: '{}={"a":1}',
  })
  expect(world.sandbox.secrets()).not.toContain(filled.A)
  const direct = await environmentOf(world, { env, noGateway: true })
  expect(world.sandbox.inspect(String(direct.A))).toMatchObject({ status: 'live' })
  expect(direct).toMatchObject({ C: world.sandbox.url, D: `${world.sandbox.url}/open-apis/x` })
})

test('--env wins over the preset, and a later one over an earlier', async () => {
  const world = await authorized()
  const env = ['FEISHU_BASE_URL=first', 'FEISHU_BASE_URL={open_apis}']
  const filled = await environmentOf(world, { for: 'feishu-cli', env })
  expect(filled.FEISHU_BASE_URL).toBe(`${filled.LARK_DOMAIN}/open-apis`)
})

test.each([
  [{ env: ['A={tokens}'] }, /\{tokens\}.*\{token\}, \{origin\}, \{open_apis\}, \{app_id\}, \{brand\}/],
  [{ env: ['A={ token }'] }, /\{ token \}/],
  [{ env: ['A={Token}'] }, /\{Token\}/],
  [{ env: ['A'] }, /NAME=VALUE/],
  [{ env: ['=x'] }, /NAME=VALUE/],
  [{ env: ['A B=x'] }, /NAME=VALUE/],
  [{ for: 'curl' }, /lark-mcp, lark-cli, feishu-cli/],
  [{ for: 'constructor' }, /lark-mcp, lark-cli, feishu-cli/],
  [{ for: 'lark-cli', needsGateway: true }, /cannot use the gateway/],
])('%j is a usage error', (options, message) => {
  const read = () => readChildWishes(COMMAND, { noGateway: false, needsGateway: false, ...options })
  expect(read).toThrow(
    expect.objectContaining({ code: 'config_invalid', message: expect.stringMatching(message) }),
  )
})

test('our own secrets are not the child’s', async () => {
  const secrets = {
    FEISHU_APP_SECRET: 's',
    FEISHU_TOKEN_KEY: 's',
    FEISHU_TOKEN_STORE: 's',
    PGPASSWORD: 's',
    feishu_app_secret: 's',
  }
  const world = await authorized()
  for (const noGateway of [true, false]) {
    const env = await environmentOf(world, { noGateway }, { ...secrets, OTHER: 'kept' })
    expect(Object.keys(secrets).filter((name) => name in env)).toEqual([])
    expect(env).toMatchObject({ OTHER: 'kept', APP_SECRET: world.sandbox.app.appSecret })
  }
})

test.each([
  [{}, '127.0.0.1,localhost,::1', '127.0.0.1,localhost,::1'],
  [
    { NO_PROXY: 'corp.example' },
    'corp.example,127.0.0.1,localhost,::1',
    'corp.example,127.0.0.1,localhost,::1',
  ],
  [
    { NO_PROXY: 'a.example', no_proxy: 'b.example,' },
    'a.example,127.0.0.1,localhost,::1',
    'b.example,127.0.0.1,localhost,::1',
  ],
  [
    { no_proxy: 'localhost, b.example' },
    'localhost, b.example,127.0.0.1,::1',
    'localhost, b.example,127.0.0.1,::1',
  ],
  [{ NO_PROXY: '*' }, '*', '*'],
  [{ NO_PROXY: '*', no_proxy: '' }, '*', '127.0.0.1,localhost,::1'],
])('%j: loopback goes past every proxy', async (inherited, upper, lower) => {
  const env = await environmentOf(await authorized(), {}, inherited)
  expect(env).toMatchObject({ NO_PROXY: upper, no_proxy: lower })
})

test('below a gateway a child with the token itself is led past it', async () => {
  const world = await authorized()
  const outer = {
    FEISHU_TOKEN_GATEWAY: world.sandbox.url,
    FEISHU_OPEN_URL: 'http://127.0.0.1:1',
    LARK_DOMAIN: 'http://127.0.0.1:1',
  }
  const env = await environmentOf(world, { noGateway: true }, outer)
  expect(env).toMatchObject({ FEISHU_OPEN_URL: world.sandbox.url, LARK_DOMAIN: world.sandbox.url })
  expect(env.FEISHU_TOKEN_GATEWAY).toBeUndefined()
})

test('what a program gets is told by its preset: its host where it can be set', () => {
  for (const { gateway, variables } of Object.values(PROGRAMS)) {
    expect(Object.values(variables).includes('{origin}')).toBe(gateway)
  }
})
