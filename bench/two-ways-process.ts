// The SDK's client in a process of its own, as an assistant, that reaches the hosted server through `connect` and without
// us. Told how many calls to make, it makes each of them both ways, in turns, and answers with what they took, in
// milliseconds.

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'

const [url = '', headers = '{}', call = '{}', command = '', ...args] = process.argv.slice(2)
const { name, ...given } = JSON.parse(call) as { name: string; arguments: Record<string, unknown> }

async function open(transport: Transport): Promise<Client> {
  const client = new Client({ name: 'bench', version: '1' })
  await client.connect(transport)
  return client
}

async function timeOf(client: Client): Promise<number> {
  const began = performance.now()
  const { isError, content } = await client.callTool({ name, ...given })
  if (isError) throw new Error(JSON.stringify(content))
  return performance.now() - began
}

const env = process.env as Record<string, string>
const through = await open(new StdioClientTransport({ command, args, env, stderr: 'ignore' }))
const requestInit = { headers: JSON.parse(headers) }
const direct = await open(new StreamableHTTPClientTransport(new URL(url), { requestInit }) as Transport)
while (!(await through.listTools()).tools.some((tool) => tool.name === name)) {
  await new Promise((resume) => setTimeout(resume, 50))
}
process.on('message', async (count: number) => {
  const times: { through: number[]; direct: number[] } = { through: [], direct: [] }
  for (let made = 0; made < count; made += 1) {
    times.through.push(await timeOf(through))
    times.direct.push(await timeOf(direct))
  }
  process.send?.(times)
})
process.on('disconnect', async () => {
  await through.close()
  process.exit(0)
})
process.send?.('ready')
