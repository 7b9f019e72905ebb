// How the servers behind a gateway refuse a token.

import type { IncomingHttpHeaders } from 'node:http'
import { ACCESS_TOKEN_REFUSED } from '../oauth/feishu-numbers.ts'

/** Enough for any error of Feishu's (a few hundred bytes); a larger answer is no refusal of the token. */
export const REFUSAL_BYTES = 65_536

/** `user_info` refuses a token with HTTP 200 and a code; every other API with HTTP 400 or 401. */
const USER_INFO_PATH = /^\/open-apis\/authen\/v1\/user_info(?:\?|$)/

export type TokenRefusal = { code: number; message: string; logId: string | null }

/** How one kind of server refuses a token. No other answer is ever kept back. */
export type Refusals = {
  /** Whether an answer may be a refusal, so that it must be read before it is handed on. */
  mayBe: (status: number, headers: IncomingHttpHeaders, path: string) => boolean
  /** Whether what has come so far of an answer says already that it is none. */
  isNone: (headers: IncomingHttpHeaders, begun: Buffer) => boolean
  /** The refusal in a whole answer; null: it says something else. */
  read: (status: number, headers: IncomingHttpHeaders, body: Buffer) => Promise<TokenRefusal | null>
}

/** The open API. */
export const OPEN_API: Refusals = {
  mayBe: (status, _headers, path) =>
    status === 400 || status === 401 || (status === 200 && USER_INFO_PATH.test(path)),
  isNone: () => false,
  read: (_status, headers, body) => readOpenApi(headers, body),
}

async function readOpenApi(headers: IncomingHttpHeaders, body: Buffer): Promise<TokenRefusal | null> {
  try {
    const answer: unknown = JSON.parse((await decode(headers['content-encoding'], body)).toString())
    const { code, msg, error } = answer as { code?: unknown; msg?: unknown; error?: { log_id?: unknown } }
    const number = Number(code)
    if (!ACCESS_TOKEN_REFUSED.includes(number)) return null
    const logId = error?.log_id ?? headers['x-tt-logid']
    return {
      code: number,
      message: String(msg).slice(0, 200),
      logId: typeof logId === 'string' ? logId : null,
    }
  } catch {
    return null
  }
}

/** Token invalid, "oauth required", no token: in any HTTP status one thing. What an expired token gets is not documented. */
const MCP_REFUSED = [-32003, -32010, -32011]

/** The hosted MCP server: JSON-RPC in plain JSON, or as the first event of a stream. */
export const MCP: Refusals = {
  mayBe: (status, headers) => isWhole(status, headers) || isPlainStream(headers),
  isNone: (headers, begun) => {
    const ended = begun.includes('\n\n') || begun.includes('\n\r\n')
    return ended && isPlainStream(headers) && readRpc(begun.toString()) === null
  },
  async read(status, headers, body) {
    const text = await decode(headers['content-encoding'], body).then(String, () => '')
    const refusal = readRpc(text)
    if (refusal !== null || status !== 401) return refusal
    return { code: status, message: 'no reason given', logId: null }
  },
}

/** Its stream of a session, whose first event may be hours away. */
export const MCP_STREAM: Refusals = { ...MCP, mayBe: isWhole }

function isWhole(status: number, headers: IncomingHttpHeaders): boolean {
  return status === 401 || /^application\/json\b/.test(headers['content-type'] ?? '')
}

/** One whose events can be told apart as they come. */
function isPlainStream(headers: IncomingHttpHeaders): boolean {
  const encoding = headers['content-encoding'] ?? 'identity'
  return encoding === 'identity' && /^text\/event-stream\b/.test(headers['content-type'] ?? '')
}

/** The refusal in a JSON-RPC answer, or in the first event of a stream. */
function readRpc(text: string): TokenRefusal | null {
  const [, event] = /^data: ?(.*)$/m.exec(text) ?? []
  try {
    const { error } = JSON.parse(event ?? text) as { error?: { code?: unknown; message?: unknown } }
    const code = Number(error?.code)
    if (!MCP_REFUSED.includes(code)) return null
    return { code, message: String(error?.message).slice(0, 200), logId: null }
  } catch {
    return null
  }
}

/** The child may have asked for a compressed answer; only a copy is unpacked, and never to more than the cap. */
async function decode(encoding: string | undefined, body: Buffer): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity') return body
  const { brotliDecompressSync, unzipSync } = await import('node:zlib')
  const unpack = encoding === 'br' ? brotliDecompressSync : unzipSync
  return unpack(body, { maxOutputLength: REFUSAL_BYTES })
}
