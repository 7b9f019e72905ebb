// The MCP server: tools, prompts, resource.

import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { ErrorCode, ListToolsRequestSchema, McpError } from '@modelcontextprotocol/sdk/types.js'
import { ICONS } from './icon.ts'
import { registerPrompts } from './prompts.ts'
import { registerStatusResource } from './status-resource.ts'
import { callTool, type ToolCall, type ToolContext } from './tool.ts'
import { TOOLS } from './tools.ts'

/** Read by models that see the tools only by search: the words that they would search for come first. */
const TOKEN_ONLY =
  'Manages the Feishu / Lark (飞书) user access token that other Feishu tools act with: authorize, refresh, check when it expires. '
const WITH_TOOLS =
  'Feishu / Lark (飞书) for the person: documents and what else the tools here offer, and the login that they act with. '
const HOW_TO =
  'token_status: first thing to call when a Feishu call fails for its token, or when asked about the login. ' +
  'refresh_token: when token_status says needs_refresh. ' +
  'start_authorization: when it says expired or not_authorized, or when asked to re-authorize; show the person the link, ' +
  'then call token_status with wait_seconds 45 until authorization_status is no longer pending. ' +
  'Each answer names the next step: follow it. No tool ever returns a token: never ask for one, never look for one in files.'

const AS_TOKEN = { name: 'feishu-token', title: 'Feishu Token' }
const AS_FEISHU = { name: 'feishu', title: 'Feishu' }

export type ServerOptions = ToolContext & {
  version: string
  /** The other server's tools are there, too. */
  withTools?: boolean
  /** Called once, when the client has finished its part of the handshake. */
  onInitialized: () => void
}

/** Creates the MCP server and connects it. Nothing is loaded, read, opened or asked before a tool needs it. */
export async function serve(transport: Transport, options: ServerOptions): Promise<Server> {
  const server = new Server(
    { ...(options.withTools ? AS_FEISHU : AS_TOKEN), version: options.version, icons: ICONS },
    {
      instructions: (options.withTools ? WITH_TOOLS : TOKEN_ONLY) + HOW_TO,
      // The three tools stay; what `connect` puts beside them may change.
      capabilities: { tools: { listChanged: true }, prompts: {}, resources: { subscribe: true } },
    },
  )
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: TOOLS.map(({ listing }) => listing) }))
  registerPrompts(server)
  registerStatusResource(server, options)
  // Not among the handlers: the SDK would check the arguments first, in words of its own, and each answer twice.
  server.fallbackRequestHandler = async ({ method, params }) => {
    if (method === 'tools/call') return callTool(TOOLS, options, server, params as ToolCall | undefined)
    throw new McpError(ErrorCode.MethodNotFound, `There is no method ${method}.`)
  }
  server.oninitialized = options.onInitialized
  await server.connect(transport)
  return server
}
