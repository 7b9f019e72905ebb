// The access token of the moment, for whoever sends requests of other programs on: read again, renewed when refused.

import { resolveApp } from '../app/app.ts'
import type { Deps, RefreshResult } from '../deps.ts'
import type { AccessToken, TokenSource } from '../gateway/renewal.ts'
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

  function keep({ record, remainingMs }: Pick<RefreshResult, 'record' | 'remainingMs'>): AccessToken {
    const token = { accessToken: revealAccessToken(record), generation: record.generation }
    cached = { token, until: deps.clock.elapsed() + Math.min(freshMs, remainingMs) }
    return token
  }

  async function renew(refused: number): Promise<AccessToken> {
    const app = await resolveApp(deps, profile)
    const record = await deps.store.read(app.id)
    if (record.generation > refused && record.tokenSet)
      return keep({ record, remainingMs: deps.clock.remainingMs(record, app.key) })
    return keep(await refreshToken(deps, { profile, force: true }))
  }

  return {
    async currentToken() {
      if (cached && deps.clock.elapsed() < cached.until) return cached.token
      looking ??= pullRecord(deps, profile)
        .then(keep)
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
