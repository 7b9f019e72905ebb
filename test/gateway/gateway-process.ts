import { Agent } from 'undici'
import { startGateway } from '../../src/gateway/gateway.ts'

// A gateway in a process of its own, so that its memory can be measured. Usage: gateway-process.ts OPEN_URL

const token = { accessToken: 'secret-token-1', generation: 1 }
const gateway = await startGateway({
  openUrl: process.argv[2] ?? '',
  dispatcher: async () => new Agent(),
  currentToken: async () => token,
  renewToken: async () => token,
  log: () => {},
})
process.send?.({ origin: gateway.origin, key: gateway.key })
// Any message asks for the peak of the resident memory so far, in bytes.
process.on('message', () => process.send?.(process.resourceUsage().maxRSS * 1024))
process.once('disconnect', () => process.exit())
