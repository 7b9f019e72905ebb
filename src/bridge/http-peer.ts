// Another MCP server that is reached over HTTP.

import { type HttpOptions, openHttpWire } from './http-wire.ts'
import { type Handlers, openLink, SILENCE_MS } from './link.ts'
import { createPeer, type Hello, type Peer } from './peer.ts'

/** A server over HTTP. */
export function createHttpPeer(
  options: HttpOptions & { hello: () => Hello; handlers: Handlers; silenceMs?: number },
): Peer {
  const { hello, handlers, silenceMs = SILENCE_MS } = options
  return createPeer({
    hello,
    startMs: silenceMs,
    waitMs: silenceMs,
    async connect() {
      const wire = await openHttpWire(options, () => link)
      const link = openLink({ silenceMs, handlers, wire })
      return { link, closed: NEVER, setProtocolVersion: wire.setProtocolVersion }
    },
  })
}

/** Requests find out by themselves. */
const NEVER = new Promise<never>(() => undefined)
