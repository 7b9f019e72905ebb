import type { Readable, Writable } from 'node:stream'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { createMessageLines } from './message-lines.ts'
import { type ServerOptions, serve } from './server.ts'

/** Serves MCP on a pair of streams, which are this process's stdin and stdout. */
export async function serveStdio(
  stdin: Readable,
  stdout: Writable,
  options: ServerOptions,
): Promise<{ close(): Promise<void> }> {
  const lines = stdin.pipe(createMessageLines((line) => void stdout.write(line)))
  return serve(new StdioServerTransport(lines, stdout), options)
}
