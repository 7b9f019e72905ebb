import { randomBytes } from 'node:crypto'
import type { SandboxApp } from './directory.ts'
import {
  type AccessToken,
  type Authorization,
  type Endpoint,
  grantKey,
  keepSecret,
  nextId,
  now,
  type RefreshToken,
  type State,
} from './state.ts'

// The header that real tokens begin with; 600 random bytes bring a token to the 1 to 2 KB of real ones.
const JWT_HEADER = Buffer.from(
  '{"alg":"ES256","feature_code":"FeatureOAuthJWTSign_CN","kid":"7449090148105666588","typ":"JWT"}',
).toString('base64url')
const OPAQUE_BYTES = 600
/** The size of an ES256 signature (RFC 7518 §3.4). */
const SIGNATURE_BYTES = 64

function seconds(ms: number): number {
  return Math.floor(ms / 1_000)
}

function mintJwt(state: State, authorization: Authorization, expiresAt: number, scopes: string[]): string {
  const payload = {
    jti: nextId(state, 'jti'),
    iat: seconds(now(state)),
    exp: seconds(expiresAt),
    ver: 'v1',
    client_id: authorization.appId,
    scope: scopes.join(' '),
    unit: 'eu_nc',
    tenant_unit: 'eu_nc',
    auth_id: authorization.id,
    auth_time: seconds(authorization.authorizedAt),
    auth_exp: seconds(authorization.authorizedAt + state.knobs.authorizationLifetimeMs),
    opaque: true,
    enc: randomBytes(OPAQUE_BYTES).toString('base64url'),
    enc_ver: 'v1',
  }
  const body = Buffer.from(JSON.stringify(payload)).toString('base64url')
  const signature = randomBytes(SIGNATURE_BYTES).toString('base64url')
  return keepSecret(state, `${JWT_HEADER}.${body}.${signature}`)
}

/** What the person has granted to the app and the app still has enabled. */
export function grantedScopes(state: State, app: SandboxApp, openId: string): string[] {
  const granted = state.grants.get(grantKey(app.appId, openId)) ?? new Set<string>()
  return [...granted]
    .filter((scope) => scope === 'auth:user.id:read' || app.enabledScopes.includes(scope))
    .sort()
}

function issueRefreshToken(
  state: State,
  authorization: Authorization,
  accessToken: AccessToken,
  endpoint: Endpoint,
): string {
  const expiresAt = now(state) + state.knobs.refreshTokenLifetimeMs
  const value = mintJwt(state, authorization, expiresAt, ['offline_access'])
  const token: RefreshToken = {
    id: nextId(state, 'rt'),
    endpoint,
    authorization,
    accessToken,
    expiresAt,
    rotatedAt: null,
    revokedAt: null,
    successor: null,
  }
  state.refreshTokens.set(value, token)
  return value
}

/** Issues a token set and returns the answer's fields, flat as Feishu sends them. */
export function issueTokens(
  state: State,
  authorization: Authorization,
  scopes: string[],
  endpoint: Endpoint,
): Record<string, unknown> {
  const { knobs } = state
  const expiresAt = now(state) + knobs.accessTokenLifetimeMs
  const accessToken = {
    id: nextId(state, 'at'),
    authorization,
    scopes,
    expiresAt,
    revokedAt: null,
  }
  const value = mintJwt(state, authorization, expiresAt, scopes)
  state.accessTokens.set(value, accessToken)
  const renewable = scopes.includes('offline_access') && knobs.refreshSwitch && !knobs.omitRefreshToken
  return {
    code: knobs.stringCode ? '0' : 0,
    access_token: value,
    expires_in: seconds(knobs.accessTokenLifetimeMs),
    ...(renewable && {
      refresh_token: issueRefreshToken(state, authorization, accessToken, endpoint),
      refresh_token_expires_in: seconds(knobs.refreshTokenLifetimeMs),
    }),
    scope: scopes.join(' '),
    token_type: 'Bearer',
  }
}

/** Issues an app's own token, `t-…`. */
export function issueTenantToken(state: State, appId: string): { value: string; expiresIn: number } {
  const value = keepSecret(state, `t-${randomBytes(20).toString('hex')}`)
  state.tenantTokens.set(value, { appId, expiresAt: now(state) + state.knobs.accessTokenLifetimeMs })
  return { value, expiresIn: seconds(state.knobs.accessTokenLifetimeMs) }
}
