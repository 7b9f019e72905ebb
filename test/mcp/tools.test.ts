import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CallToolResultSchema, ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect, onTestFinished, test } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import { ICONS } from '../../src/mcp/icon.ts'
import { settle } from '../../src/wiring/settle.ts'
import type { SandboxOptions } from '../feishu-sandbox/sandbox.ts'
import { type Connection, connect, outputProblem } from '../support/connection.ts'
import { readAnswer } from '../support/contract.ts'
import { expire, makeDeps, seed, type World } from '../support/deps.ts'
import { freePort } from '../support/port.ts'

const MINUTE = 60_000

async function makeWorld(options: SandboxOptions & { env?: Record<string, string> } = {}): Promise<World> {
  const redirectUri = `http://localhost:${await freePort()}/callback`
  const env = { FEISHU_REDIRECT_URI: redirectUri, ...options.env }
  return makeDeps({ ...options, redirectUrls: [redirectUri], env })
}

/** A client of a server in this process. */
async function connectTo(world: World, deps: Deps = world.deps): Promise<Connection> {
  onTestFinished(() => settle(deps))
  return connect(() => deps)
}

async function visit(location: string): Promise<void> {
  await (await fetch(location)).text()
}

function recordPath(world: World): string {
  return join(world.directory, 'store', `feishu-${world.sandbox.app.appId}-default.json`)
}

const nothing = (): Deps => {
  throw new Error('no tool was called, so nothing may be read')
}

type Schema = {
  type?: string
  properties?: Record<string, Schema>
  items?: Schema
  description?: string
  additionalProperties?: boolean
  required?: string[]
}

/** The paths of the fields without a description, and of the objects that take more than they name. */
function undescribed(schema: Schema, path: string): string[] {
  const open = schema.type === 'object' && schema.additionalProperties !== false ? [`${path} is open`] : []
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
    ...(field.description ? [] : [`${path}.${name}`]),
    ...undescribed(field, `${path}.${name}`),
  ])
  return [...open, ...fields, ...(schema.items ? undescribed(schema.items, `${path}[]`) : [])]
}

test('there are exactly three tools, with flat closed schemas in which every field is described', async () => {
  const { tools } = await connect(nothing)
  expect([...tools.keys()]).toEqual(['start_authorization', 'token_status', 'refresh_token'])
  const arguments_: Record<string, string[]> = {
    start_authorization: [
      'scopes',
      'method',
      'open_browser',
      'callback_url',
      'cancel',
      'create_app',
      'profile',
    ],
    token_status: ['verify', 'wait_seconds', 'feishu_error', 'profile'],
    refresh_token: ['force', 'profile'],
  }
  for (const [name, tool] of tools) {
    const input = tool.inputSchema as Schema
    const output = tool.outputSchema as Schema
    expect(Object.keys(input.properties ?? {}), name).toEqual(arguments_[name])
    expect(input.required ?? [], name).toEqual([])
    expect(output.required, name).toEqual(Object.keys(output.properties ?? {}))
    expect([...undescribed(input, `${name} in`), ...undescribed(output, `${name} out`)]).toEqual([])
    // Clients cut or drop what is longer, and unions.
    expect(tool.description?.length).toBeLessThan(1_000)
    for (const schema of [input, output]) expect(Object.keys(schema).join()).not.toMatch(/oneOf|allOf|anyOf/)
  }
  expect(tools.get('token_status')?.inputSchema.properties?.wait_seconds).toMatchObject({
    type: 'integer',
    minimum: 0,
    maximum: 45,
  })
})

test('the annotations say which tool reads, which writes, and which talks to Feishu', async () => {
  const { tools } = await connect(nothing)
  const writes = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true }
  const reads = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }
  expect(tools.get('token_status')?.annotations).toEqual(reads)
  expect(tools.get('start_authorization')?.annotations).toEqual(writes)
  expect(tools.get('refresh_token')?.annotations).toEqual(writes)
  const refresh = tools.get('refresh_token')
  expect(`${refresh?.title} ${refresh?.description}`).toMatch(/renew.*stored.*never a token/is)
})

test('instructions and prompts name the tools, in few words', async () => {
  const { client } = await connect(nothing)
  const instructions = client.getInstructions() ?? ''
  expect(instructions.length).toBeLessThan(1_000)
  for (const name of ['start_authorization', 'token_status', 'refresh_token'])
    expect(instructions).toContain(name)
  expect(client.getServerVersion()).toMatchObject({ name: 'feishu-token', version: '1.2.3', icons: ICONS })
  const { prompts } = await client.listPrompts()
  expect(prompts.map((prompt) => prompt.name)).toEqual(['reauthorize', 'check'])
  const reauthorize = await client.getPrompt({ name: 'reauthorize' })
  expect(reauthorize.messages[0]?.content).toMatchObject({
    text: expect.stringContaining('start_authorization'),
  })
  const check = await client.getPrompt({ name: 'check' })
  expect(check.messages[0]?.content).toMatchObject({ text: expect.stringContaining('token_status') })
})

test('the check on the answers bites', async () => {
  const world = await makeWorld()
  const { call, tools } = await connectTo(world)
  const { data, text } = await call('token_status')
  const tool = tools.get('token_status')
  const { warnings: _, ...incomplete } = data
  expect(outputProblem(tool, incomplete)).toContain('warnings')
  expect(outputProblem(tool, { ...data, more: 1 })).toContain('additional properties')
  expect(outputProblem(tool, { ...data, status: 'fine' })).toContain('allowed values')
  const content = [{ type: 'text' as const, text: text.replace('brand: feishu', '') }]
  expect(() => readAnswer({ structuredContent: data, content })).toThrow('lacks brand')
  expect(() => readAnswer({ isError: true, content: [{ type: 'text', text: 'FAILED: no.' }] })).toThrow(
    'form',
  )
})

test('with nothing configured each tool says what to set and where, and nothing is written', async () => {
  const world = await makeWorld({ env: { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' } })
  const { call } = await connectTo(world)
  const status = await call('token_status', { verify: true, wait_seconds: 1 })
  expect(status.data).toMatchObject({ status: 'not_configured', app_id: null, authorization_status: 'none' })
  expect(status.data.profiles).toEqual([{ profile: 'default', status: 'not_configured' }])
  for (const name of ['start_authorization', 'refresh_token']) {
    const answer = await call(name)
    expect(answer.text).toMatch(/setup.*FEISHU_APP_ID.*FEISHU_APP_SECRET.*console.*code=not_configured/s)
  }
  expect(existsSync(world.directory)).toBe(false)
})

test('settings that cannot be used fail every tool, with all that is wrong', async () => {
  const { call } = await connect(() => {
    throw new Error('a bug, whose text may hold anything: hunter2')
  })
  const bug = await call('token_status')
  expect(bug.isError).toBe(true)
  expect(bug.text).not.toContain('hunter2')
  const { readConfig } = await import('../../src/config/config.ts')
  const env = { FEISHU_REFRESH_MARGIN: 'soon', FEISHU_BRAND: 'sms' }
  const broken = await connect(() => readConfig(env, '/home/nobody', 'linux') as never)
  for (const name of ['start_authorization', 'token_status', 'refresh_token']) {
    const { text } = await broken.call(name)
    expect(text).toMatch(/FEISHU_BRAND.*FEISHU_REFRESH_MARGIN.*code=config_invalid recovery=fix_config\]$/s)
  }
})

test('from the link to the approval each answer keeps the contract', async () => {
  const world = await makeWorld()
  const { call } = await connectTo(world)
  expect((await call('token_status')).data).toMatchObject({ status: 'not_authorized', generation: 0 })
  expect((await call('refresh_token')).text).toContain('code=not_authorized recovery=reauthorize')
  const started = await call('start_authorization')
  const { app } = world.sandbox
  expect(started.data).toMatchObject({
    status: 'pending',
    profile: 'default',
    user_code: null,
    redirect_uri: world.deps.config.redirectUri,
    browser_opened: false,
    joined: false,
    requested_scopes: ['auth:user.id:read', 'docx:document', 'offline_access'],
    console_urls: { redirect_settings: `${world.sandbox.url}/app/${app.appId}/safe` },
  })
  const unopened = process.platform === 'win32' ? 'no browser could be started' : 'no DISPLAY'
  expect(started.data.next_step).toContain(unopened)
  const pending = await call('token_status')
  expect(pending.data.next_step).toContain('feishu_error')
  expect(pending.data).toMatchObject({
    authorization_status: 'pending',
    authorization_url: started.data.authorization_url,
    authorization_expires_at: started.data.expires_at,
  })
  await visit(await world.sandbox.approve(String(started.data.authorization_url)))
  const valid = await call('token_status', { wait_seconds: 20 })
  expect(valid.data).toMatchObject({
    status: 'valid',
    authorization_status: 'succeeded',
    authorization_url: null,
    authorization_error: null,
    user_name: world.sandbox.user.name,
    next_step: 'Nothing.',
  })
  world.pass(10 * MINUTE + 5_000)
  expect((await call('token_status')).data.authorization_status).toBe('none')
})

test('every end of an authorization keeps the contract, and is told for ten minutes', async () => {
  const world = await makeWorld()
  const { call } = await connectTo(world)
  const start = async () => String((await call('start_authorization')).data.authorization_url)

  await visit(await world.sandbox.deny(await start()))
  const denied = await call('token_status', { wait_seconds: 20 })
  expect(denied.data).toMatchObject({ status: 'not_authorized', authorization_status: 'denied' })
  expect(denied.data.next_step).toContain('start_authorization')

  world.sandbox.setApp({ appSecret: 'another-secret-0123456789abcdefg' })
  await visit(await world.sandbox.approve(await start()))
  const failed = await call('token_status', { wait_seconds: 20 })
  expect(failed.data).toMatchObject({ authorization_status: 'failed' })
  expect(failed.data.authorization_error).toContain('20002')
  expect(failed.data.next_step).toMatch(/FEISHU_APP_SECRET.*then call start_authorization again/)

  await start()
  const cancelled = await call('start_authorization', { cancel: true })
  expect(cancelled.data).toMatchObject({ status: 'cancelled', authorization_url: null, expires_at: null })
  expect((await call('token_status')).data.authorization_status).toBe('cancelled')
  const nothing = await call('start_authorization', { cancel: true })
  expect(nothing.data).toMatchObject({
    status: 'cancelled',
    next_step: expect.stringContaining('no authorization'),
  })

  await start()
  world.pass(10 * MINUTE)
  const expired = await call('token_status', { wait_seconds: 20 })
  expect(expired.data).toMatchObject({ authorization_status: 'expired' })
  expect(expired.data.authorization_error).toContain('feishu_error')
  world.pass(10 * MINUTE - 5_000)
  expect((await call('token_status')).data.authorization_status).toBe('expired')
  world.pass(10_000)
  expect((await call('token_status')).data).toMatchObject({
    authorization_status: 'none',
    authorization_error: null,
  })
})

test('start_authorization keeps the contract when it joins, succeeds and fails', async () => {
  const world = await makeWorld()
  const { call } = await connectTo(world)
  const first = await call('start_authorization', { scopes: ['docx:document:readonly, im:message'] })
  const joined = await call('start_authorization', { scopes: ['im:chat'], open_browser: true })
  expect(joined.data).toMatchObject({
    status: 'pending',
    joined: true,
    authorization_url: first.data.authorization_url,
    requested_scopes: ['docx:document:readonly', 'im:message', 'offline_access'],
  })
  const location = await world.sandbox.approve(String(first.data.authorization_url))
  const wrong = await call('start_authorization', { callback_url: location.replace('state=', 'state=x') })
  expect(wrong.text).toMatch(/code=state_mismatch recovery=reauthorize\]$/)
  const succeeded = await call('start_authorization', { callback_url: location })
  expect(succeeded.data).toMatchObject({ status: 'succeeded', authorization_url: null, joined: false })
  const unknown = await call('start_authorization', { scopes: ['nobody:knows.this'] })
  expect(unknown.data.next_step).toContain('nobody:knows.this')
})

test('refresh_token keeps the contract in each of its answers', async () => {
  const world = await makeWorld()
  await seed(world)
  const { call } = await connectTo(world)
  expect((await call('refresh_token')).data).toMatchObject({
    status: 'still_valid',
    generation: 1,
    persisted: true,
  })
  expire(world)
  expect((await call('token_status')).data).toMatchObject({
    status: 'needs_refresh',
    next_step: 'Call refresh_token.',
  })
  expect((await call('refresh_token')).data).toMatchObject({ status: 'refreshed', generation: 2 })
  const other = await connectTo(world, await world.sibling())
  const held = world.sandbox.faults.next({ kind: 'hold' })
  const one = call('refresh_token', { force: true })
  await held.reached
  const two = other.call('refresh_token', { force: true })
  // The second has read generation 2 by now, because it asks for the token set before anything else.
  await other.call('token_status')
  held.release()
  expect((await one).data).toMatchObject({ status: 'refreshed', generation: 3 })
  expect((await two).data).toMatchObject({ status: 'refreshed_elsewhere', generation: 3 })
})

test('a refused refresh token, a refused access token and a damaged store are told apart', async () => {
  const world = await makeWorld()
  await seed(world)
  const { call } = await connectTo(world)
  expect((await call('token_status', { verify: true })).data).toMatchObject({
    status: 'valid',
    verified: true,
  })
  world.sandbox.revoke()
  const refused = await call('token_status', { verify: true })
  expect(refused.data).toMatchObject({ status: 'needs_refresh', verified: false })
  // Without `force` nothing would happen: by the clock the token is still valid.
  expect(refused.data.next_step).toContain('force true')
  const failure = await call('refresh_token', { force: true })
  expect(failure.text).toMatch(
    /start_authorization.*\[code=invalid_grant recovery=reauthorize feishu_code=20064 log_id=/s,
  )
  expect((await call('token_status')).data).toMatchObject({
    status: 'valid',
    warnings: [expect.stringContaining('20064')],
  })
  expire(world)
  expect((await call('token_status')).data).toMatchObject({ status: 'expired' })
  writeFileSync(recordPath(world), '{ "torn')
  const unreadable = await call('token_status')
  expect(unreadable.data).toMatchObject({ status: 'store_unreadable', user_name: null, generation: null })
  expect((await call('refresh_token')).text).toContain('code=store_unreadable recovery=fix_config')
})

test('a token that cannot be refreshed is used to its end, and the way to a refreshable one is told', async () => {
  const world = await makeWorld({ knobs: { refreshSwitch: false } })
  await seed(world)
  const { call } = await connectTo(world)
  const valid = await call('token_status')
  expect(valid.data).toMatchObject({ status: 'valid', refresh_token_expires_at: null })
  const [warning] = valid.data.warnings as string[]
  expect(warning).toMatch(/offline_access.*publish a version.*start_authorization/)
  expect(warning).toContain(`${world.sandbox.url}/app/${world.sandbox.app.appId}/safe`)
  expect(valid.data.next_step).toContain('until the access token ends')
  expire(world)
  expect((await call('token_status')).data).toMatchObject({ status: 'expired' })
  expect((await call('refresh_token')).text).toContain('code=no_refresh_token recovery=reauthorize')
})

test('arguments that the schema refuses are failures that name the argument, and have no effect', async () => {
  const world = await makeWorld()
  const { call } = await connectTo(world)
  const cases: [string, Record<string, unknown>][] = [
    ['start_authorization', { scopes: 'docx:document' }],
    ['start_authorization', { scopes: [1] }],
    ['start_authorization', { method: 'sms' }],
    ['start_authorization', { open_browser: 'yes' }],
    ['start_authorization', { callback_url: 17 }],
    ['start_authorization', { callback_url: `http://localhost/${'a'.repeat(9_000)}` }],
    ['start_authorization', { cancel: 'true' }],
    ['start_authorization', { profile: '../../etc/passwd' }],
    ['start_authorization', { app_secret: 'mine' }],
    ['token_status', { verify: 1 }],
    ['token_status', { wait_seconds: 46 }],
    ['token_status', { wait_seconds: -1 }],
    ['token_status', { wait_seconds: 1.5 }],
    ['token_status', { wait_seconds: '5' }],
    ['token_status', { profile: 'Big' }],
    ['token_status', { feishu_error: '20029' }],
    ['token_status', { host: 'https://attacker.example' }],
    ['refresh_token', { force: 'true' }],
    ['refresh_token', { profile: '' }],
    ['refresh_token', { profile: 'a'.repeat(65) }],
    ['refresh_token', { redirect_uri: 'https://attacker.example' }],
  ]
  for (const [name, args] of cases) {
    const answer = await call(name, args)
    expect(answer.isError, `${name} ${JSON.stringify(args).slice(0, 80)}`).toBe(true)
    expect(answer.text).toContain(`"${Object.keys(args)[0]}"`)
    expect(answer.text).toMatch(/^FAILED: .*\[code=config_invalid recovery=fix_config\]$/)
  }
  expect((await call('no_such_tool')).isError).toBe(true)
  expect(existsSync(world.directory)).toBe(false)
  expect(world.sandbox.requests).toEqual([])
})

test('scopes that Feishu is sure to refuse are refused before anybody opens a link', async () => {
  const world = await makeWorld()
  const { call } = await connectTo(world)
  const cases: [string[], string, string][] = [
    [['docx:document:write'], 'scope_unknown', 'docx:document:write_only'],
    [['im:message:send_as_bot'], 'invalid_scope', 'im:message.send_as_user'],
    [['$(id)'], 'invalid_scope', 'scope'],
    [['--help'], 'invalid_scope', 'scope'],
    [Array.from({ length: 201 }, (_, index) => `a:b${index}`), 'invalid_scope', '200'],
  ]
  for (const [scopes, code, hint] of cases) {
    const answer = await call('start_authorization', { scopes })
    expect(answer.text).toMatch(new RegExp(`code=${code} recovery=fix_config\\]$`))
    expect(answer.text).toContain(hint)
  }
  expect((await call('token_status')).data.authorization_status).toBe('none')
})

test('the resource holds what token_status answers, and tells of a change that another process makes', async () => {
  const world = await makeWorld()
  await seed(world)
  const { client, call } = await connectTo(world)
  const { resources } = await client.listResources()
  expect(resources.map((resource) => resource.uri)).toEqual(['feishu-token://status'])
  const read = async () => {
    const { contents } = await client.readResource({ uri: 'feishu-token://status' })
    return JSON.parse(String((contents[0] as { text: string }).text))
  }
  expect(await read()).toMatchObject({ status: 'valid', generation: 1 })
  expect(Object.keys(await read())).toEqual(Object.keys((await call('token_status')).data))
  const updated = new Promise<string>((resolve) => {
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri))
  })
  await client.subscribeResource({ uri: 'feishu-token://status' })
  const other = await connectTo(world, await world.sibling())
  await other.call('refresh_token', { force: true })
  expect(await updated).toBe('feishu-token://status')
  expect(await read()).toMatchObject({ generation: 2 })
  await client.unsubscribeResource({ uri: 'feishu-token://status' })
})

test('the profile of a call is looked at, and nobody else', async () => {
  const world = await makeWorld()
  await seed(world, 'work')
  const { call } = await connectTo(world)
  const own = await call('token_status')
  expect(own.data).toMatchObject({ profile: 'default', status: 'not_authorized' })
  expect(own.data.profiles).toEqual([
    { profile: 'default', status: 'not_authorized' },
    { profile: 'work', status: 'valid' },
  ])
  expect((await call('refresh_token', { profile: 'work', force: true })).data).toMatchObject({
    profile: 'work',
    generation: 2,
  })
  expect((await call('token_status', { profile: 'work' })).data).toMatchObject({
    status: 'valid',
    generation: 2,
  })
  expect(readdirSync(join(world.directory, 'store')).some((name) => /default\.json$/.test(name))).toBe(false)
})

test('arguments are read as clients send them: null is absent, also as text, and a list may be JSON text', async () => {
  const world = await makeWorld()
  const { call, client } = await connectTo(world)
  const status = await call('token_status', {
    verify: null,
    wait_seconds: null,
    profile: 'null',
    feishu_error: null,
  })
  expect(status.data).toMatchObject({ profile: 'default', verified: null, feishu_error: null })
  const started = await call('start_authorization', {
    scopes: '["im:message", "docx:document"]',
    method: null,
    open_browser: false,
    callback_url: null,
    cancel: null,
    create_app: null,
    profile: null,
  })
  expect(started.data).toMatchObject({
    profile: 'default',
    requested_scopes: ['im:message', 'docx:document', 'offline_access'],
  })
  expect((await call('start_authorization', { scopes: '[1]' })).text).toContain('"scopes"')
  const bare = await client.request(
    { method: 'tools/call', params: { name: 'token_status', arguments: null as never } },
    CallToolResultSchema,
  )
  expect(bare.isError).toBeUndefined()
  const hostile = await call('token_status', { '<b>\u001b[31m': 1 })
  expect(hostile.text).toMatch(
    /^FAILED: token_status has no argument of that name: it takes verify, .*config_invalid/,
  )
})

test('a number that Feishu showed is explained for this very app', async () => {
  const world = await makeWorld()
  const { call } = await connectTo(world)
  const { appId } = world.sandbox.app
  const explain = async (number: number) =>
    (await call('token_status', { feishu_error: number })).data.feishu_error
  expect(await explain(20029)).toEqual({
    number: 20029,
    cause: 'The redirect URL is not on the list of the app.',
    remedy: expect.stringContaining(world.deps.config.redirectUri),
    url: `${world.sandbox.url}/app/${appId}/safe`,
  })
  await call('start_authorization', { scopes: ['im:message'], open_browser: false })
  expect(await explain(20027)).toMatchObject({
    remedy: expect.stringContaining('im:message offline_access'),
    url: expect.stringContaining(`${world.sandbox.url}/app/${appId}/auth?q=im%3Amessage`),
  })
  expect(await explain(20046)).toMatchObject({
    remedy: expect.stringContaining('FEISHU_BRAND feishu'),
    url: null,
  })
  for (const number of [12345, -32011]) expect(await explain(number)).toMatchObject({ number, url: null })
  expect((await call('token_status')).data.feishu_error).toBeNull()
})
