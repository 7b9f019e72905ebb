// Other programs pull the token: once (`token`), or through the gateway for as long as a child lives (`exec`).

import { resolveApp } from './app.ts'
import type { Deps } from './deps.ts'
import { AuthError } from './errors.ts'
import { type Gateway, startGateway } from './gateway/gateway.ts'
import type { TokenRecord } from './oauth/token-set.ts'
import { refreshToken } from './refresh.ts'

/** A record whose access token can be used; one that is due is refreshed first, or given as it is while it lives. */
export async function pullRecord(
  deps: Deps,
  profile: string,
): Promise<{ record: TokenRecord; problem: AuthError | null }> {
  try {
    return { record: (await refreshToken(deps, { profile, force: false })).record, problem: null }
  } catch (error) {
    if (!(error instanceof AuthError)) throw error
    const app = await resolveApp(deps, profile)
    const record = await deps.store.read(app.id).catch(() => null)
    if (!record || deps.clock.remainingMs(record, app.key) <= 0) throw error
    return { record, problem: error }
  }
}

/** The access token of a record, in clear. */
export function revealAccessToken(record: TokenRecord): string {
  const accessToken = record.tokenSet?.accessToken?.reveal()
  if (accessToken !== undefined) return accessToken
  throw new AuthError('unexpected_response', 'Feishu gave no access token at the last refresh.', {
    nextStep: 'Call refresh_token with force: true.',
  })
}

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
