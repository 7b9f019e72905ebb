// The authorization request and its response (RFC 6749 §4.1.1, §4.1.2; RFC 9207).

import { timingSafeEqual } from 'node:crypto'

/** Builds the address that the person opens (RFC 6749 §4.1.1, RFC 7636 §4.3). It holds no secret. */
export function authorizationUrl(request: {
  endpoint: string
  clientId: string
  redirectUri: string
  scopes: readonly string[]
  state: string
  codeChallenge: string
}): string {
  const url = new URL(request.endpoint)
  const query = new URLSearchParams({
    client_id: request.clientId,
    response_type: 'code',
    redirect_uri: request.redirectUri,
    // A space, never a comma: Feishu answers commas with its page error 20043.
    scope: request.scopes.join(' '),
    state: request.state,
    code_challenge: request.codeChallenge,
    code_challenge_method: 'S256',
  })
  // Colons may stand in a query (RFC 3986 §3.4), as in Feishu's own example: the link is shorter, and its scopes legible.
  url.search = query.toString().replaceAll('%3A', ':')
  return url.href
}

/** The authorization response: the query of the redirect (RFC 6749 §4.1.2). */
export type AuthorizationResponse = { kind: 'code'; code: string } | { kind: 'error'; error: string }

/** Feishu's codes have 64 characters of this alphabet; room is left for longer ones. */
const CODE = /^[A-Za-z0-9._~+/=-]{1,2048}$/

function single(query: URLSearchParams, name: string): string | null {
  const values = query.getAll(name)
  return values.length === 1 ? (values[0] ?? null) : null
}

function equalInConstantTime(left: string, right: string): boolean {
  const a = Buffer.from(left)
  const b = Buffer.from(right)
  return a.length === b.length && timingSafeEqual(a, b)
}

/**
 * Reads the query of a redirect. Only one that bears our `state`, each parameter once, and exactly one of `code`
 * and `error` counts; anything else is null: it is not our authorization server that speaks (RFC 6749 §10.12).
 * An `iss` that is not the accounts host's is refused too (RFC 9207); Feishu sends none.
 */
export function readAuthorizationResponse(
  query: URLSearchParams,
  expected: { state: string; issuer: string },
): AuthorizationResponse | null {
  const state = single(query, 'state')
  // An authorization that has ended has no state any more: nothing answers it.
  if (!state || !equalInConstantTime(state, expected.state)) return null
  const issuers = query.getAll('iss')
  if (issuers.some((issuer) => issuer !== expected.issuer)) return null
  const code = single(query, 'code')
  const error = single(query, 'error')
  const both = query.has('code') && query.has('error')
  if (both) return null
  if (code !== null && CODE.test(code)) return { kind: 'code', code }
  return error ? { kind: 'error', error } : null
}
