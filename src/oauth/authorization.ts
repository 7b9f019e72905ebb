import { timingSafeEqual } from 'node:crypto'
import { CodedError } from '../errors.ts'
import { say } from '../sentence.ts'

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
  url.search = new URLSearchParams({
    client_id: request.clientId,
    response_type: 'code',
    redirect_uri: request.redirectUri,
    // A space, never a comma: Feishu answers commas with its page error 20043.
    scope: request.scopes.join(' '),
    state: request.state,
    code_challenge: request.codeChallenge,
    code_challenge_method: 'S256',
  }).toString()
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

/**
 * Reads the address that a person's browser ended on, with the checks that a request to the listener gets.
 *
 * @throws CodedError `state_mismatch` when it is not the answer to the pending authorization
 */
export function readPastedAddress(
  address: string,
  expected: { redirectUri: string; state: string; issuer: string },
): AuthorizationResponse {
  const text = address.trim()
  const url = text.length <= 8192 && URL.canParse(text) ? new URL(text) : null
  const redirect = new URL(expected.redirectUri)
  const samePlace = url !== null && url.origin === redirect.origin && url.pathname === redirect.pathname
  const response = samePlace ? readAuthorizationResponse(url.searchParams, expected) : null
  if (response) return response
  throw new CodedError('state_mismatch', say`This address does not belong to the pending authorization.`, {
    nextStep: say`Paste the whole address that the browser ended on after approving the link of the pending authorization
        (it begins with ${redirect.origin}${redirect.pathname}?); the authorization is still waiting for it.`,
  })
}

/** The `state` in a pasted address, unchecked; empty when it has none. */
export function pastedState(address: string): string {
  const text = address.trim()
  return (URL.canParse(text) ? single(new URL(text).searchParams, 'state') : null) ?? ''
}
