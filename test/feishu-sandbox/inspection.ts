import { now, type State } from './state.ts'

/** What has become of a secret; asking spends nothing. */
export type Inspection = {
  kind: 'access_token' | 'refresh_token' | 'code'
  id: string
  status: 'live' | 'used' | 'revoked' | 'expired'
}

function statusOf(used: boolean, revoked: boolean, expired: boolean): Inspection['status'] {
  if (used) return 'used'
  if (revoked) return 'revoked'
  return expired ? 'expired' : 'live'
}

/** Looks a code or token up without presenting it. */
export function inspect(state: State, secret: string): Inspection | null {
  const at = now(state)
  const code = state.codes.get(secret)
  if (code)
    return { kind: 'code', id: code.id, status: statusOf(code.usedAt !== null, false, at >= code.expiresAt) }
  const refreshToken = state.refreshTokens.get(secret)
  const token = refreshToken ?? state.accessTokens.get(secret)
  if (!token) return null
  const isUsed = refreshToken ? refreshToken.rotatedAt !== null : false
  const isRevoked =
    token.authorization.revokedAt !== null || (token.revokedAt !== null && at >= token.revokedAt)
  const status = statusOf(isUsed, isRevoked, at >= token.expiresAt)
  return { kind: refreshToken ? 'refresh_token' : 'access_token', id: token.id, status }
}
