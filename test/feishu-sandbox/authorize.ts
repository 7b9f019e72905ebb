import { randomBytes } from 'node:crypto'
import { isAvailable, type SandboxApp } from './directory.ts'
import { consentHeading, consentPage, errorPage, scopeLines } from './pages.ts'
import { isUserScope } from './scopes.ts'
import {
  type Authorization,
  type AuthorizationCode,
  authorize,
  grantKey,
  keepSecret,
  nextId,
  type State,
} from './state.ts'
import { type Answer, type Call, redirect } from './wire.ts'

export const AUTHORIZE_PATH = '/open-apis/authen/v1/authorize'

/** A valid authorization request whose consent page is on display. */
export type AuthorizationRequest = {
  appId: string
  redirectUri: string
  scopes: string[]
  state: string | null
  challenge: AuthorizationCode['challenge']
}

/** Why the authorize page shows an error instead of the consent. */
type PageError = { code: number; lines: string[] }

/** 43 to 128 unreserved characters (RFC 7636 §4.1, §4.2). */
const PKCE_VALUE = /^[A-Za-z0-9._~-]{43,128}$/

function pageError(code: number, lines: string[] = []): PageError {
  return { code, lines }
}

/** What counts of a redirect URL in the allow-list: everything before `?` and `#`, a bare root without its slash. */
function comparable(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/^(https?:\/\/[^/]+)\/$/, '$1')
}

function isRegistered(app: SandboxApp, redirectUri: string): boolean {
  return app.redirectUrls.some((registered) => comparable(registered) === comparable(redirectUri))
}

/** Checks a scope list: form, number and kind before what this app has enabled. */
function findScopeError(state: State, app: SandboxApp, scopes: string[]): PageError | null {
  if (scopes.length > state.knobs.maxScopes) return pageError(20043)
  const wrong = scopes.filter((scope) => !isUserScope(scope))
  if (wrong.length > 0) return pageError(20043, wrong)
  const missing = scopes.filter(
    (scope) => scope !== 'auth:user.id:read' && !app.enabledScopes.includes(scope),
  )
  return missing.length > 0 ? pageError(20027, scopeLines(missing)) : null
}

function readChallenge(query: URLSearchParams): AuthorizationCode['challenge'] | PageError {
  const value = query.get('code_challenge')
  if (!value) return null
  const method = query.get('code_challenge_method') ?? 'plain'
  if (method !== 'plain' && method !== 'S256') return pageError(20001, ['code_challenge_method'])
  if (!PKCE_VALUE.test(value)) return pageError(20001, ['code_challenge'])
  return { value, method }
}

function isPageError(value: object | null): value is PageError {
  return value !== null && 'code' in value
}

/** The checks of the authorize page, in Feishu's order (RFC 6749 §4.1.1). */
function readRequest(call: Call): AuthorizationRequest | PageError {
  const { state, query } = call
  const app = state.apps.get(query.get('client_id') ?? '')
  if (!app) return pageError(20028)
  const redirectUri = query.get('redirect_uri')
  if (query.get('response_type') !== 'code') return pageError(20001, ['response_type'])
  if (!redirectUri) return pageError(20001, ['redirect_uri'])
  const challenge = readChallenge(query)
  if (isPageError(challenge)) return challenge
  if (app.brand !== state.brand) return pageError(20046)
  if (!app.enabled) return pageError(20069)
  if (!isRegistered(app, redirectUri)) return pageError(20029)
  const scopes = query.get('scope') ? (query.get('scope') ?? '').split(' ') : []
  const scopeError = findScopeError(state, app, scopes)
  if (scopeError) return scopeError
  return { appId: app.appId, redirectUri, scopes, state: query.get('state'), challenge }
}

/** Appends to the redirect URI; a fragment moves to the very end. */
function redirectBack(request: AuthorizationRequest, parameters: Record<string, string>): Answer {
  const [base = '', ...fragment] = request.redirectUri.split('#')
  const all = request.state === null ? parameters : { ...parameters, state: request.state }
  const query = Object.entries(all).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  const tail = fragment.length > 0 ? `#${fragment.join('#')}` : ''
  return redirect(`${base}${base.includes('?') ? '&' : '?'}${query.join('&')}${tail}`)
}

function issueCode(state: State, request: AuthorizationRequest, authorization: Authorization): string {
  const code = keepSecret(state, randomBytes(48).toString('base64url')) // 64 characters, as in Feishu's example
  state.codes.set(code, {
    id: nextId(state, 'code'),
    authorization,
    redirectUri: request.redirectUri,
    challenge: request.challenge,
    expiresAt: authorization.authorizedAt + state.knobs.codeLifetimeMs,
    usedAt: null,
  })
  return code
}

function approve(call: Call, request: AuthorizationRequest, openId: string, scopes: string[]): Answer {
  const { state, logId } = call
  const app = state.apps.get(request.appId)
  const user = state.users.get(openId)
  if (!app || !user || user.status !== 'active' || !isAvailable(app, openId)) return errorPage(20010, logId)
  const authorization = authorize(state, app.appId, openId, scopes)
  return redirectBack(request, { code: issueCode(state, request, authorization) })
}

/** `GET …/authorize`: the consent page, an error page, or at once the redirect. */
export function handleAuthorize(call: Call): Answer {
  const { state, query, logId } = call
  const request = readRequest(call)
  if (isPageError(request)) return errorPage(request.code, logId, request.lines)
  const app = state.apps.get(request.appId)
  const users = [...state.users.values()].filter((user) => app && isAvailable(app, user.openId))
  const [first] = users
  if (!app || !first) return errorPage(20010, logId)
  const granted = state.grants.get(grantKey(app.appId, first.openId)) ?? new Set()
  const silent =
    state.knobs.skipConsentWhenGranted &&
    query.get('prompt') !== 'consent' &&
    granted.size > 0 &&
    request.scopes.every((scope) => granted.has(scope))
  if (state.knobs.autoApprove || silent) return approve(call, request, first.openId, request.scopes)
  const ticket = randomBytes(18).toString('base64url')
  state.tickets.set(ticket, request)
  return consentPage({
    action: AUTHORIZE_PATH,
    ticket,
    heading: consentHeading(app),
    explanation: `App ID ${app.appId} · ${request.redirectUri}`,
    scopes: request.scopes,
    users,
  })
}

/** `POST …/authorize`: the decision taken on the consent page. */
export function handleConsent(call: Call): Answer {
  const form = new URLSearchParams(call.body)
  const ticket = form.get('ticket') ?? ''
  const request = call.state.tickets.get(ticket)
  if (!request) return errorPage(20001, call.logId)
  call.state.tickets.delete(ticket)
  if (form.get('decision') !== 'approve') return redirectBack(request, { error: 'access_denied' })
  const scopes = form.getAll('scope').filter((scope) => request.scopes.includes(scope))
  return approve(call, request, form.get('user') ?? '', scopes)
}
