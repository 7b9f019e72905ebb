import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Dispatcher } from 'undici'
import { type Fault, sendFault, tokenFault } from './fault.ts'
import { forward, readBody } from './forward.ts'
import { mayBeRefusal } from './refusal.ts'
import { forwardWithToken, type Renewals, type TokenSource } from './renewal.ts'
import { comesFromPage, findKey, upstreamHeaders } from './rewrite.ts'

// A child that lives for days must not hold a token that lives for two hours. It holds a key that only this proxy
// accepts; each request that bears the key goes on to the open host with the access token of that moment in its place.

export type GatewayOptions = TokenSource & {
  /** Origin of the open host in force, e.g. `https://open.feishu.cn`; requests go nowhere else. */
  openUrl: string
  /** Called at the first request only. Its connect time-out and its proxies are the caller's. */
  dispatcher: () => Promise<Dispatcher>
  /** Never gets a secret. */
  log: (level: 'debug' | 'info' | 'warn', message: string) => void
  /** How long either side may send nothing in the middle of an exchange; 60 s unless told. */
  idleTimeoutMs?: number
}

export type Gateway = {
  /** `http://127.0.0.1:PORT` */
  origin: string
  /** What the child holds in place of a token. */
  key: string
  /** Ends within about a second, whatever is under way. */
  close: () => Promise<void>
}

/** Feishu's slowest calls (exports, large uploads) answer within seconds: a minute of silence is a dead peer. */
const IDLE_TIMEOUT_MS = 60_000

/** The child has ended when the gateway closes: a second is for grandchildren in the middle of an answer. */
const CLOSE_GRACE_MS = 1_000

/** 256 bits, like the keys of the store: cannot be guessed. */
const KEY_BYTES = 32

type Context = Required<GatewayOptions> & { key: string; hosts: string[]; renewals: Renewals }

/** Starts the proxy on a free loopback port; it lives until `close`. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const server = createServer({
    // It would bound a whole upload, however well it goes; an upload that stalls is ended in `handle`.
    requestTimeout: 0,
    // The child decides when: a connection that we close may take the request with it that is just being sent.
    keepAliveTimeout: 0,
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  // Some programs look for the prefix of Feishu's older user tokens.
  const key = `u-${randomBytes(KEY_BYTES).toString('base64url')}`
  const close = serve(server, {
    ...options,
    openUrl: new URL(options.openUrl).origin,
    dispatcher: remember(options.dispatcher),
    idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
    key,
    hosts: [`127.0.0.1:${port}`, `localhost:${port}`],
    renewals: { last: null, doubted: null },
  })
  return { origin: `http://127.0.0.1:${port}`, key, close }
}

/** Serves each request of the server; gives the function that ends it. */
function serve(server: Server, context: Context): () => Promise<void> {
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
      context.log('warn', `a request was not sent: ${fault.reason}`)
      sendFault(res, fault)
    })
  }
  server.on('request', onRequest)
  server.on('checkContinue', onRequest)
  // Node would destroy any silent connection; only that of a stalled upload is to end, by the listener in `handle`.
  server.setTimeout(context.idleTimeoutMs, () => {})
  return async () => {
    closed ??= once(server.close(), 'close')
    if (inFlight === 0) server.closeAllConnections()
    const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
    await closed
    clearTimeout(grace)
  }
}

async function handle(context: Context, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { openUrl, idleTimeoutMs, log, renewals } = context
  const refuse = (fault: Fault): void => {
    log('warn', `refused a request: ${fault.reason}`)
    sendFault(res, fault)
  }
  const fault = findFault(context, req)
  if (fault !== null) return refuse(fault)
  const places = findKey(req.headers, context.key)
  if (places === null) return refuse(WRONG_KEY)
  const token = places.length > 0 ? await context.currentToken() : null
  const dispatcher = await context.dispatcher()
  if (req.headers.expect !== undefined && req.httpVersion === '1.1') res.writeContinue()
  const reading = readBody(req)
  if (reading !== null) {
    req.once('timeout', () => (res.headersSent ? req.destroy() : sendFault(res, UPLOAD_STALLED, true)))
  }
  const body = await reading
  const holds = (status: number) => token !== null && mayBeRefusal(status, req.url as string)
  const exchange = { req, res, body, dispatcher, openUrl, idleTimeoutMs, log, holds }
  if (token === null) await forward(exchange, upstreamHeaders(req.headers, [], ''))
  else await forwardWithToken({ ...exchange, places, token }, context, renewals)
}

const WRONG_KEY: Fault = {
  status: 401,
  reason: 'credential_refused',
  message: 'This address takes only the token that it gave out, or a tenant token.',
  nextStep: 'Send the value of USER_ACCESS_TOKEN that this program was started with.',
}

const UPLOAD_STALLED: Fault = {
  status: 408,
  reason: 'upload_stalled',
  message: 'The body of the request stopped arriving.',
  nextStep: 'Send the request again.',
}

/** What is wrong with a request, its credential aside. */
function findFault(context: Context, req: IncomingMessage): Fault | null {
  const { host = '', upgrade } = req.headers
  const nextStep = 'Send plain HTTP requests from the program that was started with this address.'
  // A page whose name was rebound to 127.0.0.1 sends its own name as the host.
  if (!context.hosts.includes(host.toLowerCase()) || comesFromPage(req.headers)) {
    return { status: 403, reason: 'origin_refused', message: 'Requests of web pages are refused.', nextStep }
  }
  if (!req.url?.startsWith('/')) {
    const message = `The request's target is not a path: this is no general proxy, it leads to ${context.openUrl} only.`
    return { status: 400, reason: 'target_refused', message, nextStep }
  }
  // TRACE would send the access token back. `Upgrade: h2c` is an offer that some clients always make.
  if (req.method === 'TRACE' || (upgrade !== undefined && upgrade.toLowerCase() !== 'h2c')) {
    return { status: 501, reason: 'not_supported', message: 'TRACE and Upgrade are not supported.', nextStep }
  }
  return null
}

/** Calls `load` once, but again after a failure. */
function remember<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | null = null
  return () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = null
      throw error
    })
    return loaded
  }
}
