import { createHash } from 'node:crypto'
import { type Endpoint, keepSecret } from './state.ts'
import type { Call } from './wire.ts'

export const TOKEN_V2_PATH = '/open-apis/authen/v2/oauth/token'
export const TOKEN_V3_PATH = '/oauth/v3/token'
/** RFC 8628 §3.4. */
export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/** One presentation of a code, refresh token or device code at the token endpoint. */
export type Presentation = {
  kind: 'code' | 'refresh_token' | 'device_code'
  /** The sandbox's own name of the secret, such as `rt_7`; `null` if it was never issued here. */
  tokenId: string | null
  /** SHA-256 of the secret, in hex. */
  fingerprint: string
  endpoint: Endpoint
  appId: string | null
  /** Sandbox clock. */
  at: number
  /** `unprocessed`: a fault came first. `replayed`: answered from the grace window. */
  outcome: 'unprocessed' | 'granted' | 'rotated' | 'replayed' | 'pending' | 'rejected'
  /** Feishu's code of the true answer: 0 on success, `null` where the answer has none or was never made. */
  code: number | null
  /** The answer, as it left, was handed to the connection completely. */
  answered: boolean
  /** The kind of the injected fault, if any. */
  fault: string | null
}

/** One request outside `/_sandbox/`; names of headers only, no values. */
export type RequestRecord = {
  method: string
  path: string
  /** `null`: no complete answer was sent. */
  status: number | null
  /** Sandbox clock. */
  at: number
  durationMs: number | null
  headerNames: string[]
  logId: string
  fault: string | null
}

/** How the ledger names a secret without showing it. */
export function fingerprint(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** The version of the token endpoint that was called. */
export function endpointOf(call: Call): Endpoint {
  return call.path === TOKEN_V3_PATH ? 'v3' : 'v2'
}

/** Enters what the request presents into the ledger, before anything can go wrong with it. */
export function recordPresentation(call: Call): Presentation | null {
  const { state, fields } = call
  if (!fields) return null
  if (fields.code_verifier) keepSecret(state, fields.code_verifier)
  const presented = {
    authorization_code: ['code', state.codes] as const,
    refresh_token: ['refresh_token', state.refreshTokens] as const,
    [DEVICE_GRANT]: ['device_code', state.devices] as const,
  }[fields.grant_type ?? '']
  if (!presented) return null
  const [kind, known] = presented
  const secret = fields[kind]
  if (!secret) return null
  const presentation: Presentation = {
    kind,
    tokenId: known.get(secret)?.id ?? null,
    fingerprint: fingerprint(secret),
    endpoint: endpointOf(call),
    appId: fields.client_id ?? null,
    at: call.now,
    outcome: 'unprocessed',
    code: null,
    answered: false,
    fault: null,
  }
  state.ledger.push(presentation)
  return presentation
}
