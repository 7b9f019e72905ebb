// The request function: one HTTP request by undici, with one deadline over everything, a limit on the answer, no redirect
// and no repetition. Whether our bytes went out is known exactly, because a refresh token counts as presented from then on.

import diagnostics from 'node:diagnostics_channel'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Dispatcher, Pool } from 'undici'
import { AuthError } from './errors.ts'
import { errnoOf } from './files.ts'
import type { HttpAnswer, HttpRequest, Request } from './oauth/token-endpoint.ts'
import type { Secret } from './secret.ts'
import { isLoopbackUrl } from './settings-reader.ts'

export type ProxySettings = { httpsProxy: Secret | null; noProxy: string | null }

/** No answer of Feishu's that we read comes near. */
const MAX_BODY_BYTES = 1_048_576
/** A deadline that fires this late means that the process was stopped: what lies in the socket is read first. */
const SUSPENDED_MS = 500
/** Enough for the event loop to read what arrived while the process was stopped. */
const GRACE_MS = 250

/** Each request in flight by its body, which undici hands on unchanged. */
const inFlight = new WeakMap<Buffer, () => void>()
let listening = false

type SendHeaders = { request: { body?: unknown }; socket: { destroy(error?: Error): void } }

/** undici publishes `sendHeaders` synchronously, before it writes the first byte of a request to its socket. */
function listenForSends(): void {
  if (listening) return
  listening = true
  diagnostics.subscribe('undici:client:sendHeaders', (message) => {
    const { request, socket } = message as SendHeaders
    if (!Buffer.isBuffer(request.body)) return
    try {
      inFlight.get(request.body)?.()
    } catch {
      // The caller has kept the error; without its consent nothing goes out.
      socket.destroy()
    }
  })
}

/** Fires at the deadline, but never before what had arrived by then was read: Node runs timers before it reads. */
function startDeadline(ms: number, expire: () => void): { cancel: () => void } {
  let timer: NodeJS.Timeout
  const wait = (waitMs: number, then: () => void) => {
    const dueAt = performance.now() + waitMs
    timer = setTimeout(() => {
      if (performance.now() - dueAt > SUSPENDED_MS) wait(GRACE_MS, then)
      else then()
    }, waitMs)
  }
  wait(ms, () => wait(0, () => setImmediate(expire)))
  return { cancel: () => clearTimeout(timer) }
}

function decoded(body: Buffer, encoding: string | undefined): Buffer {
  const limit = { maxOutputLength: MAX_BODY_BYTES }
  try {
    if (encoding === 'gzip') return gunzipSync(body, limit)
    if (encoding === 'deflate') return inflateSync(body, limit)
    if (encoding === 'br') return brotliDecompressSync(body, limit)
  } catch {
    // Damaged or too large: the bytes are judged as they are, that is, as no JSON.
  }
  return body
}

const TLS_ERRNO = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL|EPROTO|HOSTNAME_MISMATCH/

/** What went wrong below HTTP, in words that name the variable to set. */
function networkError(error: unknown, host: string): AuthError {
  const cause = (error as Error | null)?.cause ?? error
  const errno = errnoOf(cause) ?? errnoOf(error) ?? 'unknown error'
  const message = String((error as Error | null)?.message ?? '')
  if (TLS_ERRNO.test(errno)) {
    return new AuthError('tls_error', `There is no trusted TLS connection to ${host} (${errno}).`, {
      nextStep:
        'Behind a proxy that inspects TLS, set NODE_EXTRA_CA_CERTS to the file with its certificate authority; ' +
        'otherwise check the clock and the host name.',
    })
  }
  const proxyStatus = /Proxy response \((\d+)\)/.exec(message)?.[1]
  if (proxyStatus) {
    const why = proxyStatus === '407' ? 'asks for a user name and password' : `answered ${proxyStatus}`
    return new AuthError('network_error', `The proxy ${why}; ${host} was not reached.`, {
      nextStep: 'Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT, or exempt the host with NO_PROXY.',
    })
  }
  return new AuthError('network_error', `${host} could not be reached (${errno}).`, {
    nextStep: 'Check the network, and HTTPS_PROXY if a proxy is needed; then try again.',
  })
}

function timeoutError(host: string, deadlineMs: number): AuthError {
  return new AuthError('network_error', `${host} did not answer within ${Math.round(deadlineMs / 1000)} s.`, {
    nextStep: 'Check the network, then try again.',
  })
}

/** Reads a body up to the limit; what arrived before an error stays readable in `chunks`. */
async function readBody(body: AsyncIterable<Buffer>, chunks: Buffer[]): Promise<'whole' | 'too large'> {
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    chunks.push(chunk)
    if (length > MAX_BODY_BYTES) return 'too large'
  }
  return 'whole'
}

function plainHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const plain: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? (value[0] ?? '') : value
  }
  return plain
}

export type Transport = {
  request: Request
  /** The way to a host for the gateway: connections are kept and reused. Loads undici. */
  upstream(url: string): Promise<Dispatcher>
}

/** undici's own time limits are off: one deadline stands over all, and knows about suspended processes. */
const ONE_DEADLINE = { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 0 } }
/** The gateway bounds silence itself; what cannot be connected within this is down. */
const GATEWAY_LIMITS = { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 10_000 } }

/** undici takes a proxy that hangs up for a mishap and asks it again at once, without end: it must look like a failure. */
function tryingOnce(proxy: Pool): Pool {
  const connect: (options: Dispatcher.ConnectOptions) => Promise<Dispatcher.ConnectData> =
    proxy.connect.bind(proxy)
  const connectOnce = (options: Dispatcher.ConnectOptions) =>
    connect(options).catch((error) => {
      const mishap = ['UND_ERR_SOCKET', 'UND_ERR_INFO'].includes(errnoOf(error) ?? '')
      throw mishap ? Object.assign(new Error('the proxy hung up'), { code: 'ECONNRESET' }) : error
    })
  return Object.assign(proxy, { connect: connectOnce })
}

/** Creates the transport; undici is loaded with the first request. */
export function createTransport(proxy: ProxySettings): Transport {
  const dispatchers = new Map<string, Dispatcher>()

  /** Direct on loopback, through the proxy where one is set. */
  async function dispatcherFor(url: string, limits: typeof ONE_DEADLINE): Promise<Dispatcher> {
    const { Agent, EnvHttpProxyAgent, Pool } = await import('./undici.ts')
    const direct = !proxy.httpsProxy || isLoopbackUrl(new URL(url))
    const name = `${direct ? 'direct' : 'proxied'} ${limits.connect.timeout}`
    const known = dispatchers.get(name)
    if (known) return known
    const httpsProxy = proxy.httpsProxy?.reveal() ?? ''
    const noProxy = proxy.noProxy ?? ''
    const clientFactory = (origin: URL, options: object) => tryingOnce(new Pool(origin, options))
    const created = direct
      ? new Agent(limits)
      : new EnvHttpProxyAgent({ ...limits, httpProxy: httpsProxy, httpsProxy, noProxy, clientFactory })
    dispatchers.set(name, created)
    return created
  }

  async function request(options: HttpRequest): Promise<HttpAnswer> {
    const { request: send } = await import('./undici.ts')
    listenForSends()
    const { host } = new URL(options.url)
    const body = options.body === null ? null : Buffer.from(options.body)
    const chunks: Buffer[] = []
    const abort = new AbortController()
    let sent = false
    let expired = false
    let refusal: unknown = null
    if (body) {
      inFlight.set(body, () => {
        try {
          options.onSend?.()
        } catch (error) {
          refusal = error
          throw error
        }
        sent = true
      })
    }
    const deadline = startDeadline(options.deadlineMs, () => {
      expired = true
      abort.abort()
    })
    const failure = (error: AuthError): HttpAnswer => ({
      kind: 'failure',
      sent,
      partialBody: Buffer.concat(chunks),
      error,
    })
    try {
      const answer = await send(options.url, {
        method: options.method,
        headers: options.headers,
        body,
        signal: abort.signal,
        dispatcher: await dispatcherFor(options.url, ONE_DEADLINE),
        // One connection for one request: nothing is written to a socket that the server may just be closing.
        reset: true,
      })
      if ((await readBody(answer.body, chunks)) === 'too large') {
        return failure(
          new AuthError('unexpected_response', `${host} sent more than ${MAX_BODY_BYTES} bytes.`, {
            nextStep: 'Check FEISHU_OPEN_URL, and whether a proxy answers in place of Feishu.',
          }),
        )
      }
      const headers = plainHeaders(answer.headers)
      const whole = decoded(Buffer.concat(chunks), headers['content-encoding']?.toLowerCase())
      return { kind: 'answer', status: answer.statusCode, headers, body: whole }
    } catch (error) {
      if (refusal instanceof AuthError) return failure(refusal)
      return failure(expired ? timeoutError(host, options.deadlineMs) : networkError(error, host))
    } finally {
      deadline.cancel()
    }
  }

  return { request, upstream: (url) => dispatcherFor(url, GATEWAY_LIMITS) }
}
