// The server on stdin and stdout.

import type { Readable, Writable } from 'node:stream'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { createMessageLines } from './message-lines.ts'
import { type ServerOptions, serve } from './server.ts'

/** Serves MCP on a pair of streams, which are this process's stdin and stdout. `through`: what stands in between. */
export async function serveStdio(
  stdin: Readable,
  stdout: Writable,
  options: ServerOptions & { through?: ((client: Transport) => Transport) | undefined },
): Promise<{ close(): Promise<void> }> {
  const lines = stdin.pipe(createMessageLines((line) => void stdout.write(line)))
  const client = new StdioServerTransport(lines, stdout)
  return serve(options.through?.(client) ?? client, options)
}
