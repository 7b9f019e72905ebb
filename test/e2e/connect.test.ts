// `connect` as its users meet it: one entry, no token, a login in the chat, a document read.

import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect, test } from 'vitest'
import { authorize, type Server, type Stage, setStage, startServer } from '../support/program.ts'

const OURS = ['start_authorization', 'token_status', 'refresh_token']

async function openStage(): Promise<Stage> {
  const stage = await setStage()
  stage.env.FEISHU_MCP_URL = `${stage.sandbox.url}/mcp`
  return stage
}

function connect(stage: Stage, ...args: string[]): Promise<Server> {
  return startServer(stage, { args: ['connect', ...args] })
}

async function names({ client }: Server): Promise<string[]> {
  return (await client.listTools()).tools.map(({ name }) => name)
}

/** Resolves when the client is told that the tools are others. */
function listChanged({ client }: Server): Promise<void> {
  return new Promise((resolve) =>
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()),
  )
}

test('from nothing to a document in one session', async () => {
  const stage = await openStage()
  const server = await connect(stage)
  expect(server.client.getServerVersion()?.name).toBe('feishu')
  expect(await names(server)).toEqual(OURS)
  const early = await server.call('fetch-doc', { doc_id: 'doxcnWeeklyPlan0000000000001' })
  expect(early.text).toMatch(
    /^FAILED: .*[Cc]all start_authorization.*\[code=not_authorized recovery=reauthorize\]$/s,
  )
  const changed = listChanged(server)
  await authorize(stage, server)
  await changed
  expect(await names(server)).toEqual([...OURS, ...(await names(server)).slice(3)])
  expect(await names(server)).toContain('fetch-doc')
  const { content } = await server.client.callTool({
    name: 'fetch-doc',
    arguments: { doc_id: 'doxcnWeeklyPlan0000000000001' },
  })
  expect(JSON.stringify(content)).toContain('the launch, at 15:00')
})
