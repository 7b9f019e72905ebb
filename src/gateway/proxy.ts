// The loopback server that both gateways are.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Dispatcher } from 'undici'
import { type Sentence, say } from '../sentence.ts'
import { type Fault, sendFault, tokenFault } from './fault.ts'
import { forward, readBody } from './forward.ts'
import { forwardWithToken, type Renewals, type TokenSource } from './renewal.ts'
import { comesFromPage } from './rewrite.ts'
import type { Route } from './route.ts'

// What both gateways are: a server that lets a request in or refuses it, and sends it on with the access token of that
// moment in the place of a key.

export type ProxyOptions = TokenSource & {
  listen: { host: string; port: number }
  /** Whether a request may name any host: where it comes from other machines. */
  anyHost: boolean
  /** Where a request leads; what is wrong with it, its host and origin aside; or what is answered at once. */
  route: (req: IncomingMessage) => Promise<Route | Fault | string>
  /** The way to an origin; its connect time-out and its proxies are the caller's. */
  dispatcher: (origin: string) => Promise<Dispatcher>
  /** Never gets a secret. */
  log: (level: 'debug' | 'info' | 'warn', message: Sentence) => void
  /** How long either side may send nothing in the middle of an exchange; 60 s unless told. */
  idleTimeoutMs?: number | undefined
  /** After this an idle connection is closed; 0 = the program decides. */
  keepAliveMs: number
}

export type RunningProxy = {
  address: AddressInfo
  /** Ends once what is under way is finished, or after the time. */
  close: (graceMs: number) => Promise<void>
}

/** Feishu's slowest calls (exports, large uploads) answer within seconds: a minute of silence is a dead peer. */
const IDLE_TIMEOUT_MS = 60_000

/** A stream that may go on for days is looked at this often: its key may have been removed. */
const STREAM_CHECK_MS = 1_000

type Context = ProxyOptions & {
  hosts: string[]
  idleTimeoutMs: number
  renewals: Map<string, Renewals>
  /** Answers that go on until someone ends them. */
  streams: Map<ServerResponse, () => boolean>
  closing: boolean
}

/** Starts the proxy; rejects where it cannot listen. */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const server = createServer({
    // It would bound a whole upload, however well it goes; an upload that stalls is ended in `handle`.
    requestTimeout: 0,
    // A connection that we close may take the request with it that is just being sent.
    keepAliveTimeout: options.keepAliveMs,
  })
  server.listen(options.listen.port, options.listen.host)
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  const context: Context = {
    ...options,
    hosts: hostsAt(options.listen.host, address.port),
    idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
    renewals: new Map(),
    streams: new Map(),
    closing: false,
  }
  return { address, close: serve(server, context) }
}

/** What requests may name as their host; the port of http itself is left out by who sends them. */
export function hostsAt(host: string, port: number): string[] {
  const names = ['127.0.0.1', 'localhost', '[::1]', host.toLowerCase()]
  return names.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]))
}

/** Serves each request of the server; gives the function that ends it. */
function serve(server: Server, context: Context): (graceMs: number) => Promise<void> {
  let inFlight = 0
  let closed: Promise<unknown> | null = null
  const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    inFlight++
    res.once('close', () => {
      inFlight--
      if (closed !== null && inFlight === 0) server.closeAllConnections()
    })
    handle(context, req, res).catch((error: unknown) => {
      // The program left in the middle of its body, or was answered already.
      if (res.destroyed || res.headersSent) return void res.destroy()
      const fault = tokenFault(error)
      context.log('warn', say`a request was not sent: ${fault.reason}`)
      sendFault(res, fault)
    })
  }
  server.on('request', onRequest)
  server.on('checkContinue', onRequest)
  // Node would destroy any silent connection; only that of a stalled upload is to end, by the listener in `handle`.
  server.setTimeout(context.idleTimeoutMs, () => {})
  const check = setInterval(() => {
    for (const [res, allowed] of context.streams) if (!allowed()) res.end()
  }, STREAM_CHECK_MS).unref()
  return async (graceMs) => {
    context.closing = true
    closed ??= once(server.close(), 'close')
    clearInterval(check)
    for (const res of context.streams.keys()) res.end()
    if (inFlight === 0) server.closeAllConnections()
    const grace = setTimeout(() => server.closeAllConnections(), graceMs)
    await closed
    clearTimeout(grace)
  }
}

async function handle(context: Context, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { idleTimeoutMs, log } = context
  const refuse = (fault: Fault): void => {
    log('warn', say`refused a request: ${fault.reason}`)
    sendFault(res, fault)
  }
  if (context.closing) return sendFault(res, CLOSING, true)
  const fault = findFault(context, req)
  if (fault !== null) return refuse(fault)
  const route = await context.route(req)
  if (typeof route === 'string') return sendText(res, route)
  if ('reason' in route) return refuse(route)
  const token = route.takesToken ? await context.currentToken() : null
  const dispatcher = await context.dispatcher(route.origin)
  if (req.headers.expect !== undefined && req.httpVersion === '1.1') res.writeContinue()
  const reading = readBody(req)
  if (reading !== null) {
    req.once('timeout', () => (res.headersSent ? req.destroy() : sendFault(res, UPLOAD_STALLED, true)))
  }
  const body = await reading
  if (route.stays) {
    context.streams.set(res, route.stays)
    res.once('close', () => context.streams.delete(res))
  }
  const exchange = { req, res, body, dispatcher, route, idleTimeoutMs: route.stays ? 0 : idleTimeoutMs, log }
  if (token === null) await forward(exchange, null)
  else await forwardWithToken({ ...exchange, token }, context, renewalsOf(context, route.origin))
}

/** What is refused by one host says nothing of another. */
function renewalsOf({ renewals }: Context, origin: string): Renewals {
  const known = renewals.get(origin) ?? { last: null, renewed: null }
  renewals.set(origin, known)
  return known
}

function sendText(res: ServerResponse, text: string): void {
  res.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
  res.end(text)
}

const UPLOAD_STALLED: Fault = {
  status: 408,
  reason: 'upload_stalled',
  message: 'The body of the request stopped arriving.',
  nextStep: 'Send the request again.',
}

const CLOSING: Fault = {
  status: 503,
  reason: 'closing',
  message: 'The gateway is about to end.',
  nextStep: 'Send the request again when it runs.',
}

/** What is wrong with a request, its credential aside. */
function findFault(context: Context, req: IncomingMessage): Fault | null {
  const { host = '', upgrade } = req.headers
  const nextStep = 'Send plain HTTP requests from a program, to the address that it was given.'
  // A page whose name was rebound to 127.0.0.1 sends its own name as the host.
  const foreign = !context.anyHost && !context.hosts.includes(host.toLowerCase())
  if (foreign || comesFromPage(req.headers)) {
    const message = 'Requests of web pages, and for another host, are refused.'
    return { status: 403, reason: 'origin_refused', message, nextStep }
  }
  if (!req.url?.startsWith('/')) {
    const message = "The request's target is not a path: this is no general proxy, it leads to Feishu only."
    return { status: 400, reason: 'target_refused', message, nextStep }
  }
  // TRACE would send the access token back. `Upgrade: h2c` is an offer that some clients always make.
  if (req.method === 'TRACE' || (upgrade !== undefined && upgrade.toLowerCase() !== 'h2c')) {
    return { status: 501, reason: 'not_supported', message: 'TRACE and Upgrade are not supported.', nextStep }
  }
  return null
}
