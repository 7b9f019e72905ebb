// Feishu's hosted MCP server (`mcp.feishu.cn/mcp`): POST only, plain JSON, stateless, a bare token in a header of its
// own. What is documented nowhere (how an expired token is refused, sessions, event streams) is behind knobs.

import { randomUUID } from 'node:crypto'
import { describeTool, HOSTED_TOOLS, type HostedTool } from './mcp-tools.ts'
import type { AccessToken } from './state.ts'
import { type Answer, type Call, json } from './wire.ts'

export const MCP_PATH = '/mcp'

/** One request that reached the server, for tests. */
export type McpRecord = {
  method: string | null
  /** The tool or prompt that it names. */
  name: string | null
  /** `params._meta`, as it came. */
  meta: unknown
  allowedTools: string | null
  /** Whether something was done: a tool ran, or a list was given. */
  done: boolean
  status: number
}

type Message = {
  jsonrpc?: unknown
  id?: number | string
  method?: string
  params?: { name?: string; arguments?: Record<string, unknown>; _meta?: { progressToken?: unknown } }
}

type Reply = { status: number; body: object | null; headers?: Record<string, string>; done?: boolean }

function failure(status: number, code: number, message: string, id: unknown = null): Reply {
  return { status, body: { jsonrpc: '2.0', id, error: { code, message } } }
}

function parse(body: string): Message | null {
  try {
    return JSON.parse(body) as Message
  } catch {
    return null
  }
}

function header(call: Call, name: string): string | null {
  const value = call.headers[name]
  return typeof value === 'string' ? value : null
}

/** The caller's token, or how it is refused. */
function admit(call: Call, id: unknown): { token: AccessToken | null } | Reply {
  const { state } = call
  const user = header(call, 'x-lark-mcp-uat')
  const tenant = header(call, 'x-lark-mcp-tat')
  if (!user && !tenant) return failure(401, -32011, 'No authentication token provided', id)
  const { status, code, message } = state.knobs.mcpRefusal
  const refused: Reply =
    code === null ? { status, body: null } : failure(status, code, message ?? 'Unauthorized', id)
  if (tenant) return state.tenantTokens.has(tenant) ? { token: null } : refused
  const token = state.accessTokens.get(user ?? '')
  const live =
    token &&
    token.authorization.revokedAt === null &&
    (token.revokedAt === null || call.now < token.revokedAt) &&
    call.now < token.expiresAt
  return live ? { token } : refused
}

/** The tools that a request may see; one unknown name hides all. */
function allowedTools(call: Call): HostedTool[] {
  const known = HOSTED_TOOLS.filter(({ name }) => call.state.knobs.mcpTools?.includes(name) ?? true)
  const names = (header(call, 'x-lark-mcp-allowed-tools') ?? '').split(',').map((name) => name.trim())
  const found = names.map((name) => known.find((tool) => tool.name === name))
  return found.every((tool) => tool !== undefined) ? found : []
}

function toolResult(id: unknown, text: string, isError = false): Reply {
  return { status: 200, body: { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }], isError } } }
}

function callTool(call: Call, message: Message, token: AccessToken | null): Reply {
  const { id, params = {} } = message
  const tool = allowedTools(call).find(({ name }) => name === params.name)
  if (!tool) return failure(400, -32602, `Unknown tool: ${params.name}`, id)
  const lacking = tool.scopes.filter((scope) => token && !token.scopes.includes(scope))
  if (lacking.length > 0 && call.state.knobs.mcpMissingScopes === 'refused') {
    return failure(401, -32010, `oauth required: [${lacking.join(', ')}]`, id)
  }
  if (lacking.length > 0) {
    const why = `99991679 Unauthorized: [${lacking.join(', ')}] log_id: ${call.logId}`
    return toolResult(id, why, true)
  }
  const answer = tool.run?.(call.state, params.arguments ?? {})
  if (answer === undefined) return toolResult(id, `1770002 not found, log_id: ${call.logId}`, true)
  return { ...toolResult(id, JSON.stringify(answer)), done: true }
}

function serve(call: Call, message: Message, token: AccessToken | null): Reply {
  const { id, method } = message
  const { knobs, mcpSessions } = call.state
  const result = (value: object, headers = {}): Reply => {
    return { status: 200, body: { jsonrpc: '2.0', id, result: value }, headers, done: true }
  }
  if (knobs.mcpSessions && method !== 'initialize') {
    const session = header(call, 'mcp-session-id')
    if (!session) return failure(400, -32600, 'Mcp-Session-Id header is required', id)
    if (!mcpSessions.has(session)) return failure(404, -32001, 'Session not found', id)
  }
  if (id === undefined) return { status: 202, body: null }
  if (method === 'initialize') {
    const session = randomUUID()
    if (knobs.mcpSessions) mcpSessions.add(session)
    const info = { name: 'feishu-mcp', version: '1.0.0' }
    const headers = knobs.mcpSessions ? { 'mcp-session-id': session } : {}
    return result({ protocolVersion: '2024-11-05', capabilities: { tools: {} }, serverInfo: info }, headers)
  }
  if (method === 'ping') return result({})
  if (method === 'tools/list') return result({ tools: allowedTools(call).map(describeTool) })
  if (method === 'tools/call') return callTool(call, message, token)
  return failure(404, -32601, 'Method not found', id)
}

function answer(call: Call, message: Message | null): Reply {
  const type = call.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') return failure(400, -32042, 'Invalid Content Type')
  if (message === null) return failure(400, -32700, 'Parse error')
  if (message.jsonrpc !== '2.0' || typeof message.method !== 'string')
    return failure(400, -32600, 'Invalid Request')
  const admitted = admit(call, message.id)
  return 'status' in admitted ? admitted : serve(call, message, admitted.token)
}

/** The answer as an event stream: first the progress that was asked for, then what would have been the whole answer. */
function eventStream(message: Message | null, body: object): Answer {
  const progressToken = message?.params?._meta?.progressToken
  const params = { progressToken, progress: 1, total: 2 }
  const messages = [
    ...(progressToken === undefined ? [] : [{ jsonrpc: '2.0', method: 'notifications/progress', params }]),
    body,
  ]
  const events = messages.map((event) => `event: message\ndata: ${JSON.stringify(event)}\n\n`)
  return { status: 200, headers: { 'content-type': 'text/event-stream' }, body: events.join('') }
}

/** One POST to the hosted server. */
export function handleMcp(call: Call): Answer {
  const message = parse(call.body)
  const { status, body, headers = {}, done = false } = answer(call, message)
  call.state.mcpRequests.push({
    method: message?.method ?? null,
    name: message?.params?.name ?? null,
    meta: message?.params?._meta ?? null,
    allowedTools: header(call, 'x-lark-mcp-allowed-tools'),
    done,
    status,
  })
  const streams = call.state.knobs.mcpEventStreams && status === 200 && body !== null
  const sent = body === null ? { status, headers: {}, body: '' } : json(status, body)
  const shaped = streams ? eventStream(message, body) : sent
  return { ...shaped, headers: { ...shaped.headers, ...headers } }
}

/** Anything but POST: the hosted server offers no stream of its own. */
export function refuseMethod(): Answer {
  return { status: 405, headers: { allow: 'POST' }, body: '' }
}
