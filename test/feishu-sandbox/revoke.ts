import { now, type State } from './state.ts'
import { type Answer, type Call, json, oauthError } from './wire.ts'

export const REVOKE_PATH = '/oauth/v1/revoke'

/** Ends one token: an access token alone, a refresh token with its whole authorization. */
function revokeToken(state: State, appId: string, token: string): void {
  const refreshToken = state.refreshTokens.get(token)
  if (refreshToken?.authorization.appId === appId) refreshToken.authorization.revokedAt ??= now(state)
  const accessToken = state.accessTokens.get(token)
  if (accessToken?.authorization.appId === appId) accessToken.revokedAt = now(state)
}

/** `POST /oauth/v1/revoke` (RFC 7009 §2): an unknown token is a success too. */
export function handleRevoke(call: Call): Answer {
  const { state, fields } = call
  if (!fields?.token) return oauthError('invalid_request', 'The request is malformed.')
  const app = state.apps.get(fields.client_id ?? '')
  if (!app || app.appSecret !== fields.client_secret) {
    return oauthError('invalid_client', 'The client id or secret is invalid.')
  }
  revokeToken(state, app.appId, fields.token)
  return state.knobs.revokeAnswersJson ? json(200, { code: 0 }) : { status: 200, headers: {}, body: '' }
}

/** What an administrator or Feishu's security revokes; everything that is not excluded. */
export type Revocation = {
  openId?: string
  appId?: string
  tokens?: 'access' | 'refresh' | 'all'
}

/** Revokes issued tokens without the client's doing. */
export function revokeIssued(state: State, { openId, appId, tokens = 'all' }: Revocation = {}): void {
  const at = now(state)
  const issued = [
    ...(tokens === 'refresh' ? [] : state.accessTokens.values()),
    ...(tokens === 'access' ? [] : state.refreshTokens.values()),
  ]
  for (const token of issued) {
    const { authorization } = token
    const isMeant = (!openId || authorization.openId === openId) && (!appId || authorization.appId === appId)
    if (isMeant) token.revokedAt = at
  }
}
