// The SDK's client in a process of its own, as an assistant that reaches the hosted server without us: told how many
// calls to make, it answers with what each took, in milliseconds.

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const [url = '', headers = '{}', call = '{}'] = process.argv.slice(2)
const client = new Client({ name: 'bench', version: '1' })
const requestInit = { headers: JSON.parse(headers) }
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
process.on('message', async (count: number) => {
  const times: number[] = []
  for (let made = 0; made < count; made += 1) {
    const began = performance.now()
    await client.callTool(JSON.parse(call))
    times.push(performance.now() - began)
  }
  process.send?.(times)
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
