import { createHash } from 'node:crypto'
import { pollDevice } from './device.ts'
import { isAvailable } from './directory.ts'
import { grantedScopes, issueTenantToken, issueTokens } from './issue.ts'
import { DEVICE_GRANT, endpointOf, type Presentation } from './ledger.ts'
import type { Authorization, AuthorizationCode, RefreshToken, State } from './state.ts'
import { type Answer, type Call, json, tokenError } from './wire.ts'

type Fields = Record<string, string>

/** Ends the presentation, if there is one, and refuses with Feishu's code. */
function refuse(call: Call, code: number): Answer {
  if (call.presentation) Object.assign(call.presentation, { outcome: 'rejected', code })
  return tokenError(code)
}

function succeed(call: Call, outcome: Presentation['outcome'], body: Record<string, unknown>): Answer {
  if (call.presentation) Object.assign(call.presentation, { outcome, code: 0 })
  return json(200, body)
}

/** Unknown app, wrong secret, another app's grant, disabled or not installed app; `null` if all is well. */
function findClientError(state: State, fields: Fields, ownerAppId: string): number | null {
  const app = state.apps.get(fields.client_id ?? '')
  if (!app) return 20048
  if (app.appSecret !== fields.client_secret) return 20002
  if (app.appId !== ownerAppId) return 20024
  if (!app.enabled) return 20069
  return app.installed ? null : 20009
}

function findUserError(state: State, authorization: Authorization): number | null {
  const user = state.users.get(authorization.openId)
  const app = state.apps.get(authorization.appId)
  if (!user || user.status === 'deleted') return 20008
  if (user.status !== 'active') return 20066
  return app && isAvailable(app, user.openId) ? null : 20010
}

/** The scopes of the new token set: the whole grant, or the part that `scope` narrows it to. */
function narrowScopes(
  state: State,
  authorization: Authorization,
  wanted: string | undefined,
): string[] | number {
  const app = state.apps.get(authorization.appId)
  const granted = app ? grantedScopes(state, app, authorization.openId) : []
  if (!wanted) return granted
  const scopes = wanted.split(' ')
  if (new Set(scopes).size !== scopes.length) return 20067
  return scopes.every((scope) => granted.includes(scope)) ? scopes : 20068
}

function fitsChallenge(challenge: { value: string; method: string }, verifier: string): boolean {
  if (challenge.method === 'plain') return verifier === challenge.value
  return createHash('sha256').update(verifier).digest('base64url') === challenge.value
}

/** RFC 7636 §4.6, with v2's leniency and v3's strictness. */
function findPkceError(call: Call, code: AuthorizationCode, verifier: string | undefined): number | null {
  const isV3 = endpointOf(call) === 'v3'
  if (!code.challenge) return verifier && isV3 ? 20049 : null
  if (isV3 && call.state.knobs.v3PkceBroken) return 20049
  return verifier && fitsChallenge(code.challenge, verifier) ? null : 20049
}

function findExchangeError(call: Call, fields: Fields, code: AuthorizationCode): number | null {
  const clientError = findClientError(call.state, fields, code.authorization.appId)
  if (clientError !== null) return clientError
  if (fields.redirect_uri && fields.redirect_uri !== code.redirectUri) return 20071
  return findPkceError(call, code, fields.code_verifier) ?? findUserError(call.state, code.authorization)
}

/** The authorization code grant (RFC 6749 §4.1.3). The code is looked up before the client is authenticated. */
function exchangeCode(call: Call, fields: Fields): Answer {
  const { state, now } = call
  if (!fields.client_id || !fields.client_secret || !fields.code) return refuse(call, 20001)
  const endpoint = endpointOf(call)
  if (endpoint === 'v3' && state.brand === 'lark' && state.knobs.larkV3RefusesCodes)
    return refuse(call, 20003)
  const code = state.codes.get(fields.code)
  if (!code) return refuse(call, 20003)
  if (code.usedAt !== null) return refuse(call, 20065)
  if (now >= code.expiresAt) return refuse(call, 20004)
  const scopes = narrowScopes(state, code.authorization, fields.scope)
  const error = findExchangeError(call, fields, code) ?? (typeof scopes === 'number' ? scopes : null)
  if (error === null || state.knobs.failedExchangeBurnsCode) code.usedAt = now
  if (error !== null || typeof scopes === 'number') return refuse(call, error ?? 20068)
  return succeed(call, 'granted', issueTokens(state, code.authorization, scopes, endpoint))
}

/** A rotated token: dead, or inside the grace window the same new token set once more. */
function isInGraceWindow(call: Call, token: RefreshToken): boolean {
  return token.rotatedAt !== null && call.now - token.rotatedAt < call.state.knobs.graceWindowMs
}

function findRefreshTokenError(call: Call, fields: Fields, token: RefreshToken | undefined): number | null {
  const { state, now } = call
  if (!token || (token.endpoint === 'v3' && endpointOf(call) === 'v2')) return 20026
  const { authorization } = token
  if (authorization.appId !== fields.client_id) return 20024
  if (token.rotatedAt !== null && !isInGraceWindow(call, token)) {
    if (state.knobs.reuseRevokesAuthorization) authorization.revokedAt ??= now
    return state.knobs.rotatedCode
  }
  if (token.revokedAt !== null || authorization.revokedAt !== null) return 20064
  const capAt = authorization.authorizedAt + state.knobs.authorizationLifetimeMs
  return now >= token.expiresAt || now >= capAt ? 20037 : null
}

function rotate(call: Call, token: RefreshToken, scopes: string[]): Answer {
  const { state, now } = call
  const body = issueTokens(state, token.authorization, scopes, endpointOf(call))
  // A server that issues no new refresh token leaves the old one in force (RFC 6749 §6).
  if (state.knobs.omitRefreshToken) return succeed(call, 'granted', body)
  token.rotatedAt = now
  token.successor = body
  const graceMs = state.knobs.oldAccessTokenGraceMs
  if (graceMs !== null) token.accessToken.revokedAt ??= now + graceMs
  return succeed(call, 'rotated', body)
}

/** The same token set once more, older by the time that has passed. */
function replay(call: Call, token: RefreshToken, successor: Record<string, unknown>): Answer {
  const elapsed = Math.floor((call.now - (token.rotatedAt ?? call.now)) / 1_000)
  return succeed(call, 'replayed', { ...successor, expires_in: Number(successor.expires_in) - elapsed })
}

/** The refresh token grant (RFC 6749 §6). Synchronous, so two at once cannot both succeed. */
function refresh(call: Call, fields: Fields): Answer {
  const { state } = call
  if (!fields.client_id || !fields.client_secret || !fields.refresh_token) return refuse(call, 20001)
  if (!state.apps.has(fields.client_id)) return refuse(call, 20048)
  if (!state.knobs.refreshSwitch) return refuse(call, 20074)
  const token = state.refreshTokens.get(fields.refresh_token)
  const tokenError = findRefreshTokenError(call, fields, token)
  if (tokenError !== null || !token) return refuse(call, tokenError ?? 20026)
  const scopes = narrowScopes(state, token.authorization, fields.scope)
  const clientError = findClientError(state, fields, token.authorization.appId)
  if (clientError !== null) return refuse(call, clientError)
  if (token.successor) return replay(call, token, token.successor)
  if (typeof scopes === 'number') return refuse(call, scopes)
  const userError = findUserError(state, token.authorization)
  return userError === null ? rotate(call, token, scopes) : refuse(call, userError)
}

/** The app's own token; only v3 has this grant (RFC 6749 §4.4). */
function grantToApp(call: Call, fields: Fields): Answer {
  const error = findClientError(call.state, fields, fields.client_id ?? '')
  if (error !== null) return tokenError(error)
  const token = issueTenantToken(call.state, fields.client_id ?? '')
  return json(200, { code: 0, access_token: token.value, expires_in: token.expiresIn, token_type: 'Bearer' })
}

/** `POST …/oauth/token`, v2 and v3. */
export function handleToken(call: Call): Answer {
  const { fields, headers } = call
  if (!fields) return refuse(call, 20063)
  const isBasic = headers.authorization?.toLowerCase().startsWith('basic ') ?? false
  if (isBasic && fields.client_secret) return refuse(call, 20070)
  if (!fields.grant_type) return refuse(call, 20001)
  if (fields.grant_type === 'authorization_code') return exchangeCode(call, fields)
  if (fields.grant_type === 'refresh_token') return refresh(call, fields)
  if (fields.grant_type === DEVICE_GRANT) {
    if (!fields.client_id || !fields.client_secret || !fields.device_code) return refuse(call, 20001)
    const error = findClientError(call.state, fields, fields.client_id)
    return error === null ? pollDevice(call, fields.device_code, endpointOf(call)) : refuse(call, error)
  }
  if (fields.grant_type === 'client_credentials' && endpointOf(call) === 'v3') return grantToApp(call, fields)
  return refuse(call, 20036)
}
