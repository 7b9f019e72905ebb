// docs/tools.md against the built server, which is started as mcp.json.example says.

import { readFileSync } from 'node:fs'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import type { Tool } from '@modelcontextprotocol/sdk/types.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blocks, quoted, rows, section } from '../support/document.ts'

const tools = readFileSync('docs/tools.md', 'utf8')

/** A server that is started as mcp.json.example says, with `filled` in its env. */
async function startExample(filled: Record<string, string>): Promise<Client> {
  const { mcpServers } = JSON.parse(readFileSync('mcp.json.example', 'utf8'))
  const { command, args, env } = mcpServers.feishu
  expect(command).toBe('node')
  const client = new Client({ name: 'test', version: '1.0.0' })
  const resolved = args.map((argument: string) =>
    argument.replace('/path/to/feishu-token-mcp', process.cwd()),
  )
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: resolved,
      env: { ...env, ...filled, HOME: '/nonexistent' },
    }),
  )
  return client
}

test('mcp.json.example is not taken for filled in as it is', async () => {
  const client = await startExample({})
  const { content } = await client.callTool({ name: 'token_status', arguments: {} })
  expect(JSON.stringify(content)).toMatch(
    /FEISHU_APP_SECRET is no App Secret: it is a placeholder.*config_inv/,
  )
  await client.close()
})

describe('the built server, started as mcp.json.example says', () => {
  let client: Client
  let real: Tool[]

  beforeAll(async () => {
    client = await startExample({ FEISHU_APP_SECRET: 'filled-in' })
    real = (await client.listTools()).tools
  })

  afterAll(() => client.close())

  test('answers, and takes its settings', async () => {
    const { structuredContent } = await client.callTool({ name: 'token_status', arguments: {} })
    expect(structuredContent).toMatchObject({ status: 'not_authorized', app_id: 'cli_your_app_id' })
  })

  test('has the tools and arguments of docs/tools.md', () => {
    const table = rows(tools).map(([name = '', args = '']) => [quoted(name)[0], quoted(args)] as const)
    expect(table.map(([name]) => name).toSorted()).toEqual(real.map(({ name }) => name).toSorted())
    for (const { name, inputSchema } of real) {
      const documented = table.find(([each]) => each === name)?.[1]
      expect(documented, name).toEqual(expect.arrayContaining(Object.keys(inputSchema.properties ?? {})))
    }
  })

  test('answers with the fields of the samples', () => {
    const samples = blocks(tools).filter(({ language }) => language === 'json')
    const fields = samples.map(({ text }) => Object.keys(JSON.parse(text)).toSorted())
    const answers = real.map(({ outputSchema }) => Object.keys(outputSchema?.properties ?? {}).toSorted())
    expect(fields).toEqual(answers)
  })

  test('knows every tool, argument, field and value that the rule for assistants names', () => {
    const rule = blocks(section('A rule for assistants', tools))[0]?.text ?? ''
    const schemas = JSON.stringify(
      real.map(({ name, inputSchema, outputSchema }) => [name, inputSchema, outputSchema]),
    )
    const recoveries = readFileSync('src/errors.ts', 'utf8')
    const named = rule.match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? []
    expect(named.length).toBeGreaterThan(10)
    expect(
      named.filter((name) => !schemas.includes(`"${name}"`) && !recoveries.includes(`'${name}'`)),
    ).toEqual([])
  })
})
