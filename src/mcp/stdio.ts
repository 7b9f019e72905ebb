import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { type ServerOptions, serve } from './server.ts'

/** Serves MCP on this process's stdin and stdout. */
export async function serveStdio(options: ServerOptions): Promise<{ close(): Promise<void> }> {
  return serve(new StdioServerTransport(), options)
}
