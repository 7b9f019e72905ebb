// What is stored, and what to do next. Reads only, asks Feishu only when told to, and never shows a secret.

import { brief, toSeconds, toTime } from '../answers.ts'
import { type App, likelyMeant, otherwiseKnown, resolveApp } from '../app/app.ts'
import { readAuthorization, readCreation, waitForStep } from '../authorize/pending.ts'
import type { Deps } from '../deps.ts'
import { CodedError, type ErrorCode } from '../errors.ts'
import type { Authorization } from '../oauth/pending-authorization.ts'
import {
  accessTokenEndsAt,
  canRefresh,
  missingScopes,
  reauthorizeBy,
  type TokenRecord,
} from '../oauth/token-set.ts'
import { call, type Sentence, say } from '../sentence.ts'
import { authorizationFields, type Status, type TokenStatus } from './fields.ts'
import { pendingNextStep, statusNextStep } from './next-step.ts'
import { listProfiles, profileStatuses, statusOf } from './profile-statuses.ts'
import { settingsWarnings, warningsOf } from './warnings.ts'

const HOUR_MS = 3_600_000

/** The last: the database cannot be reached, and this machine keeps no copy. */
const UNREADABLE: readonly ErrorCode[] = ['store_unreadable', 'key_unavailable', 'store_not_writable']

export type StatusOptions = {
  profile: string
  /** Also asks Feishu. */
  verify: boolean
  /** For a pending authorization. */
  waitSeconds: number
  /** A number to explain. */
  feishuError?: number | null
}

/** What is known of a profile's token. */
export async function tokenStatus(deps: Deps, options: StatusOptions): Promise<TokenStatus> {
  if (options.waitSeconds > 0) await waitForStep(deps, options.profile, options.waitSeconds * 1000)
  let app: App
  try {
    app = await resolveApp(deps, options.profile)
  } catch (error) {
    return withoutRecord(deps, options, null, error)
  }
  // Else this would say "valid" for ever while every refresh fails.
  deps.store.requireLocks()
  const glance = { ...deps, store: deps.store.glance() }
  const profiles = listProfiles(glance, options.profile)
  // Whoever needs them sees the error.
  profiles.catch(() => undefined)
  let record: TokenRecord
  try {
    record = await glance.store.read(app.id)
  } catch (error) {
    return withoutRecord(glance, options, app, error)
  }
  const verified = options.verify ? await verify(deps, app, record) : { result: null, problem: null }
  return describe(glance, app, record, { verified, listed: profiles, options })
}

/** `result` null: Feishu was not asked, or could not be. */
type Verified = { result: boolean | null; problem: Sentence | null }

async function verify(deps: Deps, app: App, record: TokenRecord): Promise<Verified> {
  const accessToken = record.tokenSet?.accessToken
  if (!accessToken) return { result: null, problem: null }
  try {
    const { fetchUser } = await import('../app/user.ts')
    return { result: (await fetchUser(deps, app, accessToken)) !== null, problem: null }
  } catch (error) {
    const why = error instanceof CodedError ? error.said : String(error)
    return { result: null, problem: say`The token could not be verified: ${why}` }
  }
}

async function describe(
  deps: Deps,
  app: App,
  record: TokenRecord,
  looked: { verified: Verified; listed: ReturnType<typeof listProfiles>; options: StatusOptions },
): Promise<TokenStatus> {
  const { tokenSet } = record
  const { verified, listed, options } = looked
  const now = deps.clock.now()
  const status = statusOf(deps, app, record, verified.result)
  const accessEndsAt = tokenSet && accessTokenEndsAt(tokenSet)
  const refreshEndsAt = tokenSet?.refreshToken ? tokenSet.refreshTokenExpiresAt : null
  const [authorization, warnings, profiles] = await Promise.all([
    readAuthorization(deps, app, record),
    warningsOf(deps, app, record),
    listed.then((all) => profileStatuses(deps, all, app.id.profile, status)),
  ])
  if (verified.problem) warnings.push(verified.problem)
  const endless = !tokenSet || canRefresh(tokenSet)
  const meant = status === 'not_authorized' ? await likelyMeant(deps, app.id.profile) : []
  const situation = { status, authorization, refused: verified.result === false, endless, meant }
  return {
    next_step: statusNextStep(deps, app, situation),
    status,
    ...common(deps, app.id.profile, app),
    user_name: tokenSet?.user?.name ?? null,
    user_open_id: tokenSet?.user?.openId ?? null,
    access_token_expires_at: toTime(accessEndsAt),
    access_token_expires_in: toSeconds(
      accessEndsAt === null ? null : deps.clock.remainingMs(record, app.key),
    ),
    refresh_token_expires_at: toTime(refreshEndsAt),
    refresh_token_expires_in: toSeconds(refreshEndsAt === null ? null : refreshEndsAt - now),
    reauthorize_by: tokenSet ? toTime(reauthorizeBy(tokenSet)) : null,
    authorized_at: toTime(tokenSet?.authorizedAt || null),
    last_refreshed_at: toTime(tokenSet?.refreshedAt ?? null),
    granted_scopes: tokenSet?.scopes ?? [],
    missing_scopes: tokenSet ? missingScopes(tokenSet) : [],
    ...authorizationFields(authorization),
    generation: record.generation,
    verified: verified.result,
    profiles,
    warnings,
    feishu_error: await explained(deps, options, app, authorization),
  }
}

async function explained(
  { config }: Deps,
  { feishuError: number }: StatusOptions,
  app: App | null,
  { pending }: Authorization,
): Promise<TokenStatus['feishu_error']> {
  if (number === undefined || number === null) return null
  const { explainFeishuError } = await import('./feishu-error.ts')
  return explainFeishuError(number, app, config, pending)
}

/** The fields that need no record. */
function common(
  deps: Deps,
  profile: string,
  app: App | null,
): Pick<
  TokenStatus,
  | 'profile'
  | 'brand'
  | 'app_id'
  | 'auto_refresh'
  | 'key_source'
  | 'store'
  | 'api_calls_last_hour'
  | 'deliveries'
> {
  return {
    profile,
    brand: app?.id.brand ?? deps.config.brand,
    app_id: app?.id.appId ?? null,
    auto_refresh: deps.config.autoRefresh,
    key_source: app ? deps.store.keySource(app.id) : null,
    store: deps.store.description.kind,
    api_calls_last_hour: app ? deps.activity.callsSince(app.key, deps.clock.now() - HOUR_MS).length : 0,
    deliveries: deps.lastDeliveries(),
  }
}

/** Where the way that this program is started by is long. */
const SET_UP = say`Set up an app: ${call('start_authorization', { create_app: true })}, or see warnings.`

/** What can be said when there is no app, or its record cannot be opened. */
async function withoutRecord(
  deps: Deps,
  options: StatusOptions,
  app: App | null,
  error: unknown,
): Promise<TokenStatus> {
  const { profile } = options
  if (!(error instanceof CodedError)) throw error
  const unreadable = UNREADABLE.includes(error.code)
  if (!unreadable && error.code !== 'not_configured') throw error
  const status: Status = unreadable ? 'store_unreadable' : 'not_configured'
  const authorization = await (app ? readAuthorization(deps, app, null) : readCreation(deps, profile))
  const { failure } = authorization.told
  const isPending = authorization.told.status === 'pending'
  const meant = unreadable ? [] : await likelyMeant(deps, profile)
  const step = meant.length > 0 ? otherwiseKnown(meant, error.step) : error.step
  return {
    next_step: isPending
      ? pendingNextStep(authorization)
      : brief(failure?.nextStep ?? step, meant.length > 0 ? otherwiseKnown(meant, SET_UP) : SET_UP),
    status,
    ...common(deps, profile, app),
    user_name: null,
    user_open_id: null,
    access_token_expires_at: null,
    access_token_expires_in: null,
    refresh_token_expires_at: null,
    refresh_token_expires_in: null,
    reauthorize_by: null,
    authorized_at: null,
    last_refreshed_at: null,
    granted_scopes: [],
    missing_scopes: [],
    ...authorizationFields(authorization),
    generation: null,
    verified: null,
    profiles: await profileStatuses(deps, await listProfiles(deps, profile), profile, status),
    warnings: [error.said, ...settingsWarnings(deps)],
    feishu_error: await explained(deps, options, app, authorization),
  }
}
