// The gateway that stands until it is stopped: /open-apis, /mcp and /healthz.

import type { IncomingMessage } from 'node:http'
import type { Fault } from './fault.ts'
import { oncePerOrigin } from './gateway.ts'
import { type ProxyOptions, type RunningProxy, startProxy } from './proxy.ts'
import { MCP, MCP_STREAM, OPEN_API } from './refusal.ts'
import { bearerOf, endToEnd, type OutgoingHeaders } from './rewrite.ts'
import type { Route } from './route.ts'

// The same gateway for containers, flows and several programs: it stands until it is stopped, and each program has a
// key of its own.

/** Where requests go. */
export type Destinations = {
  /** Origin of the open host in force. */
  openUrl: string
  /** Address of the hosted MCP server. */
  mcpUrl: string
}

export type StandingOptions = Omit<ProxyOptions, 'route' | 'keepAliveMs'> & {
  /** Asked for each request that is let in; rejects where there is no app. */
  destinations: () => Promise<Destinations>
  /** How this program was started: it makes the keys. */
  command: string
  /** What stands behind a command for the gateway's profile. */
  option: string
  /** Asked for each request. */
  acceptsKey: (key: string) => boolean
  /** The tools that a program may see that names none itself. */
  tools: readonly string[]
}

/** A program on another machine that went away without a word holds no connection for ever. */
const KEEP_ALIVE_MS = 120_000

/** What a server might take for another path than the one that is looked at here: some unpack a path before they read it. */
const STEPS_UP = /(?:[/\\]|%2f|%5c)(?:\.|%2e){2}(?:[/\\;]|%2f|%5c|%3b|$)/i

/** Starts the gateway; it lives until `close`. */
export function startStandingGateway(options: StandingOptions): Promise<RunningProxy> {
  return startProxy({
    ...options,
    dispatcher: oncePerOrigin(options.dispatcher),
    keepAliveMs: KEEP_ALIVE_MS,
    route: (req) => routeOf(req, options),
  })
}

async function routeOf(req: IncomingMessage, options: StandingOptions): Promise<Route | Fault | string> {
  const { method = '', headers, url = '' } = req
  const [path = ''] = url.split('?', 1)
  const query = url.slice(path.length)
  if (path === '/healthz' && (method === 'GET' || method === 'HEAD')) return 'ok'
  const key = bearerOf(headers)
  if (key === null || !options.acceptsKey(key)) return wrongKey(options)
  if (STEPS_UP.test(path)) return NO_SUCH_PATH
  if (path.startsWith('/open-apis/')) {
    const { openUrl } = await options.destinations()
    return {
      origin: openUrl,
      path: url,
      takesToken: true,
      headers: (token) => ({ ...ownHeaders(req), authorization: `Bearer ${token}` }),
      refusals: OPEN_API,
    }
  }
  if (path !== '/mcp') return NO_SUCH_PATH
  const mcp = new URL((await options.destinations()).mcpUrl)
  const tools = headers['x-lark-mcp-allowed-tools'] ?? options.tools.join(',')
  const route: Route = {
    origin: mcp.origin,
    path: `${mcp.pathname}${mcp.search === '' ? query : mcp.search}`,
    takesToken: true,
    headers: (token) => ({
      ...ownHeaders(req),
      'x-lark-mcp-uat': token ?? '',
      'x-lark-mcp-allowed-tools': tools,
    }),
    refusals: MCP,
  }
  // The stream of a session: it may be silent for hours, and ends with the key.
  if (method !== 'GET') return route
  return { ...route, refusals: MCP_STREAM, stays: () => options.acceptsKey(key) }
}

/** The program's headers without any credential of its own. */
function ownHeaders({ headers }: IncomingMessage): OutgoingHeaders {
  const { authorization: _, 'x-lark-mcp-uat': __, 'x-lark-mcp-tat': ___, ...kept } = endToEnd(headers)
  return kept
}

function wrongKey({ command, option }: StandingOptions): Fault {
  return {
    status: 401,
    reason: 'credential_refused',
    message: 'This address takes only requests with a key of its own.',
    nextStep: `Send it as \`Authorization: Bearer KEY\`; \`${command} gateway key new NAME${option}\` makes one for each program.`,
  }
}

const NO_SUCH_PATH: Fault = {
  status: 404,
  reason: 'path_unknown',
  message: 'This gateway leads to /open-apis/… and to /mcp.',
  nextStep: 'Correct the path.',
}
