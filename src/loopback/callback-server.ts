// The HTTP server behind the redirect URI: one connection, one request, one page.

import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Server, Socket } from 'node:net'
import { queryOf, reject } from './admission.ts'
import type { Tls } from './certificate.ts'
import type { Connections } from './connections.ts'
import type { EndPages } from './end-pages.ts'
import { pageLanguage, renderPage } from './page.ts'
import { CONTENT_SECURITY_POLICY } from './page-style.ts'
import type { Page } from './page-text.ts'

/** Node's own default, fixed here: our URL and the cookies that every program on localhost has set. */
const MAX_HEADER_BYTES = 16 * 1024

/** A browser sends its request at once. TLS takes this twice, which with the check below stays under ten seconds. */
const REQUEST_DEADLINE_MS = 4_000

/** How often Node looks for late requests; its default of 30 s would make any deadline that long. */
const DEADLINE_CHECK_MS = 500

/** Enough for the event loop to read what arrived while the process stood still. */
const READ_FIRST_MS = 250

const FIXED_HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
  Allow: 'GET',
  Connection: 'close',
}

export type CallbackServerOptions = {
  redirectUri: URL
  /** null = plain http. */
  tls: Tls | null
  /** null = by `Accept-Language`. */
  language: 'zh' | 'en' | null
  onResponse: (query: URLSearchParams) => Promise<Page>
  endPages: EndPages
}

/** After these the authorization is over, and what its address held is spent. */
const ENDS: readonly Page['kind'][] = ['succeeded', 'denied', 'failed']

/** Creates a server that is not listening yet. */
export function createCallbackServer(options: CallbackServerOptions, connections: Connections): Server {
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: REQUEST_DEADLINE_MS,
    requestTimeout: REQUEST_DEADLINE_MS,
    connectionsCheckingInterval: DEADLINE_CHECK_MS,
    // Node's own answer to a missing Host would lack our headers.
    requireHostHeader: false,
  }
  const server: Server =
    options.tls === null
      ? createHttpServer(limits)
      : createHttpsServer({
          ...limits,
          cert: options.tls.cert,
          key: options.tls.key,
          handshakeTimeout: REQUEST_DEADLINE_MS,
        })
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    // A second request on the connection is not looked at: the first answer closes it.
    if (connections.hear(request.socket)) void answer(request, response, options)
  }
  const onBare = (page: Page) => (socket: Socket) => {
    if (connections.hear(socket)) answerBare(socket, page, options)
  }
  const refuseMethod = onBare({ kind: 'method_not_allowed' })
  const refuseGarbage = onBare({ kind: 'ignored' })
  server.on('connection', connections.accept)
  server.on('request', onRequest)
  // Without these two, Node itself answers a request with an Expect header.
  server.on('checkContinue', onRequest)
  server.on('checkExpectation', onRequest)
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    // Node lets go of a tunnel's socket; unheard, its reset would end the process.
    socket.on('error', () => {})
    refuseMethod(socket)
  })
  server.on('clientError', (error: Error, socket: Socket) => {
    // What is not HTTP at all (a failed TLS handshake, a reset) gets no answer.
    const code = String('code' in error && error.code)
    const refuse = () => refuseGarbage(socket)
    if (!socket.writable || !/^(HPE_|ERR_HTTP_REQUEST_TIMEOUT$)/.test(code)) socket.destroy()
    // Node runs timers before it reads: where the process stood still, the request lies there.
    else if (code === 'ERR_HTTP_REQUEST_TIMEOUT') setTimeout(refuse, READ_FIRST_MS).unref()
    else refuse()
  })
  return server
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: CallbackServerOptions,
): Promise<void> {
  const language = pageLanguage(request.headers['accept-language'], options.language)
  const { status, headers, body } = await respond(request, options, language)
  response.writeHead(status, headers).end(body)
}

async function respond(
  request: IncomingMessage,
  { redirectUri, endPages, onResponse }: CallbackServerOptions,
  language: 'zh' | 'en',
): Promise<Composed> {
  const rejection = reject(request, redirectUri)
  if (rejection) return compose({ kind: rejection }, language)
  try {
    const query = queryOf(request)
    const kept = endPages.take(query)
    const page = kept ?? (await onResponse(query))
    const address = kept === null && ENDS.includes(page.kind) ? endPages.keep(page) : null
    if (address === null) return compose(page, language)
    const headers = { ...FIXED_HEADERS, Location: redirectUri.pathname + address, 'Content-Length': 0 }
    return { status: 303, headers, body: Buffer.alloc(0) }
  } catch {
    return compose({ kind: 'broken' }, language)
  }
}

/** Answers a connection for which Node has no response object. */
function answerBare(socket: Socket, page: Page, options: CallbackServerOptions): void {
  const { status, headers, body } = compose(page, pageLanguage(undefined, options.language))
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`)
  socket.end(body, () => socket.destroy())
}

type Composed = { status: number; headers: Record<string, string | number>; body: Buffer }

/** The pages that are always the same, composed once: a flood of requests is answered from here. */
const fixedAnswers = new Map<string, Composed>()

function compose(page: Page, language: 'zh' | 'en'): Composed {
  const key = `${page.kind} ${language}`
  const fixed = fixedAnswers.get(key)
  if (fixed !== undefined) return fixed
  const { status, html } = renderPage(page, language)
  const body = Buffer.from(html)
  const composed = { status, headers: { ...FIXED_HEADERS, 'Content-Length': body.length }, body }
  if (page.kind !== 'succeeded' && page.kind !== 'failed') fixedAnswers.set(key, composed)
  return composed
}
