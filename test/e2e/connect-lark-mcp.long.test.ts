// The real @larksuiteoapi/lark-mcp under `connect -- npx …`, from nothing to a document read, in one session.
// LARK_MCP_DIR names the folder it was installed into (npm install --ignore-scripts --prefix DIR @larksuiteoapi/lark-mcp@0.5.1):
// npx finds it there, and asks no registry.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { callOther, connectStage, DOCUMENT, OURS, startListed } from '../support/connect.ts'
import { authorize, presentations } from '../support/program.ts'

const installed = join(process.env.LARK_MCP_DIR ?? '', 'node_modules/@larksuiteoapi/lark-mcp/dist/cli.js')

test('lark-mcp under connect: a login in the chat, a document, and a token that nobody notices', {
  timeout: 240_000,
}, async (context) => {
  if (!process.env.LARK_MCP_DIR || !existsSync(installed)) {
    const how = 'npm install --ignore-scripts --prefix DIR @larksuiteoapi/lark-mcp@0.5.1'
    context.skip(`lark-mcp is not installed: run ${how} and set LARK_MCP_DIR=DIR`)
  }
  const stage = await connectStage({ env: { FEISHU_SCOPES: '@lark-mcp' } })
  stage.sandbox.setApp({
    enabledScopes: [
      ...stage.sandbox.app.enabledScopes,
      'bitable:app',
      'docs:document:import',
      'docs:permission.member:create',
    ],
  })
  const there = ['sh', '-c', 'cd "$0" && exec "$@"', process.env.LARK_MCP_DIR ?? '']
  const npx = [...there, 'npx', '-y', '@larksuiteoapi/lark-mcp@0.5.1']
  const words = ['mcp', '--token-mode', 'user_access_token', '-t', 'docx.v1.document.rawContent']
  const server = await startListed(stage, ['--for', 'lark-mcp', '--', ...npx, ...words])
  const { tools } = await server.client.listTools()
  const name = tools.map(({ name }) => name).find((name) => name.includes('rawContent')) ?? ''
  expect(tools.map(({ name }) => name)).toEqual([...OURS, name])
  const read = () => callOther(server, name, { path: { document_id: DOCUMENT }, useUAT: true })
  expect((await read()).text).toMatch(/start_authorization/)
  await authorize(stage, server)
  expect((await read()).text).toContain('the launch, at 15:00')
  stage.sandbox.clock.advance(stage.sandbox.knobs.accessTokenLifetimeMs + 1_000)
  expect((await read()).text).toContain('the launch, at 15:00')
  expect(presentations(stage)).toBe(1)
})
