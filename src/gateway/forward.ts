// Hands one request on, and its answer back.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { errnoOf } from '../errors.ts'
import { type Sentence, say } from '../sentence.ts'
import { networkFault, sendFault } from './fault.ts'
import { REFUSAL_BYTES } from './refusal.ts'
import { endToEnd } from './rewrite.ts'
import type { Route } from './route.ts'

/** A body up to this size is kept, to be sent again after a renewal; most of Feishu's calls are a few KiB. */
const REPEATABLE_BYTES = 1_048_576

/** `Buffer` can be sent again, `Readable` cannot; `null` = the request has none. */
export type Body = Buffer | Readable | null

export type Exchange = {
  req: IncomingMessage
  res: ServerResponse
  body: Body
  dispatcher: Dispatcher
  route: Route
  idleTimeoutMs: number
  log: (level: 'debug' | 'info' | 'warn', message: Sentence) => void
}

/** These have no body, whatever length they tell: it is that of another answer (RFC 9110 §8.6). */
const WITHOUT_BODY = [204, 304]

/** An answer that was kept back, whole. */
export type HeldAnswer = { status: number; headers: IncomingHttpHeaders; body: Buffer }

/** Reads a body that is small enough to be sent again; a larger one becomes a stream of all its bytes. */
export function readBody(req: IncomingMessage): Promise<Body> | Body {
  const declared = Number(req.headers['content-length'] ?? 0)
  if (declared === 0 && req.headers['transfer-encoding'] === undefined) return null
  if (declared > REPEATABLE_BYTES) return streamBody(req, [])
  return new Promise((resolve, reject) => {
    const begun: Buffer[] = []
    let size = 0
    const onData = (chunk: Buffer): void => {
      begun.push(chunk)
      size += chunk.length
      if (size <= REPEATABLE_BYTES) return
      req.off('data', onData)
      resolve(streamBody(req, begun))
    }
    req.on('data', onData)
    req.once('end', () => resolve(Buffer.concat(begun)))
    req.once('error', reject)
  })
}

/** Not `req` itself: undici destroys a body that is answered early, which would close the program's connection. */
function streamBody(req: IncomingMessage, begun: Buffer[]): Readable {
  const body = new Readable({ read: () => void req.resume() })
  for (const chunk of begun) body.push(chunk)
  req.on('data', (chunk) => {
    if (!body.destroyed && !body.push(chunk)) req.pause()
  })
  req.once('end', () => body.destroyed || body.push(null))
  req.once('error', (error) => body.destroy(error))
  // What is left of an early answered request is read and dropped, else its connection could not be used again.
  body.once('close', () => req.resume())
  return body
}

/**
 * Sends one request on, with a token or none, and streams the answer back. Resolves when the answer (or the fault, as
 * Feishu-shaped JSON) is handed over: with `null`, or with the answer itself where it was held.
 */
export async function forward(exchange: Exchange, accessToken: string | null): Promise<HeldAnswer | null> {
  const { req, res, body, dispatcher, route, idleTimeoutMs } = exchange
  if (res.destroyed) return null
  const { origin, path } = route
  const headers = route.headers(accessToken)
  const method = req.method as string
  const timeouts = { headersTimeout: idleTimeoutMs, bodyTimeout: idleTimeoutMs }
  const held = await new Promise<HeldAnswer | null>((resolve) => {
    dispatcher.dispatch(
      { origin, path, method, headers, body, ...timeouts },
      relay(exchange, accessToken !== null, resolve),
    )
  })
  if (body instanceof Readable) body.destroy()
  return held
}

/** Keeps an answer back only where it may refuse a token. */
function relay(
  exchange: Exchange,
  hasToken: boolean,
  settle: (held: HeldAnswer | null) => void,
): Dispatcher.DispatchHandler {
  const { res, route } = exchange
  let held: { status: number; headers: IncomingHttpHeaders; begun: Buffer } | null = null
  let ended = false
  const finish = () => {
    ended = true
    if (held === null) res.end()
    settle(held && { status: held.status, headers: held.headers, body: held.begun })
  }
  return {
    onRequestStart(controller) {
      const leave = () => {
        if (!ended) controller.abort(new Error('the program closed its connection'))
      }
      if (res.destroyed) leave()
      else res.once('close', leave)
    },
    onResponseStart(_controller, status, headers) {
      // Informational answers (RFC 9110 §15.2) are for the gateway's own connection.
      if (status < 200) return
      if (hasToken && route.refusals.mayBe(status, headers, route.path))
        held = { status, headers, begun: Buffer.alloc(0) }
      else res.writeHead(status, endToEnd(headers))
    },
    onResponseData(controller, chunk) {
      if (held === null) return pass(res, controller, chunk)
      held.begun = Buffer.concat([held.begun, chunk])
      if (held.begun.length <= REFUSAL_BYTES && !route.refusals.isNone(held.headers, held.begun)) return
      res.writeHead(held.status, endToEnd(held.headers))
      pass(res, controller, held.begun)
      held = null
    },
    onResponseEnd: finish,
    onResponseError(_controller, error) {
      // undici waits for a body of that length.
      const isWhole = res.headersSent && WITHOUT_BODY.includes(res.statusCode)
      if (isWhole && errnoOf(error) === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return finish()
      ended = true
      if (!res.destroyed) fail(exchange, error)
      settle(null)
    },
  }
}

function pass(res: ServerResponse, controller: Dispatcher.DispatchController, chunk: Buffer): void {
  if (res.write(chunk)) return
  controller.pause()
  res.once('drain', () => controller.resume())
}

function fail({ res, route, log }: Exchange, error: Error): void {
  const fault = networkFault(route.origin, error)
  log('warn', say`${fault.message}`)
  // Once the answer has begun, only a broken connection tells the program that it is not whole.
  if (res.headersSent) res.destroy()
  else sendFault(res, fault)
}
