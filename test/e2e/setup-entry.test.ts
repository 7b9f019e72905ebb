// What a script gets from `setup`: the entry, the line to log in with, and the pages of the console.

import { expect, test } from 'vitest'
import { PROGRAM, run, type Stage, setStage } from '../support/program.ts'

const NO_APP = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' }

/** `setup` with the credentials of the sandbox's app. */
function setUp(stage: Stage, args: string[] = [], env: Record<string, string> = {}) {
  const { appId, appSecret } = stage.sandbox.app
  const given = ['setup', '--app-id', appId, '--app-secret-stdin', ...args]
  return run(stage, given, { input: appSecret, env })
}

test('a profile is in the entry, its name and the login; so are the settings of the shell', async () => {
  const stage = await setStage({ env: { ...NO_APP, FEISHU_SCOPES: 'docx:document im:message' } })
  const ended = await setUp(stage, ['--profile', 'work'])
  const { mcpServers } = JSON.parse(ended.stdout)
  expect(Object.keys(mcpServers)).toEqual(['feishu-token-work'])
  expect(mcpServers['feishu-token-work']).toMatchObject({
    args: [PROGRAM],
    env: {
      FEISHU_PROFILE: 'work',
      FEISHU_REDIRECT_URI: stage.env.FEISHU_REDIRECT_URI,
      FEISHU_SCOPES: 'docx:document im:message',
    },
  })
  expect(ended.stderr).toMatch(/Log in: `node \S+ login --profile work`\n/)
})

test('--json tells the pages of the console and the entry; an address does for the App ID', async () => {
  const stage = await setStage({ env: NO_APP })
  const { app, url } = stage.sandbox
  const address = `https://open.feishu.cn/app/${app.appId}/baseinfo`
  const given = ['setup', '--app-id', address, '--app-secret-stdin', '--json']
  const ended = await run(stage, given, { input: app.appSecret })
  expect(JSON.parse(ended.stdout)).toMatchObject({
    status: 'not_authorized',
    app_id: app.appId,
    redirect_uri: stage.env.FEISHU_REDIRECT_URI,
    console_urls: {
      redirect_settings: `${url}/app/${app.appId}/safe`,
      scope_settings: expect.stringContaining(`${url}/app/${app.appId}/auth?q=`),
      versions: `${url}/app/${app.appId}`,
    },
    entry: { mcpServers: { 'feishu-token': { args: [PROGRAM] } } },
  })
})

test("--with-tools: connect's entry, with the scopes of Feishu's tools in the console and at the login", async () => {
  const stage = await setStage({ env: NO_APP })
  const ended = await setUp(stage, ['--with-tools'])
  expect(JSON.parse(ended.stdout).mcpServers).toMatchObject({ feishu: { args: [PROGRAM, 'connect'] } })
  expect(ended.stderr).toMatch(/\/auth\?q=\S*docx%3Adocument%3Areadonly/)
  expect(ended.stderr).toMatch(/Log in: `node \S+ login --scope "@hosted-mcp"`\n/)
  // Whoever has named scopes keeps them.
  const named = await setUp(stage, ['--with-tools'], { FEISHU_SCOPES: 'docx:document' })
  expect(named.stderr).toMatch(/Log in: `node \S+ login`\n/)
})

test('the way to the network is carried, a proxy with a password is not', async () => {
  const stage = await setStage({ env: NO_APP })
  const env = {
    HTTPS_PROXY: 'http://proxy.example:8080',
    NO_PROXY: '127.0.0.1',
    NODE_EXTRA_CA_CERTS: '/etc/ca.pem',
  }
  const open = JSON.parse((await setUp(stage, [], env)).stdout)
  expect(open.mcpServers['feishu-token'].env).toMatchObject(env)
  const secret = await setUp(stage, [], { ...env, HTTPS_PROXY: 'http://kim:hunter2@proxy.example:8080' })
  expect(secret.stdout + secret.stderr).not.toContain('hunter2')
  expect(secret.stderr).toContain('No secret stands in the entry: set HTTPS_PROXY where')
  expect(open.mcpServers['feishu-token'].env.HTTPS_PROXY).toBe(env.HTTPS_PROXY)
})

test('the key and the address of the store are not carried, and it is said that the entry is without them', async () => {
  const stage = await setStage({ env: NO_APP })
  const env = {
    FEISHU_TOKEN_KEY: Buffer.alloc(32, 7).toString('base64'),
    FEISHU_TOKEN_STORE: 'postgres://kim:hunter2@127.0.0.1:1/tokens',
  }
  const ended = await setUp(stage, [], env)
  expect(ended.stderr).toContain(
    'No secret stands in the entry: set FEISHU_TOKEN_KEY, FEISHU_TOKEN_STORE where',
  )
  for (const value of Object.values(env)) expect(ended.stdout + ended.stderr).not.toContain(value)
})

test('npm variables of a program around us make no npx of it', async () => {
  const stage = await setStage({ env: NO_APP })
  const ended = await setUp(stage, [], { npm_command: 'exec' })
  expect(ended.stdout + ended.stderr).not.toContain('npx')
})

test.each([
  // biome-ignore lint/suspicious/noTemplateCurlyInString: what nothing has replaced
  ['${FEISHU_APP_SECRET}', 'reference'],
  ['"quoted-secret"', 'quotes'],
  ['APP_SECRET=named-secret', 'name with its value'],
  ['your-app-secret', 'placeholder'],
])('%s on stdin is named by its form, and is not sent', async (input, form) => {
  const stage = await setStage({ env: NO_APP })
  const given = ['setup', '--app-id', stage.sandbox.app.appId, '--app-secret-stdin', '--json']
  const ended = await run(stage, given, { input })
  expect([ended.code, JSON.parse(ended.stdout).error]).toMatchObject([
    2,
    { code: 'config_invalid', message: expect.stringContaining(form) },
  ])
  expect(ended.stdout + ended.stderr).not.toContain(input)
  expect(stage.sandbox.requests).toEqual([])
})

test('an App Secret given for the App ID is neither said nor sent nor written down', async () => {
  const stage = await setStage({ env: NO_APP })
  const { appSecret } = stage.sandbox.app
  const ended = await run(stage, ['setup', '--app-id', appSecret, '--app-secret-stdin'], { input: appSecret })
  expect(ended.code).toBe(2)
  expect(ended.stdout + ended.stderr).not.toContain(appSecret)
  expect(stage.sandbox.requests).toEqual([])
})
