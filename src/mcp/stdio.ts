// The server on stdin and stdout.

import type { Readable, Writable } from 'node:stream'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { createMessageLines } from './message-lines.ts'
import { type ServerOptions, serve } from './server.ts'

/** What is for another server may hold a file in base64; its answers have the same bound (bridge/lines.ts). */
const MAX_THROUGH_BYTES = 134_217_728

/** Serves MCP on a pair of streams, which are this process's stdin and stdout. `through`: what stands in between. */
export async function serveStdio(
  stdin: Readable,
  stdout: Writable,
  options: ServerOptions & { through?: ((client: Transport) => Transport) | undefined },
): Promise<{ close(): Promise<void> }> {
  const maxBytes = options.through ? MAX_THROUGH_BYTES : undefined
  const lines = stdin.pipe(createMessageLines((line) => void stdout.write(line), maxBytes))
  // Each line is bounded already.
  const client = new StdioServerTransport(lines, stdout, { maxBufferSize: Number.POSITIVE_INFINITY })
  return serve(options.through?.(client) ?? client, options)
}
