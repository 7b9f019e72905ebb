// Another MCP server that is a program on stdio.

import { type ChildOptions, openChildWire } from './child-wire.ts'
import { type Handlers, openLink, SILENCE_MS } from './link.ts'
import { createPeer, type Hello, type Peer } from './peer.ts'

/** `npx` fetches a package first, over a slow line perhaps; whoever asked gets an error before, and asks again. */
const START_MS = 300_000

/** A program on stdio, started with the first request, and again with the next one after its end. */
export function createChildPeer(
  options: ChildOptions & { hello: () => Hello; handlers: Handlers; silenceMs?: number },
): Peer {
  const { hello, handlers, silenceMs = SILENCE_MS } = options
  return createPeer({
    hello,
    startMs: START_MS,
    waitMs: silenceMs,
    async connect() {
      const wire = await openChildWire(options, () => link)
      const link = openLink({ silenceMs, handlers, wire })
      return { link, closed: wire.closed, setProtocolVersion: () => undefined }
    },
  })
}
