import type { IncomingHttpHeaders } from 'node:http'
import { ACCESS_TOKEN_REFUSED } from '../oauth/feishu-errors.ts'

/** Enough for any error of Feishu's (a few hundred bytes); a larger answer is no refusal of the token. */
export const REFUSAL_BYTES = 65_536

/** `user_info` refuses a token with HTTP 200 and a code; every other API with HTTP 400 or 401. */
const USER_INFO_PATH = /^\/open-apis\/authen\/v1\/user_info(?:\?|$)/

export type Refusal = { code: number; message: string; logId: string | null }

/** Tells whether an answer may be a refusal of the token, so that it must be read before it is handed on. */
export function mayBeRefusal(status: number, path: string): boolean {
  return status === 400 || status === 401 || (status === 200 && USER_INFO_PATH.test(path))
}

/** Reads Feishu's refusal of the access token; `null` = the answer says something else. */
export async function readRefusal(headers: IncomingHttpHeaders, body: Buffer): Promise<Refusal | null> {
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

/** The child may have asked for a compressed answer; only a copy is unpacked, and never to more than the cap. */
async function decode(encoding: string | undefined, body: Buffer): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity') return body
  const { brotliDecompressSync, unzipSync } = await import('node:zlib')
  const unpack = encoding === 'br' ? brotliDecompressSync : unzipSync
  return unpack(body, { maxOutputLength: REFUSAL_BYTES })
}
