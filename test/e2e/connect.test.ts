// `connect` as its users meet it: one entry, no token, a login in the chat, a document read; and from then on a token
// that nobody notices.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  callOther,
  connectStage,
  DOCUMENT,
  done,
  expectOneRenewal,
  expireThere,
  listChanged,
  logIn,
  OURS,
  readDocument,
  startConnect,
  startListed,
  toolNames,
} from '../support/connect.ts'
import { NO_SIGNALS, OWN_FILE, testIf } from '../support/needs.ts'
import { authorize, presentations, run, setStage, start } from '../support/program.ts'

test('from nothing to a document in one session, and over the end of a token', async () => {
  const stage = await connectStage()
  const server = await startConnect(stage)
  expect(server.client.getServerVersion()?.name).toBe('feishu')
  expect(server.client.getServerCapabilities()?.tools).toEqual({ listChanged: true })
  expect(server.client.getInstructions()?.length).toBeLessThan(1_000)
  expect(await toolNames(server)).toEqual(OURS)
  const early = await server.call('fetch-doc', { doc_id: DOCUMENT })
  expect(early.text).toMatch(
    /^FAILED: .*[Cc]all start_authorization.*\[code=not_authorized recovery=reauthorize\]$/s,
  )
  expect(stage.sandbox.mcpRequests).toEqual([])
  const changed = listChanged(server)
  await authorize(stage, server)
  await changed
  const unlisted = /The tools of 127\.0\.0\.1:\d+ are not listed yet: .* start a new session/
  const warnings = async () => (await server.call('token_status')).data.warnings
  expect(await warnings()).toEqual([expect.stringMatching(unlisted)])
  expect((await toolNames(server)).slice(0, 5)).toEqual([...OURS, 'search-user', 'get-user'])
  expect(await warnings()).toEqual([])
  expect((await readDocument(server)).text).toContain('the launch, at 15:00')
  expireThere(stage)
  expect((await readDocument(server)).text).toContain('the launch, at 15:00')
  expect(presentations(stage)).toBe(1)
})

test('without settings for scopes it asks for those of the hosted tools', async () => {
  const stage = await connectStage()
  const server = await startConnect(stage)
  const { data } = await server.call('start_authorization', { open_browser: false })
  expect(data.requested_scopes).toEqual(expect.arrayContaining(['docx:document:create', 'offline_access']))
  const own = await connectStage({ env: { FEISHU_SCOPES: 'docx:document' } })
  const asked = await (await startConnect(own)).call('start_authorization', { open_browser: false })
  expect(asked.data.requested_scopes).toEqual(['docx:document', 'offline_access'])
})

test('a login of another process is there within seconds; the next start lists at once, without a network', async () => {
  const stage = await connectStage()
  const server = await startConnect(stage)
  const changed = listChanged(server)
  await toolNames(server)
  await logIn(stage)
  await changed
  const listed = await toolNames(server)
  expect(listed).toContain('fetch-doc')
  await server.close()
  const folder = join(stage.tokenDir, 'connect')
  const [file = ''] = readdirSync(folder)
  expect(statSync(join(folder, file)).mode & 0o777).toBe(OWN_FILE)
  await stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'silence' }, Number.POSITIVE_INFINITY)
  expect(await toolNames(await startConnect(stage))).toEqual(listed)
})

test('a dead server delays neither the start nor our own tools', async () => {
  const stage = await connectStage()
  await logIn(stage)
  const fault = stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'silence' }, Number.POSITIVE_INFINITY)
  const server = await startConnect(stage)
  expect(await toolNames(server)).toEqual(OURS)
  await fault.reached
  expect((await server.call('token_status')).data.status).toBe('valid')
  expect((await server.call('refresh_token')).data.status).toBe('still_valid')
})

test("a kept app's brand decides on the hosted server, also of an app that is there later", async () => {
  const env = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '', HTTPS_PROXY: 'http://127.0.0.1:9' }
  const stage = await setStage({ env, knobs: { registrationBrand: 'lark', deviceIntervalMs: 1_000 } })
  const server = await startConnect(stage)
  expect(await toolNames(server)).toEqual(OURS)
  const setup = start(stage, ['setup', '--create-app'])
  for (const code of [/\(code (\S+)\)/, /must show this code: (\S+)\n/])
    await stage.sandbox.approveDevice((await setup.written(code))[1] ?? '')
  await setup.end
  expect((await readDocument(server)).text).toMatch(/mcp\.larksuite\.com could not be reached/)
})

describe('a refused token', () => {
  test.each([
    { status: 401, code: -32003 },
    { status: 200, code: -32003 },
  ])('is renewed once for all calls that meet, in the form %j', expectOneRenewal)

  test('by a server that refuses each call once costs one refresh, not one per call', async () => {
    const stage = await connectStage()
    await logIn(stage)
    const server = await startListed(stage)
    const refuse = () =>
      stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'answer', status: 401, body: '{}' })
    for (let calls = 0; calls < 4; calls += 1) {
      refuse()
      await readDocument(server)
    }
    expect(presentations(stage)).toBe(1)
  })

  test('also as an error that names no request', async () => {
    const stage = await connectStage()
    await logIn(stage)
    const server = await startListed(stage)
    const error = { jsonrpc: '2.0', id: null, error: { code: -32003, message: 'no' } }
    stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'answer', status: 200, body: JSON.stringify(error) })
    expect((await readDocument(server)).text).toContain('the launch')
    expect(presentations(stage)).toBe(1)
  })

  test('also as an event', async () => {
    const mcpRefusal = { status: 200, code: -32003 }
    const stage = await connectStage({ knobs: { mcpEventStreams: true, mcpRefusal } })
    await logIn(stage)
    const server = await startListed(stage)
    expireThere(stage)
    expect((await readDocument(server)).text).toContain('the launch')
    expect(presentations(stage)).toBe(1)
  })

  test('again: a person must authorize, and no more is spent on it', async () => {
    const stage = await connectStage()
    await logIn(stage)
    const server = await startListed(stage)
    const refused = { jsonrpc: '2.0', id: null, error: { code: -32003, message: 'no such token' } }
    const body = JSON.stringify(refused)
    const fault = { endpoint: 'mcp', kind: 'answer', status: 401, body } as const
    stage.sandbox.faults.next(fault, Number.POSITIVE_INFINITY)
    const { text } = await readDocument(server)
    expect(text).toMatch(/no such token.*start_authorization.*\[code=invalid_grant recovery=reauthorize\]/s)
    await readDocument(server)
    expect(presentations(stage)).toBe(1)
  })

  test('for scopes that it lacks: which they are, where they are enabled, what to call then', async () => {
    const stage = await connectStage({ knobs: { mcpMissingScopes: 'refused' } })
    await logIn(stage, ['docx:document:create', 'offline_access'])
    const server = await startListed(stage)
    const { text } = await readDocument(server)
    expect(text).toMatch(/lacks docx:document:readonly task:task:read im:chat:read/)
    expect(text).toMatch(/q=docx%3Adocument%3Areadonly%2Ctask%3Atask%3Aread%2Cim%3Achat%3Aread/)
    expect(text).toMatch(/call start_authorization.*\[code=invalid_scope recovery=fix_config\]/s)
  })
})

describe('what was sent is never sent again', () => {
  test('however its answer was lost', async () => {
    const stage = await connectStage()
    await logIn(stage)
    const server = await startListed(stage)
    const faults = [
      { kind: 'reset', when: 'after_processing' },
      { kind: 'cut', how: 'reset' },
      { kind: 'cut', how: 'json' },
      { kind: 'answer', status: 502, processed: true },
      { kind: 'answer', status: 403, processed: true },
      { kind: 'answer', status: 404, processed: true },
    ] as const
    for (const [index, fault] of faults.entries()) {
      stage.sandbox.faults.next({ endpoint: 'mcp', ...fault })
      const { isError, text } = await callOther(server, 'create-doc', { title: 'T', markdown: 'M' })
      const after = JSON.stringify(fault)
      expect([isError, text], after).toEqual([true, expect.stringMatching(/^FAILED: .* recovery=retry\]$/s)])
      expect(done(stage, 'create-doc'), after).toBe(index + 1)
      expect(presentations(stage), after).toBe(0)
      expect((await readDocument(server)).isError, after).toBe(false)
    }
  })

  test('an event stream that breaks is answered at once', async () => {
    const stage = await connectStage({ knobs: { mcpEventStreams: true } })
    await logIn(stage)
    const server = await startListed(stage)
    for (const how of ['reset', 'json'] as const) {
      stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'cut', how })
      const { text } = await callOther(server, 'create-doc', { title: 'T', markdown: 'M' })
      expect(text).toMatch(/broke off.*code=network_error/)
    }
    expect(done(stage, 'create-doc')).toBe(2)
  })
})

test('a lost session is opened once more, and a renewal may meet it in the same call', async () => {
  const stage = await connectStage({ knobs: { mcpSessions: true } })
  await logIn(stage)
  const server = await startListed(stage)
  stage.sandbox.loseMcpSessions()
  expect((await readDocument(server)).text).toContain('the launch')
  stage.sandbox.loseMcpSessions()
  expireThere(stage)
  const reads = await Promise.all([readDocument(server), readDocument(server)])
  expect(reads.map(({ isError }) => isError)).toEqual([false, false])
  expect(presentations(stage)).toBe(1)
  const lost = { endpoint: 'mcp', kind: 'answer', status: 404 } as const
  stage.sandbox.faults.next(lost, Number.POSITIVE_INFINITY)
  expect((await readDocument(server)).text).toMatch(/code=unexpected_response/)
})

test('redirects are not followed, and the token goes nowhere else', async () => {
  const stage = await connectStage()
  const elsewhere = await connectStage()
  await logIn(stage)
  const server = await startListed(stage)
  for (const location of [`${elsewhere.sandbox.url}/mcp`, '/elsewhere']) {
    const headers = { location }
    stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'answer', status: 307, headers })
    expect((await readDocument(server)).text).toMatch(/redirects.*code=unexpected_response/)
  }
  expect(elsewhere.sandbox.requests).toEqual([])
  expect(stage.sandbox.requests.map(({ path }) => path)).not.toContain('/elsewhere')
})

describe("the server's own numbers", () => {
  test('become ours, and the next call goes on', async () => {
    const stage = await connectStage()
    await logIn(stage)
    const server = await startListed(stage)
    for (const [status, code, ours] of [
      [400, -32042, 'unexpected_response'],
      [429, -32030, 'rate_limited'],
      [200, -32030, 'rate_limited'],
      [500, -32603, 'server_error'],
      [503, null, 'temporarily_unavailable'],
      [400, -32602, 'unexpected_response'],
      [200, -32042, 'unexpected_response'],
    ] as const) {
      const body =
        code === null ? '<html>' : `{"jsonrpc":"2.0","id":null,"error":{"code":${code},"message":"M."}}`
      stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'answer', status, body })
      const { isError, text } = await readDocument(server)
      const row = `${status} ${code}`
      expect([isError, text], row).toEqual([true, expect.stringContaining(`code=${ours} `)])
      expect((await readDocument(server)).isError, row).toBe(false)
    }
  })

  test("a tool's own failure is passed on as it is", async () => {
    const stage = await connectStage()
    await logIn(stage)
    const server = await startListed(stage)
    const { isError, text } = await callOther(server, 'fetch-doc', { doc_id: 'none' })
    expect([isError, text]).toEqual([true, expect.stringMatching(/^1770002 not found, log_id: \w+$/)])
  })
})

describe('the list of the hosted server', () => {
  const some = ['fetch-doc', 'create-doc', 'search-doc']
  const documented =
    'search-user get-user search-doc fetch-file create-doc fetch-doc update-doc list-docs get-comments add-comments'

  test('is asked for by all known names, else by the documented ones, else by each', async () => {
    const stage = await connectStage()
    await logIn(stage)
    const server = await startListed(stage)
    expect(await toolNames(server)).toContain('get-read-status')
    expect((await readDocument(server)).isError).toBe(false)

    const older = await connectStage({ knobs: { mcpTools: documented.split(' ') } })
    await logIn(older)
    expect(await toolNames(await startListed(older))).toEqual([...OURS, ...documented.split(' ')])

    const few = await connectStage({ knobs: { mcpTools: some } })
    await logIn(few)
    const last = await startListed(few)
    expect((await toolNames(last)).slice(3).sort()).toEqual([...some].sort())
    expect((await readDocument(last)).isError).toBe(false)
    await last.close()
    // What worked is kept.
    const before = few.sandbox.mcpRequests.length
    const next = await startConnect(few)
    await toolNames(next)
    await expect
      .poll(() => few.sandbox.mcpRequests.slice(before).some(({ method }) => method === 'tools/list'))
      .toBe(true)
    expect(few.sandbox.mcpRequests.at(-1)?.allowedTools?.split(',').sort()).toEqual([...some].sort())
  })

  test('holds with --tools these and never another', async () => {
    const stage = await connectStage()
    await logIn(stage)
    const server = await startListed(stage, ['--tools', 'fetch-doc,fetch-dok, create-doc'])
    expect(await toolNames(server)).toEqual([...OURS, 'fetch-doc', 'create-doc'])
    const refused = server.client.callTool({ name: 'search-doc', arguments: { query: 'a' } })
    await expect(refused).rejects.toThrow('not found')
    expect((await readDocument(server)).isError).toBe(false)
    await server.close()
    expect(server.transport.stderr).toContain('does not know these tools: fetch-dok')
    const asked = new Set(
      stage.sandbox.mcpRequests.flatMap(({ allowedTools }) => allowedTools?.split(',') ?? []),
    )
    expect([...asked].sort()).toEqual(['create-doc', 'fetch-doc', 'fetch-dok'])
  })

  test('that stays empty is told on stderr and in the warnings', async () => {
    const stage = await connectStage({ knobs: { mcpTools: [] } })
    await logIn(stage)
    const server = await startConnect(stage)
    await toolNames(server)
    await expect
      .poll(async () => JSON.stringify((await server.call('token_status')).data.warnings))
      .toContain('lists no tools although the token is valid')
    await server.close()
    expect(server.transport.stderr).toContain('lists no tools although the token is valid')
  })
})

test('keys of _meta that name a credential stay here', async () => {
  const stage = await connectStage()
  await logIn(stage)
  const server = await startListed(stage)
  const _meta = { progressToken: 1, authorization: 'Bearer x', deep: [{ sessionCookie: 'x', theme: 'dark' }] }
  await server.client.callTool({ name: 'fetch-doc', arguments: { doc_id: DOCUMENT }, _meta })
  expect(stage.sandbox.mcpRequests.at(-1)?.meta).toEqual({ progressToken: 1, deep: [{ theme: 'dark' }] })
})

test.each([
  [['connect', 'http://mcp.example.com/mcp'], 'must be https'],
  [['connect', 'ftp://127.0.0.1/'], 'must be https'],
  [['connect', 'https://me@mcp.feishu.cn/mcp'], 'without a user name'],
  [['connect', '--header', 'X={user}', 'https://a.example'], 'means nothing here'],
  [['connect', '--header', 'Host=x', 'https://a.example'], 'no header of the connection'],
  [['connect', 'https://a.example', 'https://b.example'], 'one address'],
  [['connect', 'https://a.example', '--', 'cmd'], 'not both'],
  [['connect', '--'], 'needs a program'],
  [['connect', '--env', 'A=b'], 'are for a program'],
  [['connect', '--what'], 'There is no option "--what"'],
])('%j ends with 2 before anything is served', async (args, why) => {
  const stage = await connectStage()
  const { code, stdout, stderr } = await run(stage, args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain(why)
})

test('a setting that names no address that may be used ends it with 2, too', async () => {
  const stage = await connectStage()
  const { code } = await run(stage, ['connect'], { env: { FEISHU_MCP_URL: 'http://mcp.example.com/mcp' } })
  expect(code).toBe(2)
})

testIf(NO_SIGNALS)('a signal ends it with 128+n, and calls under way are not waited for', async () => {
  const stage = await connectStage()
  await logIn(stage)
  const fault = stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'silence' }, Number.POSITIVE_INFINITY)
  const { child, end } = start(stage, ['connect'])
  const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } }
  const messages = [
    { id: 1, method: 'initialize', params: hello },
    { method: 'notifications/initialized' },
    { id: 2, method: 'tools/call', params: { name: 'fetch-doc', arguments: {} } },
  ]
  for (const message of messages) child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  await fault.reached
  child.kill('SIGTERM')
  expect((await end).code).toBe(143)
})
