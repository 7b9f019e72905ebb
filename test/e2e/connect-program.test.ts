// `connect -- CMD`: a program on stdio beside our own tools, run with the gateway, ended with us.

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import {
  CreateMessageRequestSchema,
  LoggingMessageNotificationSchema,
  type Progress,
} from '@modelcontextprotocol/sdk/types.js'
import { expect, test } from 'vitest'
import {
  callOther,
  connectStage,
  isRunning,
  listChanged,
  logIn,
  OURS,
  otherServer,
  startConnect,
  startListed,
  toolNames,
} from '../support/connect.ts'
import { authorize, run } from '../support/program.ts'

test('its tools, prompts and resources stand beside ours, unchanged but for names that are ours', async () => {
  const stage = await connectStage()
  const { client, ...rest } = await startListed(stage, otherServer())
  const server = { client, ...rest }
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name).slice(0, 4)).toEqual([...OURS, 'echo'])
  expect(tools.find(({ name }) => name === 'echo')).toMatchObject({
    title: 'Echo',
    annotations: { readOnlyHint: true },
    _meta: { theirs: 1 },
  })
  expect(tools.filter(({ name }) => name.includes('token_status')).map(({ name }) => name)).toEqual([
    'token_status',
    'remote_token_status',
  ])
  expect((await callOther(server, 'remote_token_status')).text).toBe('"theirs"')
  expect((await server.call('token_status')).data.status).toBe('not_authorized')
  const result = await client.callTool({ name: 'echo', arguments: { a: [1, { b: 'c' }] } })
  expect(result).toMatchObject({ structuredContent: { kept: true }, unheardOf: 7 })
  expect(JSON.stringify(result.content)).toContain('\\"a\\":[1,{\\"b\\":\\"c\\"}]')
  expect(await callOther(server, 'fail')).toEqual({ isError: true, text: '"its own failure"' })

  const { prompts } = await client.listPrompts()
  expect(prompts.map(({ name }) => name)).toEqual(['reauthorize', 'check', 'remote_check', 'other'])
  const prompt = await client.getPrompt({ name: 'remote_check' })
  expect(prompt.messages[0]?.content).toMatchObject({ text: 'theirs' })
  const { resources } = await client.listResources()
  expect(resources.map(({ uri }) => uri)).toEqual(['feishu-token://status', 'other://thing'])
  const thing = await client.readResource({ uri: 'other://thing' })
  expect(thing.contents[0]).toMatchObject({ text: 'a thing' })
})

/** Windows knows one name in any case, and the first counts. */
const NO_PROXY = process.platform === 'win32' ? 'NO_PROXY' : 'no_proxy'

test('it gets the gateway and none of our secrets, before and after a login', async () => {
  const stage = await connectStage()
  const server = await startListed(stage, otherServer())
  const { names } = JSON.parse((await callOther(server, 'environment')).text)
  expect(names).toEqual(expect.arrayContaining(['LARK_DOMAIN', 'USER_ACCESS_TOKEN', 'APP_ID', NO_PROXY]))
  expect(names).not.toContain('FEISHU_APP_SECRET')
  expect((await callOther(server, 'fetch')).text).toMatch(/90000401.*[Cc]all start_authorization/)
  await authorize(stage, server)
  expect((await callOther(server, 'fetch')).text).toContain('Feishu sandbox document doxcn1')
  stage.sandbox.clock.advance(stage.sandbox.knobs.accessTokenLifetimeMs + 1_000)
  expect((await callOther(server, 'fetch')).text).toContain('Feishu sandbox document doxcn1')
})

test('with --env its variables are filled in, and a preset without a gateway is refused with 2', async () => {
  const stage = await connectStage()
  const server = await startListed(stage, ['--env', 'MY_BASE={open_apis}', ...otherServer()])
  const { names, origin } = JSON.parse((await callOther(server, 'environment')).text)
  expect(names).toContain('MY_BASE')
  expect(origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  const refused = await run(stage, ['connect', '--for', 'lark-cli', ...otherServer()])
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('cannot use the gateway')])
})

test('what it writes that is no message goes to stderr, and its stderr is ours', async () => {
  const stage = await connectStage()
  const server = await startListed(stage, otherServer())
  expect((await callOther(server, 'noise')).text).toBe('"done"')
  await server.close()
  expect(server.transport.stderr).toContain('this is no message\n{"half":\n')
  expect(server.transport.stderr).toContain('the other server is up')
})

test('a call with a file in it reaches it, and is answered', async () => {
  const server = await startListed(await connectStage(), otherServer())
  const file = 'x'.repeat(6_000_000)
  const { text, isError } = await callOther(server, 'echo', { file })
  expect([isError, text.length > file.length]).toEqual([false, true])
})

test('when it dies, the call is answered, and the next one starts it anew', async () => {
  const stage = await connectStage()
  const server = await startListed(stage, otherServer())
  const first = JSON.parse((await callOther(server, 'environment')).text)
  const died = await callOther(server, 'die')
  expect(died).toMatchObject({
    isError: true,
    text: expect.stringMatching(/ended \(3\).*code=network_error/),
  })
  const second = JSON.parse((await callOther(server, 'environment')).text)
  expect(second.pid).not.toBe(first.pid)
})

test('progress, log messages and cancellation pass through', async () => {
  const stage = await connectStage()
  const server = await startListed(stage, otherServer())
  const logged = new Promise((resolve) =>
    server.client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) =>
      resolve(params.data),
    ),
  )
  const steps: Progress[] = []
  const onprogress = (step: Progress) => steps.push(step)
  await server.client.callTool({ name: 'slow', arguments: {} }, undefined, { onprogress })
  expect(steps).toMatchObject([{ progress: 1, total: 2 }])
  expect(await logged).toBe('half way')
  const controller = new AbortController()
  const hanging = server.client.callTool({ name: 'hang', arguments: {} }, undefined, {
    signal: controller.signal,
  })
  // It has arrived when a later call is answered.
  await callOther(server, 'echo')
  controller.abort()
  await expect(hanging).rejects.toThrow()
  await expect.poll(async () => (await callOther(server, 'cancelled')).text).toBe('["hang"]')
})

test('what it asks of the client is passed on where the client offers it, and refused where not', async () => {
  const stage = await connectStage()
  const plain = await startListed(stage, otherServer())
  expect((await callOther(plain, 'ask')).text).toContain('-32601')
  const client = new Client({ name: 'sampler', version: '1' }, { capabilities: { sampling: {} } })
  client.setRequestHandler(CreateMessageRequestSchema, async ({ params }) => ({
    model: 'scripted',
    role: 'assistant',
    content: { type: 'text', text: `max ${params.maxTokens}` },
  }))
  const server = await startConnect(stage, otherServer(), { client })
  expect((await callOther(server, 'ask')).text).toContain('max 10')
})

test('a tool that comes later is told to the client', async () => {
  const stage = await connectStage()
  const server = await startListed(stage, otherServer())
  const changed = listChanged(server)
  await callOther(server, 'more')
  await changed
  expect(await toolNames(server)).toContain('late')
})

test('the next start lists it at once; keys that name a credential do not reach it in _meta', async () => {
  const stage = await connectStage()
  await logIn(stage)
  await (await startListed(stage, otherServer())).close()
  const server = await startConnect(stage, otherServer())
  expect(await toolNames(server)).toContain('echo')
  const _meta = {
    progressToken: 5,
    kept: { 'X-Lark-MCP-UAT': 'u', state: 's' },
    access_token: 't',
    list: [{ apiKey: 1 }],
  }
  const { content } = await server.client.request(
    { method: 'tools/call', params: { name: 'echo', arguments: { token: 'mine' }, _meta } },
    (await import('@modelcontextprotocol/sdk/types.js')).CallToolResultSchema,
  )
  const [block] = content
  expect(JSON.parse(block?.type === 'text' ? block.text : '')).toEqual({
    args: { token: 'mine' },
    _meta: { progressToken: 5, kept: { state: 's' }, list: [{}] },
  })
})

test('a program that is not there fails its calls, with what to mend; ours go on', async () => {
  const stage = await connectStage()
  const server = await startConnect(stage, ['--', '/no/such/program'])
  expect(await toolNames(server)).toEqual(OURS)
  const { text } = await callOther(server, 'echo')
  expect(text).toMatch(/\/no\/such\/program cannot be started \(ENOENT\).*code=config_invalid/)
  expect((await server.call('token_status')).data.status).toBe('not_authorized')
})

test('it ends with us', async () => {
  const stage = await connectStage()
  const server = await startListed(stage, otherServer())
  const { pid } = JSON.parse((await callOther(server, 'environment')).text)
  expect(await server.close()).toEqual({ code: 0, signal: null })
  expect(isRunning(pid)).toBe(false)
})
