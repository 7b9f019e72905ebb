// The access token of the moment, for whoever sends requests of other programs on: read again, renewed when refused.

import { resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import type { AccessToken, TokenSource } from '../gateway/renewal.ts'
import type { TokenRecord } from '../oauth/token-set.ts'
import { refreshToken } from '../refresh/refresh.ts'
import { pullRecord, revealAccessToken } from './pull.ts'

/**
 * Creates the source of a profile's token, which is read again from the store after `freshMs`: another process may have
 * refreshed. Many requests at once look at the store once. Without an app or a login each request says so.
 */
export function createTokenSource(deps: Deps, profile: string, freshMs: number): TokenSource {
  let cached: { token: AccessToken; until: number } | null = null
  let looking: Promise<AccessToken> | null = null
  let renewal: { refused: number; token: Promise<AccessToken> } | null = null

  async function keep(record: TokenRecord): Promise<AccessToken> {
    const app = await resolveApp(deps, profile)
    const token = { accessToken: revealAccessToken(record), generation: record.generation }
    const until = deps.clock.elapsed() + Math.min(freshMs, deps.clock.remainingMs(record, app.key))
    cached = { token, until }
    return token
  }

  async function renew(refused: number): Promise<AccessToken> {
    const stored = await deps.store.read((await resolveApp(deps, profile)).id)
    if (stored.generation > refused && stored.tokenSet) return keep(stored)
    return keep((await refreshToken(deps, { profile, force: true })).record)
  }

  return {
    async currentToken() {
      if (cached && deps.clock.elapsed() < cached.until) return cached.token
      looking ??= pullRecord(deps, profile)
        .then(({ record }) => keep(record))
        .finally(() => {
          looking = null
        })
      return looking
    },
    renewToken(refused) {
      // All that met the same refusal share one renewal; one that failed may be tried again.
      if (renewal?.refused !== refused) {
        const token = renew(refused)
        renewal = { refused, token }
        token.catch(() => {
          renewal = null
        })
      }
      return renewal.token
    },
  }
}
