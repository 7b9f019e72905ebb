// The real @larksuiteoapi/lark-mcp as a child of `exec`: it never knows that the token changes.
// LARK_MCP_DIR names the folder it was installed into (npm install --ignore-scripts --prefix DIR @larksuiteoapi/lark-mcp@0.5.1).

import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { programLine } from '../docs/program-lines.ts'
import { makeFolder } from '../support/folder.ts'
import { HANGS_MS } from '../support/patience.ts'
import { authorize, PROGRAM, setStage, startServer } from '../support/program.ts'

const installed = join(
  process.env.LARK_MCP_DIR ?? '',
  'node_modules',
  '@larksuiteoapi',
  'lark-mcp',
  'dist',
  'cli.js',
)

function skipWithoutLarkMcp(context: TestContext): void {
  if (process.env.LARK_MCP_DIR && existsSync(installed)) return
  const how = 'npm install --ignore-scripts --prefix DIR @larksuiteoapi/lark-mcp@0.5.1'
  context.skip(`lark-mcp is not installed: run ${how} and set LARK_MCP_DIR=DIR`)
}

test('lark-mcp goes on calling while the token expires and rotates, without a restart', async (context) => {
  skipWithoutLarkMcp(context)
  const stage = await setStage()
  const server = await startServer(stage)
  await authorize(stage, server)

  const lark = [
    process.execPath,
    installed,
    'mcp',
    '--token-mode',
    'user_access_token',
    '-t',
    'docx.v1.document.rawContent',
  ]
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [PROGRAM, 'exec', '--', ...lark],
    env: stage.env,
    stderr: 'ignore',
  })
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(transport, { timeout: HANGS_MS })
  onTestFinished(() => client.close())
  const { tools } = await client.listTools()
  const [tool] = tools.map(({ name }) => name).filter((name) => name.includes('rawContent'))

  const call = { name: String(tool), arguments: { path: { document_id: 'doxcn1' }, useUAT: true } }
  for (let rotation = 0; rotation < 3; rotation += 1) {
    const result = await client.callTool(call)
    expect(JSON.stringify(result.content)).toContain('content')
    expect(result.isError ?? false).toBe(false)
    stage.sandbox.clock.advance(stage.sandbox.knobs.accessTokenLifetimeMs + 1_000)
  }
  const last = await client.callTool(call)
  expect(last.isError ?? false).toBe(false)
  expect(stage.sandbox.ledger.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(3)
  const reads = stage.sandbox.requests.filter(({ path }) => path.includes('/raw_content'))
  expect(reads.filter(({ status }) => status === 200)).toHaveLength(4)
}, 120_000)

test('lark-mcp runs by the line of the documents, behind a proxy that leads nowhere', async (context) => {
  skipWithoutLarkMcp(context)
  const stage = await setStage()
  const server = await startServer(stage)
  await authorize(stage, server)
  await server.close()
  // `npx -y PACKAGE …`, without a network.
  const bin = makeFolder()
  writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift 2\nexec ${process.execPath} ${installed} "$@"\n`)
  chmodSync(join(bin, 'npx'), 0o755)
  const [program, ...words] = programLine('lark-mcp').split(' ')
  expect([program, words.includes('npx')]).toEqual(['feishu-token-mcp', true])
  const nowhere = 'http://127.0.0.1:1'
  const proxies = { HTTP_PROXY: nowhere, http_proxy: nowhere, NO_PROXY: 'corp.example' }
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [PROGRAM, ...words],
    env: { ...stage.env, ...proxies, PATH: `${bin}${delimiter}${process.env.PATH}` },
    stderr: 'ignore',
  })
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(transport, { timeout: HANGS_MS })
  onTestFinished(() => client.close())
  const { tools } = await client.listTools()
  const name = String(tools.map((tool) => tool.name).find((tool) => tool.includes('rawContent')))
  const result = await client.callTool({ name, arguments: { path: { document_id: 'doxcn1' }, useUAT: true } })
  expect(result.isError ?? false, JSON.stringify(result.content)).toBe(false)
  expect(JSON.stringify(result.content)).toContain('content')
}, 120_000)
