// The headers of a request: which key it bears, and what goes on.

import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Headers as both node:http and undici take them. */
export type OutgoingHeaders = Record<string, string | string[]>

/** The two headers in which programs send the user's token. */
export type TokenPlace = 'authorization' | 'x-lark-mcp-uat'

/**
 * They belong to one connection and end at the gateway (RFC 9110 §7.6.1), like all that begin with `proxy-`.
 * `host` is written again by undici, `expect` is answered by the gateway.
 */
const ONE_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'host',
  'expect',
])

/** Tells whether a web page, not a program, sent this: browsers add these to what pages send, programs do not. */
export function comesFromPage(headers: IncomingHttpHeaders): boolean {
  const mode = headers['sec-fetch-mode']
  return (
    headers.origin !== undefined ||
    headers['sec-fetch-site'] !== undefined ||
    headers['sec-fetch-dest'] !== undefined ||
    // Node's own fetch sends `Sec-Fetch-Mode: cors` and none of the others.
    (mode !== undefined && mode !== 'cors')
  )
}

/**
 * Names the headers that bear the gateway's key, to be replaced by the access token.
 * `null`: a credential that is neither the key nor a tenant token (`t-…`); it must not go on.
 */
export function findKey(headers: IncomingHttpHeaders, key: string): TokenPlace[] | null {
  const token = bearerOf(headers)
  const userToken = headers['x-lark-mcp-uat']
  const places: TokenPlace[] = []
  if (headers.authorization?.trim()) {
    if (token === null) return null
    if (isKey(token, key)) places.push('authorization')
    else if (!token.startsWith('t-')) return null
  }
  if (typeof userToken === 'string' && userToken !== '') {
    if (isKey(userToken, key)) places.push('x-lark-mcp-uat')
    else if (!userToken.startsWith('t-')) return null
  }
  return places
}

/** The token of `Authorization: Bearer …`; null: there is none. */
export function bearerOf(headers: IncomingHttpHeaders): string | null {
  return /^bearer +(\S+)$/i.exec(headers.authorization?.trim() ?? '')?.[1] ?? null
}

function isKey(token: string, key: string): boolean {
  const given = Buffer.from(token)
  const expected = Buffer.from(key)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** The headers that go on to the open host, with the access token where the key was. */
export function upstreamHeaders(
  headers: IncomingHttpHeaders,
  places: TokenPlace[],
  accessToken: string,
): OutgoingHeaders {
  const kept = endToEnd(headers)
  for (const place of places) kept[place] = place === 'authorization' ? `Bearer ${accessToken}` : accessToken
  return kept
}

/** Leaves out what belongs to one connection only: the fixed set and what `Connection` names (RFC 9110 §7.6.1). */
export function endToEnd(headers: IncomingHttpHeaders): OutgoingHeaders {
  // In an answer it may stand more than once, and is a list then.
  const named = String(headers.connection ?? '')
    .toLowerCase()
    .split(',')
  const kept: OutgoingHeaders = {}
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || ONE_CONNECTION.has(name) || name.startsWith('proxy-')) continue
    if (named.some((option) => option.trim() === name)) continue
    kept[name] = value
  }
  return kept
}
