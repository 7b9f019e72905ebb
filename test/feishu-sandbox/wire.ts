import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { API_ERRORS, TOKEN_ERRORS } from './feishu-codes.ts'
import type { Presentation } from './ledger.ts'
import type { State } from './state.ts'

/** One request, read completely. */
export type Call = {
  state: State
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingHttpHeaders
  body: string
  /** The body as flat text fields, JSON or form alike; `null` if it is neither or has doubled or other values. */
  fields: Record<string, string> | null
  /** Sandbox clock. */
  now: number
  logId: string
  /** The ledger's entry for this request, if it presents a code or token. */
  presentation: Presentation | null
}

export type Answer = { status: number; headers: Record<string, string>; body: string | Buffer }

export function json(status: number, value: unknown): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(value),
  }
}

export function html(body: string): Answer {
  // 200: the status of Feishu's pages is not known, and a browser shows them all the same.
  return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body }
}

export function redirect(location: string): Answer {
  return { status: 302, headers: { location }, body: '' }
}

export function notFound(): Answer {
  return { status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found' }
}

/** An error of the token endpoint, flat and without `msg`. */
export function tokenError(code: number, fields: Record<string, unknown> = {}): Answer {
  const known = TOKEN_ERRORS[code] ?? {
    status: 400,
    error: 'invalid_request',
    description: `Error ${code}.`,
  }
  return json(known.status, {
    error: known.error,
    error_description: known.description,
    code,
    ...fields,
  })
}

/** An error without a Feishu number, as the device grant has them (RFC 8628 §3.5). */
export function oauthError(error: string, description: string, status = 400): Answer {
  return json(status, { error, error_description: description })
}

/** An error of the gateway or of an API. */
export function apiError(
  call: Call,
  code: number,
  detail: Record<string, unknown> = {},
  suffix = '',
): Answer {
  const known = API_ERRORS[code] ?? { status: 400, msg: `error ${code}` }
  return json(known.status, { code, msg: known.msg + suffix, error: { log_id: call.logId, ...detail } })
}

/** `X-Tt-Logid`: 14 digits of date and time, 20 hex digits. */
export function newLogId(at: number): string {
  const stamp = new Date(at).toISOString().replace(/\D/g, '').slice(0, 14)
  return stamp + randomBytes(10).toString('hex').toUpperCase()
}

function isText(entry: [string, unknown]): entry is [string, string] {
  return typeof entry[1] === 'string'
}

function parseJson(body: string): Record<string, string> | null {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    const entries = Object.entries(value)
    return entries.every(isText) ? Object.fromEntries(entries) : null
  } catch {
    return null
  }
}

function parseForm(body: string): Record<string, string> | null {
  const entries = [...new URLSearchParams(body)]
  const fields = Object.fromEntries(entries)
  return Object.keys(fields).length === entries.length ? fields : null
}

/** Reads a body by its content type; `null` for anything but well-formed text fields. */
export function parseFields(contentType: string | undefined, body: string): Record<string, string> | null {
  const type = contentType?.split(';')[0]?.trim().toLowerCase()
  if (type === 'application/json') return parseJson(body)
  if (type === 'application/x-www-form-urlencoded') return parseForm(body)
  return null
}
