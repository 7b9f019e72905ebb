// Another MCP server on stdio, for `connect -- CMD`: its tools say what reached it, and misbehave on request.

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { z } from 'zod'

const server = new McpServer(
  { name: 'other', version: '1' },
  { capabilities: { logging: {}, resources: { listChanged: true } } },
)
const text = (value: unknown) => ({
  content: [{ type: 'text' as const, text: JSON.stringify(value ?? null) }],
})
const plain = { inputSchema: z.looseObject({}) }
const cancelled: string[] = []

server.registerTool(
  'echo',
  { ...plain, title: 'Echo', annotations: { readOnlyHint: true }, _meta: { theirs: 1 } },
  (args, { _meta }) => ({ ...text({ args, _meta }), structuredContent: { kept: true }, unheardOf: 7 }),
)
server.registerTool('environment', plain, () =>
  text({ pid: process.pid, names: Object.keys(process.env), origin: process.env.LARK_DOMAIN }),
)
server.registerTool('fetch', plain, async () => {
  const { LARK_DOMAIN = '', USER_ACCESS_TOKEN = '' } = process.env
  const headers = { authorization: `Bearer ${USER_ACCESS_TOKEN}` }
  const answer = await fetch(`${LARK_DOMAIN}/open-apis/docx/v1/documents/doxcn1/raw_content`, { headers })
  return text(await answer.json())
})
server.registerTool('noise', plain, () => {
  process.stdout.write('this is no message\n{"half":\n')
  return text('done')
})
server.registerTool('die', plain, () => process.exit(3))
server.registerTool('hang', plain, async (_args, { signal }) => {
  signal.addEventListener('abort', () => cancelled.push('hang'))
  await new Promise(() => undefined)
  return text(null)
})
server.registerTool('cancelled', plain, () => text(cancelled))
server.registerTool('slow', plain, async (_args, { _meta, sendNotification }) => {
  const progressToken = _meta?.progressToken ?? 0
  await sendNotification({
    method: 'notifications/progress',
    params: { progressToken, progress: 1, total: 2 },
  })
  await server.server.sendLoggingMessage({ level: 'info', data: 'half way' })
  // A client that reads both at once may forget the one over the other.
  await new Promise((resolve) => setTimeout(resolve, 50))
  return text('slow')
})
server.registerTool('ask', plain, async () => {
  const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: 'and?' } }]
  const params = { messages, maxTokens: 10 }
  return text(await server.server.createMessage(params).catch(({ code }: { code: number }) => ({ code })))
})
server.registerTool('more', plain, () => {
  server.registerTool('late', plain, () => text('late'))
  return text('more')
})
server.registerTool('fail', plain, () => ({ isError: true, ...text('its own failure') }))
server.registerTool('token_status', plain, () => text('theirs'))
server.registerPrompt('check', {}, () => ({
  messages: [{ role: 'user', content: { type: 'text', text: 'theirs' } }],
}))
server.registerPrompt('other', {}, () => ({
  messages: [{ role: 'user', content: { type: 'text', text: 'other' } }],
}))
server.registerResource('thing', 'other://thing', {}, ({ href }) => ({
  contents: [{ uri: href, text: 'a thing' }],
}))

if (process.argv.includes('--stubborn')) {
  process.on('SIGTERM', () => undefined)
  setInterval(() => undefined, 1_000)
} else process.stdin.on('end', () => process.exit(0))
process.stderr.write('the other server is up\n')
await server.connect(new StdioServerTransport())
