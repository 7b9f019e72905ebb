// The second generation of the TypeScript SDK's client, which asks for the protocol of 2026 first if it may.
// MCP_CLIENT_DIR names the folder it was installed into.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type {
  CallToolResult,
  GetPromptResult,
  ReadResourceResult,
  Tool,
} from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readAnswer } from '../support/contract.ts'
import { approve, PROGRAM, setStage } from '../support/program.ts'

/** What is used of that package here. */
type Client = {
  connect(transport: object): Promise<void>
  close(): Promise<void>
  listTools(): Promise<{ tools: Tool[] }>
  callTool(call: { name: string; arguments: object }): Promise<CallToolResult>
  getPrompt(prompt: { name: string }): Promise<GetPromptResult>
  readResource(resource: { uri: string }): Promise<ReadResourceResult>
  getNegotiatedProtocolVersion(): string | undefined
  getServerVersion(): { icons?: unknown[] } | undefined
}
type Package = {
  Client: new (info: object, options: { versionNegotiation: { mode: string } }) => Client
  StdioClientTransport: new (server: {
    command: string
    args: string[]
    env: object
    stderr: string
  }) => object
}

const folder = join(process.env.MCP_CLIENT_DIR ?? '', 'node_modules/@modelcontextprotocol/client/dist')

async function load(): Promise<Package> {
  const [main, stdio] = await Promise.all(
    ['index.mjs', 'stdio.mjs'].map((file) => import(pathToFileURL(join(folder, file)).href)),
  )
  return { ...main, ...stdio }
}

describe.each(['legacy', 'auto'])('in its %s mode', (mode) => {
  test('the client authorizes, reads the status and refreshes', async (context) => {
    if (!process.env.MCP_CLIENT_DIR || !existsSync(folder)) {
      const how = 'npm install --ignore-scripts --prefix DIR @modelcontextprotocol/client@2.4.0'
      context.skip(`the client is not installed: run ${how} and set MCP_CLIENT_DIR=DIR`)
    }
    const stage = await setStage()
    const { Client, StdioClientTransport } = await load()
    const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode } })
    const command = { command: process.execPath, args: [PROGRAM], env: stage.env, stderr: 'ignore' }
    await client.connect(new StdioClientTransport(command))
    onTestFinished(() => client.close())
    // The protocol of 2026 is not spoken here: asked for it, the server says so, and the client falls back.
    expect(client.getNegotiatedProtocolVersion()).toBe('2025-11-25')
    expect(client.getServerVersion()?.icons).toHaveLength(2)
    expect((await client.listTools()).tools).toHaveLength(3)
    expect((await client.getPrompt({ name: 'check' })).messages).toHaveLength(1)

    // The client itself holds each structured answer against the schema that the tool advertises.
    const call = async (name: string, args: object) =>
      readAnswer(await client.callTool({ name, arguments: args })).data
    const started = await call('start_authorization', { open_browser: false })
    await approve(stage, started.authorization_url)
    expect(await call('token_status', { wait_seconds: 20 })).toMatchObject({ status: 'valid', generation: 1 })
    expect(await call('refresh_token', { force: true })).toMatchObject({ status: 'refreshed', generation: 2 })
    const { contents } = await client.readResource({ uri: 'feishu-token://status' })
    expect(JSON.parse(String((contents[0] as { text?: string }).text))).toMatchObject({ generation: 2 })
  })
})
