// The standing gateway as its users meet it: a process that several programs call, each with a key of its own.

import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect, onTestFinished, test } from 'vitest'
import { HOSTED_TOOLS } from '../../src/oauth/hosted-mcp.ts'
import { NO_SIGNALS, OWN_FILE, skipIf } from '../support/needs.ts'
import {
  authorize,
  type Environment,
  presentations,
  type Running,
  run,
  type Stage,
  setStage,
  start,
  startServer,
} from '../support/program.ts'

const USER_INFO = '/open-apis/authen/v1/user_info'

async function newKey(stage: Stage, name: string, args: string[] = []): Promise<string> {
  const made = await run(stage, ['gateway', 'key', 'new', name, ...args])
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^u-[\w-]{43}\n$/) })
  return made.stdout.trim()
}

type Gateway = { origin: string; mcpUrl: string; running: Running }

async function startGateway(stage: Stage, args: string[] = [], env: Environment = {}): Promise<Gateway> {
  const running = start(stage, ['gateway', '--json', '--listen', '127.0.0.1:0', ...args], { env })
  const [line] = await running.written(/^\{.*\}\n/)
  const { listening, open_url, mcp_url } = JSON.parse(line)
  expect([`http://${listening.replace('0.0.0.0', '127.0.0.1')}`, mcp_url]).toEqual([
    open_url,
    `${open_url}/mcp`,
  ])
  return { origin: open_url, mcpUrl: mcp_url, running }
}

async function setGateway(): Promise<Gateway & { stage: Stage; key: string }> {
  const stage = await setStage()
  const server = await startServer(stage)
  await authorize(stage, server)
  await server.close()
  const key = await newKey(stage, 'app')
  const env = { FEISHU_MCP_URL: `${stage.sandbox.url}/mcp` }
  return { stage, key, ...(await startGateway(stage, [], env)) }
}

/** The body of an answer of the gateway's own. */
async function faultOf(answer: Response): Promise<{ msg: string; error: { reason: string } }> {
  return (await answer.json()) as { msg: string; error: { reason: string } }
}

function bearing(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` }
}

/** As fetch, which forbids some headers and resolves paths. */
async function statusOf(url: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  const [, origin = '', path = ''] = /^(http:\/\/[^/]+)(\/.*)$/.exec(url) ?? []
  const sent = request(origin, { path, method, headers }).end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.resume()
  return answer.statusCode ?? 0
}

async function rpc(gateway: { mcpUrl: string; key: string }, body: object, headers = {}): Promise<Response> {
  return fetch(gateway.mcpUrl, {
    method: 'POST',
    headers: { ...bearing(gateway.key), 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
  })
}

test('a key is shown once, kept as a hash, listed and removed', async () => {
  const stage = await setStage()
  const one = await newKey(stage, 'n8n')
  const two = await newKey(stage, 'dify')
  expect(one).not.toBe(two)
  const path = join(stage.tokenDir, 'gateway-keys.json')
  expect(statSync(path).mode & 0o777).toBe(OWN_FILE)
  for (const key of [one, two]) expect(readFileSync(path, 'utf8')).not.toContain(key.slice(2, 20))

  expect(await run(stage, ['gateway', 'key', 'new', 'n8n'])).toMatchObject({ code: 2, stdout: '' })
  expect(await run(stage, ['gateway', 'key', 'new', 'No Name'])).toMatchObject({ code: 2, stdout: '' })
  const list = async () => JSON.parse((await run(stage, ['gateway', 'key', 'list', '--json'])).stdout).keys
  expect((await list()).map(({ name }: { name: string }) => name)).toEqual(['n8n', 'dify'])
  expect((await run(stage, ['gateway', 'key', 'list'])).stdout).toMatch(/^n8n {2}20\S+Z\ndify {2}20\S+Z\n$/)

  expect((await run(stage, ['gateway', 'key', 'remove', 'n8n'])).code).toBe(0)
  expect((await run(stage, ['gateway', 'key', 'remove', 'n8n'])).code).toBe(2)
  expect(await list()).toEqual([{ name: 'dify', profile: 'default', created_at: expect.any(String) }])
})

test('keys made at the same moment are all kept', async () => {
  const stage = await setStage()
  const names = Array.from({ length: 6 }, (_, nth) => `program-${nth}`)
  await Promise.all(names.map((name) => newKey(stage, name)))
  const { keys } = JSON.parse((await run(stage, ['gateway', 'key', 'list', '--json'])).stdout)
  expect(keys.map(({ name }: { name: string }) => name).toSorted()).toEqual(names)
})

test('a request with a key goes to the open host with the token, while tokens expire and rotate', async () => {
  const { stage, key, origin } = await setGateway()
  for (let rotation = 0; rotation < 3; rotation += 1) {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => fetch(origin + USER_INFO, { headers: bearing(key) })),
    )
    for (const answer of answers)
      expect(await answer.json()).toMatchObject({ code: 0, data: { open_id: stage.sandbox.user.openId } })
    stage.sandbox.clock.advance(stage.sandbox.knobs.accessTokenLifetimeMs + 1_000)
  }
  expect(presentations(stage)).toBe(2)
})

test('what bears no key is refused, whatever else it bears, and so is a page and a foreign host', async () => {
  const { stage, key, origin, mcpUrl } = await setGateway()
  const before = stage.sandbox.requests.length
  const refused = async (headers: Record<string, string>, path = USER_INFO) =>
    statusOf(origin + path, headers)
  expect(await refused({})).toBe(401)
  expect(await refused({}, '/open-apis/auth/v3/tenant_access_token/internal')).toBe(401)
  // As this program was started: that command there makes a key.
  const { msg } = (await (await fetch(origin + USER_INFO)).json()) as { msg: string }
  expect(msg).toMatch(/`[^`]*node[^`]* [^`]*dist[\\/]main\.js"? gateway key new NAME` makes one/)
  expect(await refused(bearing('t-g1044'))).toBe(401)
  expect(await refused(bearing('u-wrong'))).toBe(401)
  expect(await refused({ 'x-lark-mcp-uat': key })).toBe(401)
  expect(await refused({ authorization: key })).toBe(401)
  expect(await refused({}, '/other')).toBe(401)
  expect(await statusOf(mcpUrl, {}, 'POST')).toBe(401)
  expect(await refused({ ...bearing(key), origin: 'https://evil.example' })).toBe(403)
  expect(await refused({ ...bearing(key), origin: origin })).toBe(403)
  expect(await refused({ ...bearing(key), host: 'evil.example' })).toBe(403)
  expect(await refused({ origin: 'https://evil.example' }, '/healthz')).toBe(403)
  for (const path of [
    '/',
    '/mcp/',
    '/mcp/x',
    '/open-apis',
    '/healthz/',
    '/open-apis/../mcp',
    '/open-apis/%2e%2e/x',
    '/open-apis/..%2Fx',
    '/open-apis/a%2f.%2e%2fx',
    '/open-apis/..%5cx',
    '/open-apis/..;a/x',
  ]) {
    expect(await refused(bearing(key), path), path).toBe(404)
  }
  expect(stage.sandbox.requests).toHaveLength(before)
})

test('healthz needs no key and tells nothing', async () => {
  const { origin } = await startGateway(await setStage())
  const answer = await fetch(`${origin}/healthz`)
  expect([answer.status, await answer.text()]).toEqual([200, 'ok'])
  expect(await statusOf(`${origin}/healthz`, {}, 'POST')).toBe(401)
})

test('the hosted server is called with its headers: all known tools, or those that the program names', async () => {
  const gateway = await setGateway()
  const list = async (headers = {}) => {
    const { result } = (await (await rpc(gateway, { method: 'tools/list' }, headers)).json()) as {
      result: { tools: { name: string }[] }
    }
    return result.tools.map(({ name }) => name)
  }
  expect((await list()).length).toBeGreaterThan(5)
  expect(gateway.stage.sandbox.mcpRequests.at(-1)?.allowedTools).toBe(HOSTED_TOOLS.join(','))
  const own = {
    'x-lark-mcp-allowed-tools': 'fetch-doc',
    'x-lark-mcp-uat': 'u-mine',
    'x-lark-mcp-tat': 't-mine',
  }
  expect(await list(own)).toEqual(['fetch-doc'])
})

test('a token that the hosted server refuses is renewed once for all calls that meet, and they are repeated', async () => {
  const gateway = await setGateway()
  const { stage } = gateway
  expect((await rpc(gateway, { method: 'tools/list' })).status).toBe(200)
  stage.sandbox.revoke({ tokens: 'access' })
  const answers = await Promise.all(Array.from({ length: 4 }, () => rpc(gateway, { method: 'tools/list' })))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  expect(presentations(stage)).toBe(1)
})

test('an MCP client with the entry of the documents lists and calls tools, with sessions and event streams', async () => {
  const gateway = await setGateway()
  Object.assign(gateway.stage.sandbox.knobs, { mcpSessions: true, mcpEventStreams: true })
  const requestInit = { headers: bearing(gateway.key) }
  const transport = new StreamableHTTPClientTransport(new URL(gateway.mcpUrl), { requestInit })
  const client = new Client({ name: 'test', version: '1.0.0' })
  // Its types want undefined where its own class has a getter.
  await client.connect(transport as Parameters<Client['connect']>[0])
  onTestFinished(() => client.close())
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name)).toContain('fetch-doc')
  expect(transport.sessionId).toMatch(/.+/)
})

test('two hundred connections at once get their answers', async () => {
  const { key, origin } = await setGateway()
  const agent = new Agent({ keepAlive: true, maxSockets: 200 })
  onTestFinished(() => agent.destroy())
  const ask = async () => {
    const sent = request(origin + USER_INFO, { agent, headers: bearing(key) }).end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.resume()
    await once(answer, 'end')
    return answer.statusCode
  }
  const programs = Array.from({ length: 200 }, async () => [await ask(), await ask(), await ask()])
  expect(new Set((await Promise.all(programs)).flat())).toEqual(new Set([200]))
})

test('a running gateway knows of a new key and of one that is gone', async () => {
  const { stage, origin, key } = await setGateway()
  const other = await newKey(stage, 'other')
  const until = async (wanted: number, of: string) => {
    while ((await fetch(origin + USER_INFO, { headers: bearing(of) })).status !== wanted) {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await until(200, other)
  await run(stage, ['gateway', 'key', 'remove', 'app'])
  await until(401, key)
  expect((await fetch(origin + USER_INFO, { headers: bearing(other) })).status).toBe(200)
})

test('a key opens the gateway of its own profile alone', async () => {
  const stage = await setStage()
  const key = await newKey(stage, 'app', ['--profile', 'other'])
  const { origin } = await startGateway(stage)
  const answer = await fetch(origin + USER_INFO, { headers: bearing(key) })
  expect((await faultOf(answer)).error.reason).toBe('credential_refused')
})

test('of another profile it says with which profile a key is made', async () => {
  const stage = await setStage()
  const { origin } = await startGateway(stage, ['--profile', 'other'])
  const { msg } = await faultOf(await fetch(origin + USER_INFO))
  expect(msg).toMatch(/ gateway key new NAME --profile other` makes one/)
})

test('it runs without a login, answers 401 with what to do, and serves as soon as there is one', async () => {
  const stage = await setStage()
  const key = await newKey(stage, 'app')
  const { origin, running } = await startGateway(stage)
  const ask = () => fetch(origin + USER_INFO, { headers: bearing(key) })
  const refused = await ask()
  expect([refused.status, (await faultOf(refused)).msg]).toEqual([
    401,
    expect.stringContaining('start_authorization'),
  ])
  const server = await startServer(stage)
  await authorize(stage, server)
  await server.close()
  expect((await ask()).status).toBe(200)
  await running.written(/Its calls fail until someone logs in/)
})

test('it runs without an app, too', async () => {
  const stage = await setStage()
  const key = await newKey(stage, 'app')
  const { origin } = await startGateway(stage, [], { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' })
  const answer = await fetch(origin + USER_INFO, { headers: bearing(key) })
  expect([answer.status, (await faultOf(answer)).error.reason]).toEqual([401, 'not_configured'])
})

/** A hosted server that answers when it is told to. */
async function startSlowServer(): Promise<{ url: string; arrived: Promise<void>; answer: () => void }> {
  let held: ServerResponse | null = null
  let note = () => {}
  const arrived = new Promise<void>((resolve) => {
    note = resolve
  })
  const server = createServer((req, res) => {
    if (req.method === 'GET')
      return void res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n')
    req.resume()
    held = res
    note()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const answer = () =>
    void held
      ?.writeHead(200, { 'content-type': 'application/json' })
      .end('{"jsonrpc":"2.0","id":1,"result":{}}')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, arrived, answer }
}

test.for(['SIGTERM', 'SIGINT'] as const)(
  'at %s what is under way is finished, a stream is ended, nothing new is taken',
  async (signal, context) => {
    skipIf(NO_SIGNALS, context)
    const stage = await setStage()
    const server = await startServer(stage)
    await authorize(stage, server)
    await server.close()
    const key = await newKey(stage, 'app')
    const slow = await startSlowServer()
    const gateway = { key, ...(await startGateway(stage, [], { FEISHU_MCP_URL: slow.url })) }
    const stream = await fetch(gateway.mcpUrl, { headers: bearing(key) })
    const reader = stream.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(': open\n\n')
    const answering = rpc(gateway, { method: 'tools/call' })
    await slow.arrived
    gateway.running.child.kill(signal)
    expect((await reader?.read())?.done).toBe(true)
    await expect(fetch(`${gateway.origin}/healthz`)).rejects.toThrow()
    slow.answer()
    expect(await (await answering).json()).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
    expect((await gateway.running.end).code).toBe(signal === 'SIGTERM' ? 143 : 130)
  },
)

test('the stream of a session ends when its key is removed', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  await authorize(stage, server)
  await server.close()
  const key = await newKey(stage, 'app')
  const slow = await startSlowServer()
  const { mcpUrl } = await startGateway(stage, [], { FEISHU_MCP_URL: slow.url })
  const reader = (await fetch(mcpUrl, { headers: bearing(key) })).body?.getReader()
  await reader?.read()
  await run(stage, ['gateway', 'key', 'remove', 'app'])
  expect((await reader?.read())?.done).toBe(true)
})

test('off loopback it listens only where that is meant, says so, and takes any host then', async () => {
  const stage = await setStage()
  const refused = await run(stage, ['gateway', '--listen', '0.0.0.0:0'])
  expect(refused).toMatchObject({ code: 2, stdout: '' })
  expect(refused.stderr).toContain('--allow-network')
  const { origin, running } = await startGateway(stage, ['--allow-network', '--listen', '0.0.0.0:0'])
  await running.written(/Other machines can reach it, unencrypted/)
  expect(await statusOf(`${origin}/healthz`, { host: 'feishu-gateway:9001' })).toBe(200)
  expect(await statusOf(origin + USER_INFO, { host: 'feishu-gateway:9001' })).toBe(401)
  expect(await statusOf(origin + USER_INFO, { origin: 'https://evil.example' })).toBe(403)
})

test.each([
  [['--listen', '9001']],
  [['--listen', 'localhost:99999']],
  [['--listen', '::1:9001']],
  [['--listen', 'http://127.0.0.1:9001']],
  [['nothing']],
  [['key']],
  [['key', 'new']],
  [['key', 'list', '--allow-network']],
])('gateway %j is a usage error', async (args) => {
  expect(await run(await setStage(), ['gateway', ...args])).toMatchObject({ code: 2, stdout: '' })
})

test('a port that is taken is told with what to do', async () => {
  const stage = await setStage()
  const { origin } = await startGateway(stage)
  const taken = await run(stage, ['gateway', '--listen', new URL(origin).host])
  expect(taken.code).toBe(2)
  expect(taken.stderr).toMatch(/EADDRINUSE.*--listen HOST:PORT/s)
})

test('headers prints the header for the hosted server, and none for another host', async () => {
  const { stage } = await setGateway()
  const printed = async (args: string[], env = {}) => run(stage, ['headers', ...args], { env })
  const given = await printed([])
  expect(given.stdout).toMatch(/^\{"X-Lark-MCP-UAT":"[^"]+"\}\n$/)
  const token = JSON.parse(given.stdout)['X-Lark-MCP-UAT']
  expect(stage.sandbox.inspect(token)).toMatchObject({ kind: 'access_token', status: 'live' })
  for (const url of [
    'https://mcp.feishu.cn/mcp',
    'https://mcp.larksuite.com/mcp',
    'http://127.0.0.1:9/mcp',
    'http://localhost:9/',
  ]) {
    expect((await printed([url])).stdout === given.stdout, url).toBe(true)
  }
  expect((await printed(['https://own.example/mcp'], { FEISHU_MCP_URL: 'https://own.example/x' })).code).toBe(
    0,
  )
  for (const url of [
    'https://evil.example/mcp',
    'https://feishu.cn.evil.example/mcp',
    'https://evilfeishu.cn/mcp',
    'http://mcp.feishu.cn/mcp',
    'https://user@mcp.feishu.cn/mcp',
    'ftp://mcp.feishu.cn/mcp',
    'mcp.feishu.cn',
  ]) {
    expect(await printed([url]), url).toMatchObject({ code: 2, stdout: '' })
  }
  expect((await printed(['https://mcp.feishu.cn/mcp', 'x'])).code).toBe(2)
})

test('headers refreshes first if due, and without a login ends with 3', async () => {
  const { stage } = await setGateway()
  stage.sandbox.clock.advance(stage.sandbox.knobs.accessTokenLifetimeMs)
  expect(await run(await setStage(), ['headers'])).toMatchObject({ code: 3, stdout: '' })
})
