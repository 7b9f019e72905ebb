// Which requests can be the person's browser following Feishu's redirect, and which cannot.

import type { IncomingMessage } from 'node:http'
import { LOOPBACK_HOSTS, portOf } from '../machine/address.ts'
import type { Page } from './page-text.ts'

/** A code and a state are a few hundred bytes; sign-on pages in between add some. */
const MAX_URL_CHARACTERS = 8 * 1024

type Rejection = Extract<
  Page['kind'],
  'method_not_allowed' | 'misdirected' | 'forbidden' | 'ignored' | 'not_found'
>

/**
 * Names why a request is not a top-level navigation to the redirect URI; null = it is one.
 * Host keeps out DNS rebinding, Origin and Sec-Fetch-* the scripts, frames and forms of other pages (Fetch Metadata).
 */
export function reject(request: IncomingMessage, redirectUri: URL): Rejection | null {
  const { headers, method, url = '' } = request
  if (method !== 'GET') return 'method_not_allowed'
  if (!isOurHost(request, redirectUri)) return 'misdirected'
  if (headers.origin !== undefined && headers.origin !== 'null') return 'forbidden'
  if (isSubresource(headers)) return 'forbidden'
  if ((headers['sec-fetch-dest'] ?? 'document') !== 'document') return 'forbidden'
  if (url.length > MAX_URL_CHARACTERS) return 'ignored'
  if (url.split('?', 1)[0] !== redirectUri.pathname) return 'not_found'
  return null
}

/**
 * Whether a browser says that a page, not the person, made the request. Node's own `fetch` labels itself as `cors`
 * without being a browser: programs that hand the redirect on for a person are let through, they need the state too.
 */
function isSubresource(headers: IncomingMessage['headers']): boolean {
  const mode = headers['sec-fetch-mode'] ?? 'navigate'
  const program = headers['user-agent'] === 'node' && headers['sec-fetch-site'] === undefined
  return mode !== 'navigate' && !program
}

/** The query of a request, as the browser sent it; repeated parameters stay repeated. */
export function queryOf(request: IncomingMessage): URLSearchParams {
  const url = request.url ?? ''
  return new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '')
}

function isOurHost(request: IncomingMessage, redirectUri: URL): boolean {
  // request.headers shows the first of several; a proxy in front might believe the last.
  const hosts = request.rawHeaders.filter(
    (_, index, raw) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === 'host',
  )
  if (hosts.length !== 1) return false
  const names = redirectUri.hostname === 'localhost' ? LOOPBACK_HOSTS : [redirectUri.hostname]
  const port = portOf(redirectUri)
  return names.some(
    (name) => hosts[0] === `${name}:${port}` || (redirectUri.port === '' && hosts[0] === name),
  )
}
