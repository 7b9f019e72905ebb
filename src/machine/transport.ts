// The request function: one HTTP request by undici, with one deadline over everything, a limit on the answer, no redirect
// and no repetition. Whether our bytes went out is known exactly, because a refresh token counts as presented from then on.

import diagnostics from 'node:diagnostics_channel'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { CodedError } from '../errors.ts'
import type { HttpAnswer, HttpRequest, Request } from '../oauth/http.ts'
import { createDispatchers, GATEWAY_LIMITS, ONE_DEADLINE } from './dispatchers.ts'
import { networkError, timeoutError, tooLarge } from './network-error.ts'
import type { ProxySettings } from './proxy.ts'

/** No answer of Feishu's that we read comes near. */
const MAX_BODY_BYTES = 1_048_576
/** undici's own limit for the head of an answer. */
const MAX_HEAD_BYTES = 16_384
/** A deadline that fires this late means that the process was stopped: what lies in the socket is read first. */
const SUSPENDED_MS = 500
/** Enough for the event loop to read what arrived while the process was stopped. */
const GRACE_MS = 250

/** Each request in flight by its body, which undici hands on unchanged. */
const inFlight = new WeakMap<Buffer, () => void>()
let listening = false

type Socket = { destroy(error?: Error): void; read(size?: number): Buffer | null }
type SendHeaders = { request: { body?: unknown }; socket: Socket }

/** How an answer begins that is none yet. */
const CONTINUE = Buffer.from('HTTP/1.1 100')
const HEAD_END = '\r\n\r\n'
const NOTHING_YET = Buffer.alloc(0)

/** What begins to read over once more on a connection that is kept. */
const readingOver = new WeakMap<Socket, () => void>()

/**
 * Reads over a "100 Continue" that no one asked for: a client must (RFC 9110 §15.2), and undici ends the connection, with
 * the answer behind it. Called before each request, and undici has one at a time on a connection: the answer to it is the
 * next thing that comes.
 */
function readOverContinue(socket: Socket): void {
  const beginAnew = readingOver.get(socket)
  if (beginAnew) {
    beginAnew()
    return
  }
  const read = socket.read.bind(socket)
  let held: Buffer = NOTHING_YET
  let passed = false
  readingOver.set(socket, () => {
    held = NOTHING_YET
    passed = false
  })

  function isContinue(): boolean {
    return held.subarray(0, CONTINUE.length).equals(CONTINUE.subarray(0, held.length))
  }

  socket.read = (size) => {
    for (;;) {
      const chunk = read(size)
      if (passed || chunk === null) return chunk
      // Most answers begin at once, and are handed on as they came.
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      while (isContinue()) {
        const end = held.indexOf(HEAD_END)
        if (end === -1) break
        held = held.subarray(end + HEAD_END.length)
      }
      // So far it may be one; no head is longer than undici lets it be.
      if (isContinue() && held.length < MAX_HEAD_BYTES) continue
      passed = true
      return held
    }
  }
}

/** undici publishes `sendHeaders` synchronously, before it writes the first byte of a request to its socket. */
function listenForSends(): void {
  if (listening) return
  listening = true
  diagnostics.subscribe('undici:client:sendHeaders', (message) => {
    const { request, socket } = message as SendHeaders
    readOverContinue(socket)
    if (!Buffer.isBuffer(request.body)) return
    const consent = inFlight.get(request.body)
    if (!consent) return
    try {
      consent()
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

function plainHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const plain: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? (value[0] ?? '') : value
  }
  return plain
}

/** One request under way. */
type Progress = {
  /** No one waits for it any longer: it must not be sent any more. */
  over: boolean
  sent: boolean
  /** Why the caller did not consent to its being sent. */
  refusal: unknown
  chunks: Buffer[]
}

function consent(options: HttpRequest, progress: Progress): void {
  if (progress.over) throw new Error('too late')
  try {
    options.onSend?.()
  } catch (error) {
    progress.refusal = error
    throw error
  }
  progress.sent = true
}

/** Without a stream in between: what has arrived is handed on in the same turn of the event loop. */
function exchange(
  dispatcher: Dispatcher,
  options: HttpRequest,
  body: Buffer | null,
  progress: Progress,
): Promise<{ status: number; headers: Record<string, string> }> {
  const { origin, host, pathname, search } = new URL(options.url)
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | null = null
    let answer = { status: 0, headers: {} }
    let length = 0
    const end = (error: CodedError) => {
      progress.over = true
      reject(error)
      controller?.abort(error)
    }
    const deadline = startDeadline(options.deadlineMs, () => end(timeoutError(host, options.deadlineMs)))
    const { method, headers } = options
    // One connection for one request: nothing is written to a socket that the server may just be closing.
    const request = { origin, path: pathname + search, method, headers, body, reset: true }
    dispatcher.dispatch(request, {
      onRequestStart(started) {
        controller = started
        if (progress.over) started.abort(new Error('too late'))
      },
      onResponseStart(_controller, status, given) {
        answer = { status, headers: plainHeaders(given) }
      },
      onResponseData(_controller, chunk) {
        progress.chunks.push(chunk)
        length += chunk.length
        if (length > MAX_BODY_BYTES) end(tooLarge(host, MAX_BODY_BYTES))
      },
      onResponseEnd() {
        deadline.cancel()
        resolve(answer)
      },
      onResponseError(_controller, error) {
        deadline.cancel()
        reject(error)
      },
    })
  })
}

export type Transport = {
  request: Request
  /** The way to a host for the gateway: connections are kept and reused. Loads undici. */
  upstream(url: string): Promise<Dispatcher>
}

/** Creates the transport; undici is loaded with the first request. */
export function createTransport(settings: ProxySettings): Transport {
  const dispatcherFor = createDispatchers(settings)

  async function request(options: HttpRequest): Promise<HttpAnswer> {
    listenForSends()
    const { host } = new URL(options.url)
    const body = options.body === null ? null : Buffer.from(options.body)
    const progress: Progress = { over: false, sent: false, refusal: null, chunks: [] }
    if (body) inFlight.set(body, () => consent(options, progress))
    const failure = (error: CodedError): HttpAnswer => {
      return { kind: 'failure', sent: progress.sent, partialBody: Buffer.concat(progress.chunks), error }
    }
    try {
      const dispatcher = await dispatcherFor(options.url, ONE_DEADLINE)
      const { status, headers } = await exchange(dispatcher, options, body, progress)
      const whole = decoded(Buffer.concat(progress.chunks), headers['content-encoding']?.toLowerCase())
      return { kind: 'answer', status, headers, body: whole }
    } catch (error) {
      if (progress.refusal instanceof CodedError) return failure(progress.refusal)
      return failure(error instanceof CodedError ? error : networkError(error, host))
    }
  }

  async function upstream(url: string): Promise<Dispatcher> {
    listenForSends()
    return dispatcherFor(url, GATEWAY_LIMITS)
  }

  return { request, upstream }
}
