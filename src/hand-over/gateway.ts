// The gateway of one profile: for as long as a child lives, each of its requests gets the token of that moment.

import { resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { type Gateway, startGateway } from '../gateway/gateway.ts'
import type { TokenRecord } from '../oauth/token-set.ts'
import { refreshToken } from '../refresh/refresh.ts'
import { pullRecord, revealAccessToken } from './pull.ts'

/** The store is looked at again after this: another process may have refreshed. */
const FRESH_MS = 1_000

/** Starts the gateway that gives each request of a child the token of that moment. */
export async function openGateway(deps: Deps, profile: string): Promise<Gateway> {
  const app = await resolveApp(deps, profile)
  const usable = (record: TokenRecord) => ({
    accessToken: revealAccessToken(record),
    generation: record.generation,
  })
  let cached: { token: ReturnType<typeof usable>; until: number } | null = null
  const keep = (record: TokenRecord) => {
    const until = deps.clock.elapsed() + Math.min(FRESH_MS, deps.clock.remainingMs(record, app.key))
    cached = { token: usable(record), until }
    return cached.token
  }
  return startGateway({
    openUrl: app.endpoints.open,
    dispatcher: () => deps.upstream(app.endpoints.open),
    log: deps.log,
    async currentToken() {
      if (cached && deps.clock.elapsed() < cached.until) return cached.token
      return keep((await pullRecord(deps, profile)).record)
    },
    async renewToken(refusedGeneration) {
      const stored = await deps.store.read(app.id)
      if (stored.generation > refusedGeneration) return keep(stored)
      return keep((await refreshToken(deps, { profile, force: true })).record)
    },
  })
}
