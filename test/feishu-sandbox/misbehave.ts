import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import type { Fault, MetFault } from './faults.ts'
import { API_ERRORS, TOKEN_ERRORS } from './feishu-codes.ts'
import { type Answer, apiError, type Call, json, tokenError } from './wire.ts'

/** How faults come about: `process` takes effect and gives the true answer, `response` carries what is left of it. */
export type Exchange = {
  call: Call
  process: () => Answer
  response: ServerResponse
}

/** The unit in which big bodies are written. */
const CHUNK_BYTES = 1 << 20

/** Sends an answer as it is; nothing if the connection is gone. */
export function send(response: ServerResponse, answer: Answer): void {
  if (response.destroyed || !response.socket || response.socket.destroyed) return
  const hasBody = answer.status !== 204 && answer.status !== 304
  const length = hasBody ? { 'content-length': Buffer.byteLength(answer.body) } : {}
  response.writeHead(answer.status, { ...length, ...answer.headers })
  response.end(hasBody ? answer.body : undefined)
}

/** Resets the connection; under TLS it can only be dropped. */
export function resetConnection(socket: Socket | null): void {
  if (socket instanceof TLSSocket) socket.destroy()
  else socket?.resetAndDestroy()
}

function errorOf(call: Call, fault: Extract<Fault, { kind: 'error' }>): Answer {
  const isApi = call.path.startsWith('/open-apis/') && !call.path.includes('/oauth/')
  const isGateway = !(fault.code in TOKEN_ERRORS) && fault.code in API_ERRORS
  const base = isApi || isGateway ? apiError(call, fault.code) : tokenError(fault.code)
  const body: Record<string, unknown> = JSON.parse(base.body.toString())
  if (fault.error !== undefined) body.error = fault.error
  if (fault.description !== undefined) body.error_description = fault.description
  if (fault.omitCode) delete body.code
  const answer = json(fault.status ?? base.status, { ...body, ...fault.fields })
  return { ...answer, headers: { ...answer.headers, ...fault.headers } }
}

function fill(template: string, call: Call, answer: Answer | null): string {
  const body = answer?.body.toString() ?? ''
  return template
    .replaceAll('{{length}}', () => String(Buffer.byteLength(body)))
    .replaceAll('{{request}}', () => call.body)
    .replaceAll('{{answer}}', () => body)
}

function edit(answer: Answer, fault: Extract<Fault, { kind: 'edit' }>): Answer {
  const body: Record<string, unknown> = { ...JSON.parse(answer.body.toString()), ...fault.set }
  for (const name of fault.remove ?? []) delete body[name]
  const edited = json(fault.status ?? answer.status, body)
  return { ...edited, headers: { ...edited.headers, ...fault.headers } }
}

function cut(response: ServerResponse, answer: Answer, how: 'content_length' | 'reset' | 'json'): void {
  const body = Buffer.from(answer.body)
  const half = body.subarray(0, body.length >> 1)
  if (how === 'json') {
    send(response, { ...answer, body: half })
    return
  }
  const isShort = how === 'content_length'
  const missing = isShort ? 1_009 : 0 // any number will do
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length + missing })
  response.write(isShort ? body : half, () =>
    isShort ? response.socket?.end() : resetConnection(response.socket),
  )
}

function drip(response: ServerResponse, answer: Answer, everyMs: number): void {
  const body = Buffer.from(answer.body)
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length })
  response.flushHeaders()
  let sent = 0
  const timer = setInterval(() => {
    response.write(body.subarray(sent, sent + 1))
    sent += 1
    if (sent < body.length) return
    clearInterval(timer)
    response.end()
  }, everyMs)
  response.once('close', () => clearInterval(timer))
}

function* plainBulk(bytes: number): Generator<Buffer> {
  yield Buffer.from('{"code":0,"access_token":"')
  const chunk = Buffer.alloc(CHUNK_BYTES, 'a')
  for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) yield chunk
}

/** A gzip file may have many members (RFC 1952 §2.2): one small member, repeated, decodes to any size. */
function* gzipBulk(bytes: number): Generator<Buffer> {
  const member = gzipSync(Buffer.alloc(CHUNK_BYTES, ' '))
  for (let sent = 0; sent < bytes; sent += CHUNK_BYTES) yield member
}

async function sendBulk(response: ServerResponse, bytes: number, gzip: boolean): Promise<void> {
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    ...(gzip && { 'content-encoding': 'gzip' }),
  })
  const chunks = Readable.from(gzip ? gzipBulk(bytes) : plainBulk(bytes))
  await pipeline(chunks, response).catch(() => {}) // the client may leave at any time
}

function sendRaw(exchange: Exchange, fault: Extract<Fault, { kind: 'raw' }>): void {
  const answer = fault.processed ? exchange.process() : null
  const socket = exchange.response.socket
  const bytes = Buffer.from(fill(fault.bytes, exchange.call, answer), fault.encoding ?? 'utf8')
  if (fault.keepOpen) socket?.write(bytes)
  else socket?.end(bytes)
}

function sendGiven(exchange: Exchange, fault: Extract<Fault, { kind: 'answer' }>): void {
  const answer = fault.processed ? exchange.process() : null
  const body = Buffer.from(fill(fault.body ?? '', exchange.call, answer), fault.encoding ?? 'utf8')
  const headers = fault.headers ?? { 'content-type': 'application/json; charset=utf-8' }
  send(exchange.response, { status: fault.status, headers, body })
}

async function hold(exchange: Exchange, processed: boolean, met: MetFault): Promise<void> {
  const early = processed ? exchange.process() : null
  met.meet()
  await met.released
  send(exchange.response, early ?? exchange.process())
}

/** Everything but holding. What takes effect has done so when this returns, even where sending goes on. */
async function act(exchange: Exchange, fault: Exclude<Fault, { kind: 'hold' }>): Promise<void> {
  const { call, process, response } = exchange
  switch (fault.kind) {
    case 'none':
      return send(response, process())
    case 'error':
      return send(response, errorOf(call, fault))
    case 'answer':
      return sendGiven(exchange, fault)
    case 'edit':
      return send(response, edit(process(), fault))
    case 'reset':
      if (fault.when === 'after_processing') process()
      return resetConnection(response.socket)
    case 'cut':
      return cut(response, process(), fault.how)
    case 'silence':
      if (fault.processed) process()
      return
    case 'drip':
      return drip(response, process(), fault.everyMs)
    case 'bulk':
      if (fault.processed) process()
      return sendBulk(response, fault.bytes, fault.gzip ?? false)
    case 'raw':
      return sendRaw(exchange, fault)
  }
}

/** Answers one request the way the fault says. */
export async function misbehave(exchange: Exchange, met: MetFault): Promise<void> {
  const { fault } = met
  if (fault.kind === 'hold') return hold(exchange, fault.processed ?? false, met)
  const sent = act(exchange, fault)
  met.meet()
  return sent
}
