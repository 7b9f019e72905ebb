import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { checkToken } from './api.ts'
import { send } from './misbehave.ts'
import { type Call, json, notFound } from './wire.ts'

/** Addresses without a counterpart at Feishu, for programs that pass requests on: download, upload, echo. */
export const TRANSFER_PREFIX = '/open-apis/sandbox/'

/** Node's own stream chunk size. */
const CHUNK_BYTES = 1 << 16

function* bytes(total: number): Generator<Buffer> {
  const chunk = Buffer.alloc(CHUNK_BYTES, '0123456789abcdef')
  for (let sent = 0; sent < total; sent += CHUNK_BYTES) yield chunk.subarray(0, total - sent)
}

/** `GET download?bytes=N[&gzip=1]`: N bytes of a repeating pattern. */
async function download(call: Call, response: ServerResponse): Promise<void> {
  const total = Number(call.query.get('bytes') ?? 0)
  const source = Readable.from(bytes(total))
  const headers = { 'content-type': 'application/octet-stream' }
  if (call.query.has('gzip')) {
    response.writeHead(200, { ...headers, 'content-encoding': 'gzip' })
    await pipeline(source, createGzip(), response)
    return
  }
  response.writeHead(200, { ...headers, 'content-length': total })
  await pipeline(source, response)
}

async function digest(request: IncomingMessage): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let count = 0
  for await (const chunk of request) {
    hash.update(chunk)
    count += chunk.length
  }
  return { bytes: count, sha256: hash.digest('hex') }
}

function authorizationKind(call: Call): string {
  const value = call.headers.authorization?.replace(/^Bearer /, '')
  if (value === undefined) return 'none'
  if (call.state.accessTokens.has(value)) return 'user'
  return call.state.tenantTokens.has(value) ? 'tenant' : 'unknown'
}

/** Any method on `echo`: the request as it arrived, the Authorization header as its kind alone. */
async function echo(call: Call, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { authorization: _, ...headers } = call.headers
  const data = {
    method: call.method,
    path: call.path,
    query: call.query.toString(),
    headers,
    authorization: authorizationKind(call),
    body: await digest(request),
  }
  send(response, json(200, { code: 0, msg: 'success', data }))
}

/** Streams; an unusable token is answered before the body is read. */
export async function handleTransfer(
  call: Call,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const verb = call.path.slice(TRANSFER_PREFIX.length)
  if (verb === 'echo') return echo(call, request, response)
  const caller = checkToken(call)
  if ('status' in caller) return send(response, caller)
  if (verb === 'download' && call.method === 'GET') return download(call, response)
  if (verb === 'upload' && call.method !== 'GET') {
    return send(response, json(200, { code: 0, msg: 'success', data: await digest(request) }))
  }
  return send(response, notFound())
}
