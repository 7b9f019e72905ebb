// What is stored, and what to do next. Reads only, asks Feishu only when told to, and never shows a secret.

import { type App, profileNames, resolveApp } from './app.ts'
import type { Delivery } from './delivery/deliver.ts'
import type { Deps } from './deps.ts'
import { AuthError } from './errors.ts'
import { noRefreshTokenText, pageErrorsText } from './guidance.ts'
import {
  type AuthorizationStatus,
  authorizationStatus,
  decodePending,
  type Failure,
  type PendingAuthorization,
} from './oauth/pending-authorization.ts'
import { canRefresh, missingScopes, nextStep, reauthorizeBy, type TokenRecord } from './oauth/token-set.ts'
import { cannotRefresh } from './refresh.ts'
import type { KeySource } from './store/envelope.ts'
import { fetchUser } from './user.ts'

export type Status =
  | 'valid'
  | 'needs_refresh'
  | 'expired'
  | 'not_authorized'
  | 'not_configured'
  | 'store_unreadable'

/** The answer of `token_status`, in the contract's own names. Times are RFC 3339, durations seconds. */
export type TokenStatus = {
  status: Status
  profile: string
  brand: string
  app_id: string | null
  user_name: string | null
  user_open_id: string | null
  access_token_expires_at: string | null
  access_token_expires_in: number | null
  refresh_token_expires_at: string | null
  refresh_token_expires_in: number | null
  reauthorize_by: string | null
  authorized_at: string | null
  last_refreshed_at: string | null
  granted_scopes: string[]
  missing_scopes: string[]
  authorization_status: AuthorizationStatus
  authorization_url: string | null
  authorization_expires_at: string | null
  authorization_error: string | null
  auto_refresh: boolean
  key_source: KeySource | null
  store: 'file' | 'postgres'
  generation: number | null
  verified: boolean | null
  api_calls_last_hour: number
  deliveries: Delivery[]
  profiles: { profile: string; status: Status | null }[]
  warnings: string[]
  next_step: string
}

/** Profiles beyond these are named only. */
const MAX_PROFILE_STATUSES = 20
/** Short enough that the end of an authorization is told at once. */
const POLL_MS = 150
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Before this much is left, people are told that they must come back. */
const REAUTHORIZE_WARNING_MS = 2 * DAY_MS
/** A clock that is off by more breaks expiry times; Feishu itself allows about this much. */
const CLOCK_SKEW_WARNING_MS = 300_000

/** An instant as RFC 3339 in UTC; null stays null. */
export function toTime(at: number | null): string | null {
  // The largest date there is: a nonsensical expiry must not throw.
  return at === null ? null : new Date(Math.min(at, 8.64e15)).toISOString()
}

/** A duration in whole seconds, never negative; null stays null. */
export function toSeconds(ms: number | null): number | null {
  return ms === null ? null : Math.max(0, Math.floor(ms / 1000))
}

/** What is known of a profile's token. */
export async function tokenStatus(
  deps: Deps,
  options: { profile: string; verify: boolean; waitSeconds: number },
): Promise<TokenStatus> {
  let app: App
  try {
    app = await resolveApp(deps, options.profile)
  } catch (error) {
    return withoutRecord(deps, options.profile, null, error)
  }
  if (options.waitSeconds > 0) await waitForEnd(deps, app, options.waitSeconds * 1000)
  let record: TokenRecord
  try {
    record = await deps.store.read(app.id)
  } catch (error) {
    return withoutRecord(deps, options.profile, app, error)
  }
  const verified = options.verify ? await verify(deps, app, record) : { result: null, problem: null }
  return describe(deps, app, record, verified)
}

/** Waits until a pending authorization ends, whichever process holds it. */
async function waitForEnd(deps: Deps, app: App, waitMs: number): Promise<void> {
  const giveUpAt = deps.clock.elapsed() + waitMs
  for (;;) {
    const record = await deps.store.read(app.id).catch(() => null)
    const { told } = await readAuthorization(deps, app, record)
    if (told.status !== 'pending' || deps.closing.aborted || deps.clock.elapsed() >= giveUpAt) return
    await new Promise((resume) => setTimeout(resume, POLL_MS))
  }
}

/** Waits for the end of a profile's pending authorization, however long a person takes. */
export async function authorizationEnd(
  deps: Deps,
  profile: string,
): Promise<{ status: AuthorizationStatus; failure: Failure | null }> {
  const app = await resolveApp(deps, profile)
  await waitForEnd(deps, app, Number.POSITIVE_INFINITY)
  const { told } = await readAuthorization(deps, app, await deps.store.read(app.id).catch(() => null))
  return { status: told.status, failure: told.failure }
}

type Authorization = {
  pending: PendingAuthorization | null
  told: { status: AuthorizationStatus; failure: Failure | null }
}

async function readAuthorization(deps: Deps, app: App, record: TokenRecord | null): Promise<Authorization> {
  const pending = decodePending(await deps.store.readPending(app.id).catch(() => null))
  const { status, outcome } = authorizationStatus(pending, record?.tokenSet ?? null, deps.clock.now())
  const failure = outcome?.failure ?? null
  if (status !== 'expired' || !pending || !failure) return { pending, told: { status, failure } }
  // Feishu shows some errors on its own page alone: then nobody answers.
  const clue = pageErrorsText(app, pending.scopes, pending.redirectUri)
  const nextStep = `Call start_authorization for a new link; ${clue}.`
  return { pending, told: { status, failure: { ...failure, nextStep } } }
}

/** `result` null: Feishu could not be asked. */
async function verify(
  deps: Deps,
  app: App,
  record: TokenRecord,
): Promise<{ result: boolean | null; problem: string | null }> {
  const accessToken = record.tokenSet?.accessToken
  if (!accessToken) return { result: null, problem: null }
  try {
    return { result: (await fetchUser(deps, app, accessToken)) !== null, problem: null }
  } catch (error) {
    const why = error instanceof AuthError ? error.message : String(error)
    return { result: null, problem: `The token could not be verified: ${why}` }
  }
}

function statusOf(deps: Deps, app: App, record: TokenRecord, verified: boolean | null): Status {
  const { tokenSet } = record
  if (!tokenSet) return 'not_authorized'
  const remainingMs = verified === false ? 0 : deps.clock.remainingMs(record, app.key)
  const step = nextStep(tokenSet, remainingMs, deps.config.refreshMarginMs)
  return step === 'use' ? 'valid' : step === 'refresh' ? 'needs_refresh' : 'expired'
}

async function describe(
  deps: Deps,
  app: App,
  record: TokenRecord,
  verified: { result: boolean | null; problem: string | null },
): Promise<TokenStatus> {
  const { tokenSet } = record
  const now = deps.clock.now()
  const status = statusOf(deps, app, record, verified.result)
  const authorization = await readAuthorization(deps, app, record)
  const refreshEndsAt = tokenSet?.refreshToken ? tokenSet.refreshTokenExpiresAt : null
  const warnings = await warningsOf(deps, app, record)
  if (verified.problem) warnings.push(verified.problem)
  return {
    ...common(deps, app.id.profile, app),
    status,
    user_name: tokenSet?.user?.name ?? null,
    user_open_id: tokenSet?.user?.openId ?? null,
    access_token_expires_at: tokenSet?.accessToken ? toTime(tokenSet.accessTokenExpiresAt) : null,
    access_token_expires_in: tokenSet?.accessToken
      ? toSeconds(deps.clock.remainingMs(record, app.key))
      : null,
    refresh_token_expires_at: toTime(refreshEndsAt),
    refresh_token_expires_in: toSeconds(refreshEndsAt === null ? null : refreshEndsAt - now),
    reauthorize_by: tokenSet ? toTime(reauthorizeBy(tokenSet)) : null,
    authorized_at: toTime(tokenSet?.authorizedAt ?? null),
    last_refreshed_at: toTime(tokenSet?.refreshedAt ?? null),
    granted_scopes: tokenSet?.scopes ?? [],
    missing_scopes: tokenSet ? missingScopes(tokenSet) : [],
    ...authorizationFields(authorization),
    generation: record.generation,
    verified: verified.result,
    profiles: await profileStatuses(deps, app.id.profile, status),
    warnings,
    next_step: nextStepText(deps, app, {
      status,
      authorization,
      refused: verified.result === false,
      endless: !tokenSet || canRefresh(tokenSet),
    }),
  }
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
    store: deps.store.kind,
    api_calls_last_hour: app ? deps.activity.callsSince(app.key, deps.clock.now() - HOUR_MS).length : 0,
    deliveries: deps.lastDeliveries(),
  }
}

type AuthorizationFields = Pick<
  TokenStatus,
  'authorization_status' | 'authorization_url' | 'authorization_expires_at' | 'authorization_error'
>

function authorizationFields({ pending, told }: Authorization): AuthorizationFields {
  const live = told.status === 'pending' ? pending : null
  const { failure } = told
  return {
    authorization_status: told.status,
    authorization_url: live?.authorizationUrl ?? null,
    authorization_expires_at: toTime(live?.deadlineAt ?? null),
    authorization_error: failure && `${failure.message} ${failure.nextStep}`,
  }
}

/** What can be said when there is no app, or its record cannot be opened. */
async function withoutRecord(
  deps: Deps,
  profile: string,
  app: App | null,
  error: unknown,
): Promise<TokenStatus> {
  if (!(error instanceof AuthError)) throw error
  const unreadable = error.code === 'store_unreadable' || error.code === 'key_unavailable'
  if (!unreadable && error.code !== 'not_configured') throw error
  const status: Status = unreadable ? 'store_unreadable' : 'not_configured'
  const none: Authorization = { pending: null, told: { status: 'none', failure: null } }
  const authorization = app ? await readAuthorization(deps, app, null) : none
  const waiting = authorization.told.status === 'pending' && app
  return {
    ...common(deps, profile, app),
    status,
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
    profiles: app ? await profileStatuses(deps, profile, status) : [],
    warnings: [error.message],
    next_step: waiting ? pendingText(app, authorization) : error.nextStep,
  }
}

async function profileStatuses(deps: Deps, own: string, status: Status): Promise<TokenStatus['profiles']> {
  const names = await profileNames(deps, own)
  const rows: TokenStatus['profiles'] = []
  for (const [index, profile] of names.entries()) {
    const shown =
      profile === own
        ? status
        : index < MAX_PROFILE_STATUSES
          ? (await readStatus(deps, profile)).status
          : null
    rows.push({ profile, status: shown })
  }
  return rows
}

/** A profile's status, and what was read for it; null where that could not be read. */
export async function readStatus(
  deps: Deps,
  profile: string,
): Promise<{ status: Status; app: App | null; record: TokenRecord | null }> {
  let app: App | null = null
  try {
    app = await resolveApp(deps, profile)
    const record = await deps.store.read(app.id)
    return { status: statusOf(deps, app, record, null), app, record }
  } catch (error) {
    const missing = error instanceof AuthError && error.code === 'not_configured'
    return { status: missing ? 'not_configured' : 'store_unreadable', app, record: null }
  }
}

async function warningsOf(deps: Deps, app: App, record: TokenRecord): Promise<string[]> {
  const warnings = [...deps.config.warnings]
  const { tokenSet } = record
  if (!tokenSet) return warnings
  const now = deps.clock.now()
  const remainingMs = deps.clock.remainingMs(record, app.key)
  if (tokenSet.refusal) warnings.push(`${cannotRefresh(tokenSet).message} A person must authorize again.`)
  else if (!tokenSet.refreshToken) warnings.push(noRefreshTokenText(app))
  if (remainingMs > 0 && tokenSet.lifetimeAssumed) {
    warnings.push('Feishu did not say how long the access token lives: two hours were assumed.')
  }
  if (canRefresh(tokenSet)) warnings.push(...refreshWarnings(tokenSet, now))
  const journal = await deps.store.readJournal(app.id).catch(() => null)
  if (canRefresh(tokenSet) && journal && journal.ambiguous > 0) {
    warnings.push(
      `A refresh at ${toTime(journal.sentAt)} was interrupted; if its answer was lost, the next refresh will say so.`,
    )
  }
  if (deps.store.isUnsaved(app.id)) {
    warnings.push(
      'The newest token is in memory only: the store cannot be written. It is tried again every second.',
    )
  }
  if (Math.abs(tokenSet.clockSkewMs ?? 0) > CLOCK_SKEW_WARNING_MS) {
    warnings.push(
      `The clock of this machine differs from Feishu's by ${toSeconds(Math.abs(tokenSet.clockSkewMs ?? 0))} s.`,
    )
  }
  const missing = missingScopes(tokenSet)
  if (missing.length > 0) warnings.push(`Requested but not granted: ${missing.join(' ')}.`)
  return warnings
}

function refreshWarnings(tokenSet: NonNullable<TokenRecord['tokenSet']>, now: number): string[] {
  const warnings: string[] = []
  const endsAt = tokenSet.refreshTokenExpiresAt
  if (endsAt !== null && endsAt <= now) {
    warnings.push('By our clock the refresh token has expired; the next refresh asks Feishu.')
  } else if (reauthorizeBy(tokenSet) - now < REAUTHORIZE_WARNING_MS) {
    warnings.push(
      `A person must authorize again by ${toTime(reauthorizeBy(tokenSet))} unless it is refreshed before.`,
    )
  }
  if (tokenSet.refreshTokenDoubtful) {
    warnings.push(
      'The last refresh brought no new refresh token; whether the old one still works shows the next refresh.',
    )
  }
  return warnings
}

type Situation = {
  status: Status
  authorization: Authorization
  /** Feishu was asked just now, and refused the access token. */
  refused: boolean
  /** Refreshes keep it alive; false: it ends with the access token. */
  endless: boolean
}

function nextStepText(deps: Deps, app: App, situation: Situation): string {
  const { status, authorization } = situation
  const { failure } = authorization.told
  if (authorization.told.status === 'pending') return pendingText(app, authorization)
  if (status !== 'valid' && status !== 'needs_refresh') {
    const again = status === 'not_authorized' ? 'approves' : 'approves again'
    const start = `Call start_authorization so that the person ${again}`
    return failure?.nextStep ?? `${start} (or run \`${deps.command} login --profile ${app.id.profile}\`).`
  }
  const use = useText(situation)
  return failure ? `${use}; to authorize anew: ${failure.nextStep}` : `${use}.`
}

/** What to do with a token set that is in force; without its period. */
function useText({ status, refused, endless }: Situation): string {
  if (refused) return 'Call refresh_token with force true, because Feishu refused the access token'
  if (status === 'needs_refresh') return 'Call refresh_token'
  return endless
    ? 'Nothing is needed: the token is valid'
    : 'Nothing is needed until access_token_expires_at; then a person must authorize again, and warnings say why'
}

function pendingText(app: App, { pending }: Authorization): string {
  if (pending?.phase !== 'waiting') {
    return "Feishu's answer has arrived and is being stored: call token_status again, and start_authorization if it stays pending."
  }
  return (
    'Ask the person to open authorization_url and approve, then call token_status with wait_seconds 45; ' +
    `${pageErrorsText(app, pending.scopes, pending.redirectUri)}.`
  )
}
