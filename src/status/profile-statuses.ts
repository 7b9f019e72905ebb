// The status of one profile among many: what `token_status` says of the others, and `profile list` of all.

import { type App, type KeptApps, profileNames, readKeptApps, resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { nextStep, type TokenRecord } from '../oauth/token-set.ts'
import type { Status, TokenStatus } from './fields.ts'

/** Profiles beyond these are named only. */
const MAX_PROFILE_STATUSES = 20

export function statusOf(deps: Deps, app: App, record: TokenRecord, verified: boolean | null): Status {
  const { tokenSet } = record
  if (!tokenSet) return 'not_authorized'
  const remainingMs = verified === false ? 0 : deps.clock.remainingMs(record, app.key)
  const step = nextStep(tokenSet, remainingMs, deps.config.refreshMarginMs)
  return step === 'use' ? 'valid' : step === 'refresh' ? 'needs_refresh' : 'expired'
}

/** The names of all profiles, and the credentials that `setup` kept, which are needed to look at each. */
export async function listProfiles(
  deps: Deps,
  own: string,
): Promise<{ names: string[]; apps: KeptApps | null }> {
  // Credentials that cannot be opened hide no profile of the environment's app; whoever needs them reports it.
  const apps = await readKeptApps(deps).catch(() => null)
  return { names: await profileNames(deps, own, apps ?? {}), apps }
}

/** All profiles by name, the first of them with their status. */
export async function profileStatuses(
  deps: Deps,
  { names, apps }: { names: string[]; apps: KeptApps | null },
  own: string,
  status: Status,
): Promise<TokenStatus['profiles']> {
  const looked = await Promise.all(
    names.slice(0, MAX_PROFILE_STATUSES).map(async (profile) => ({
      profile,
      status: profile === own ? status : (await readStatus(deps, profile, apps)).status,
    })),
  )
  const named = names.slice(MAX_PROFILE_STATUSES).map((profile) => ({ profile, status: null }))
  return [...looked, ...named]
}

/** A profile's status, and what was read for it; null where that could not be read. */
export async function readStatus(
  deps: Deps,
  profile: string,
  apps: KeptApps | null,
): Promise<{ status: Status; app: App | null; record: TokenRecord | null }> {
  let app: App | null = null
  try {
    app = await resolveApp(deps, profile, apps ?? undefined)
    const record = await deps.store.read(app.id)
    return { status: statusOf(deps, app, record, null), app, record }
  } catch (error) {
    const missing = error instanceof CodedError && error.code === 'not_configured'
    return { status: missing ? 'not_configured' : 'store_unreadable', app, record: null }
  }
}
