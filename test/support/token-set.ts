import type { TokenSet } from '../../src/oauth/token-set.ts'
import { Secret } from '../../src/secret.ts'

/** An instant in the tests' past: 2026-01-01. */
export const ISSUED_AT = 1_767_225_600_000
const LIFETIME_MS = 7_013_000

/** A token set that was issued at {@link ISSUED_AT}. */
export function makeTokenSet(changes: Partial<TokenSet> = {}): TokenSet {
  return {
    accessToken: new Secret('access-token-1'),
    accessTokenExpiresAt: ISSUED_AT + LIFETIME_MS,
    accessTokenLifetimeMs: LIFETIME_MS,
    refreshToken: new Secret('refresh-token-1'),
    refreshTokenExpiresAt: ISSUED_AT + 600_011_000,
    refreshTokenDoubtful: false,
    refusal: null,
    scopes: ['docx:document', 'offline_access'],
    requestedScopes: ['docx:document', 'offline_access'],
    user: { openId: 'ou_1', name: '沙小盒' },
    authorizedAt: ISSUED_AT,
    issuedAt: ISSUED_AT,
    refreshedAt: null,
    endpoint: 'v2',
    authorizationId: 'a1',
    lifetimeAssumed: false,
    clockSkewMs: null,
    ...changes,
  }
}
