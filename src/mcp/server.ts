import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { SubscribeRequestSchema, UnsubscribeRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { ICONS } from './icon.ts'
import { registerRefreshToken } from './refresh-token.ts'
import { registerStartAuthorization } from './start-authorization.ts'
import { registerTokenStatus } from './token-status.ts'
import type { ToolContext } from './tool-result.ts'

const STATUS_URI = 'feishu-token://status'
/** How soon a subscriber learns of a change, whichever process made it. */
const CHANGE_POLL_MS = 1_000

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
export async function serve(transport: Transport, options: ServerOptions): Promise<McpServer> {
  const server = new McpServer(
    { ...(options.withTools ? AS_FEISHU : AS_TOKEN), version: options.version, icons: ICONS },
    {
      instructions: (options.withTools ? WITH_TOOLS : TOKEN_ONLY) + HOW_TO,
      capabilities: { resources: { subscribe: true } },
    },
  )
  registerStartAuthorization(server, options)
  registerTokenStatus(server, options)
  registerRefreshToken(server, options)
  registerPrompts(server)
  registerStatusResource(server, options)
  server.server.oninitialized = options.onInitialized
  await server.connect(transport)
  return server
}

function registerPrompts(server: McpServer): void {
  const prompt = (name: string, title: string, description: string, text: string) => {
    server.registerPrompt(name, { title, description }, () => ({
      messages: [{ role: 'user', content: { type: 'text', text } }],
    }))
  }
  prompt(
    'reauthorize',
    'Re-authorize Feishu',
    'Log in at Feishu again and wait until it is done.',
    'Re-authorize Feishu: call start_authorization, show me the link, then call token_status with wait_seconds 45 ' +
      'until the authorization has ended. Tell me who is logged in and until when, or what went wrong and what to do.',
  )
  prompt(
    'check',
    'Check the Feishu token',
    'Is the Feishu token valid, and until when?',
    'Check my Feishu token: call token_status and tell me in two sentences whether it is valid, until when, and by ' +
      'when I must log in again. If it needs a refresh, call refresh_token and tell me the result.',
  )
}

function registerStatusResource(server: McpServer, { getDeps }: ToolContext): void {
  const metadata = {
    title: 'Feishu token status',
    description: 'What token_status answers, as JSON.',
    mimeType: 'application/json',
  }
  const read = async () => {
    const { tokenStatus } = await import('../status/status.ts')
    const deps = await getDeps()
    return tokenStatus(deps, { profile: deps.config.profile, verify: false, waitSeconds: 0 })
  }
  server.registerResource('status', STATUS_URI, metadata, async () => {
    const { errorAnswer } = await import('../answers.ts')
    const { toCodedError } = await import('../errors.ts')
    const json = await read().catch((error) => errorAnswer(toCodedError(error)))
    return {
      contents: [{ uri: STATUS_URI, mimeType: metadata.mimeType, text: JSON.stringify(json, null, 2) }],
    }
  })
  let watch: NodeJS.Timeout | null = null
  let told: string | null = null
  const look = async () => {
    const status = await read().catch(() => null)
    const now = JSON.stringify([status?.status, status?.generation, status?.authorization_status])
    if (told !== null && told !== now) await server.server.sendResourceUpdated({ uri: STATUS_URI })
    told = now
  }
  const unwatch = () => {
    if (watch) clearInterval(watch)
    watch = null
    told = null
  }
  server.server.setRequestHandler(SubscribeRequestSchema, async ({ params }) => {
    if (params.uri !== STATUS_URI) return {}
    await look()
    watch ??= setInterval(() => void look().catch(unwatch), CHANGE_POLL_MS).unref()
    return {}
  })
  server.server.setRequestHandler(UnsubscribeRequestSchema, async ({ params }) => {
    if (params.uri === STATUS_URI) unwatch()
    return {}
  })
}
