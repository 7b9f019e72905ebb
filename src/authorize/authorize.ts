// The authorization: begin it, join it, take it over, cancel it, end it with a pasted address. What is pending lies sealed
// beside the token set, so that any process can go on with it: clients end their servers seconds after the link was shown.
// Whoever waits for the answer holds the profile's holder lock; the kernel frees it when that process is gone.

import { type App, resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { isLoopbackUrl } from '../machine/address.ts'
import { pastedState, readPastedAddress } from '../oauth/pasted-address.ts'
import {
  type AuthorizationMethod,
  authorizationId,
  cancelledOutcome,
  encodePending,
  isLive,
  type Outcome,
  type PendingAuthorization,
  withOutcome,
} from '../oauth/pending-authorization.ts'
import { withOfflineAccess } from '../oauth/scope-presets.ts'
import { checkScopes } from '../oauth/scopes.ts'
import type { Secret } from '../secret.ts'
import { call, type Sentence, say, toolsOnly } from '../sentence.ts'
import type { HeldLock } from '../store/lock.ts'
import { LOCK_MS, type LockedProfile } from '../store/token-store.ts'
import { begin, goOnWith, hold } from './begin.ts'
import { conclude, readPending } from './end.ts'
import { adoptTokens, finishAuthorization, type LockedAuthorization } from './finish.ts'
import { expectedOf } from './holder.ts'
import type { Wish } from './new-authorization.ts'
import { appToCome, readAuthorization, readCreation } from './pending.ts'

export type StartOptions = {
  profile: string
  /** Null: those of the settings. */
  scopes: string[] | null
  method: AuthorizationMethod
  /** Null: as the settings say, and only for a new authorization. */
  openBrowser: boolean | null
  callbackUrl: Secret | null
  cancel: boolean
  /** Where no app is configured: has Feishu create one first. */
  createApp?: boolean
}

export type StartResult = {
  status: 'pending' | 'succeeded' | 'cancelled'
  app: App
  /** Null: nothing was pending. */
  pending: PendingAuthorization | null
  joined: boolean
  browserOpened: boolean
  /** Why no browser was opened, in words for a person; null: one was, or none was wanted. */
  browserProblem: Sentence | null
  unknownScopes: string[]
}

/** Begins an authorization or joins the pending one; with `callbackUrl` ends it, with `cancel` cancels it. */
export async function startAuthorization(deps: Deps, options: StartOptions): Promise<StartResult> {
  const app = await findApp(deps, options)
  if (options.cancel) return cancelAuthorization(deps, app)
  if (options.callbackUrl) return deps.underWay.see(endWithAddress(deps, app, options.callbackUrl))
  const scopes = withOfflineAccess(options.scopes ?? deps.config.scopes)
  const unknownScopes = checkScopes(scopes)
  const { pending, joined } = await deps.store.withLock(app.id, LOCK_MS, (locked) =>
    beginOrJoin(deps, app, locked, { scopes, method: options.method }),
  )
  if (pending.outcome) {
    await conclude(deps, app, pending)
    return reportEnd(app, pending, pending.outcome)
  }
  const wanted = options.openBrowser ?? !joined
  const browserProblem =
    wanted && deps.config.openBrowser ? await deps.openBrowser(pending.authorizationUrl) : undefined
  return {
    status: 'pending',
    app,
    pending,
    joined,
    browserOpened: browserProblem === null,
    browserProblem: browserProblem ?? null,
    unknownScopes: joined ? [] : unknownScopes,
  }
}

/** The profile's app, or what stands for the one that is being created or is to be. */
async function findApp(deps: Deps, { profile, createApp }: StartOptions): Promise<App> {
  const creation = await readCreation(deps, profile)
  const isCreating = creation.told.status === 'pending'
  let app: App
  try {
    app = await resolveApp(deps, profile)
  } catch (error) {
    const isMissing = error instanceof CodedError && error.code === 'not_configured'
    if (isMissing && (createApp || isCreating)) return appToCome(deps, profile)
    throw error
  }
  const record = await deps.store.read(app.id).catch(() => null)
  const { told, pending } = await readAuthorization(deps, app, record)
  if (told.status === 'pending' && pending?.step === 'approve') return app
  // Whoever kept the new app is gone before its authorization had begun.
  const next = isCreating ? await goOnWith(deps, profile, null, null) : null
  if (next?.outcome) reportEnd(app, next, next.outcome)
  if (next) return app
  if (!createApp) return app
  throw new CodedError('config_invalid', say`The app ${app.id.appId} is configured, so none is created.`, {
    nextStep: say`${call('start_authorization')} without create_app.`,
  })
}

async function beginOrJoin(
  deps: Deps,
  app: App,
  locked: LockedProfile,
  wish: Wish,
): Promise<{ pending: PendingAuthorization; joined: boolean }> {
  const pending = await readPending(locked)
  if (!pending || !isLive(pending, deps.clock.now())) {
    return { pending: await begin(deps, app, locked, wish), joined: false }
  }
  if (deps.underWay.holders.get(app.key)?.id === pending.id) return { pending, joined: true }
  const held = await deps.store.holdAuthorization(app.id)
  if (held?.kind !== 'held') return { pending, joined: true }
  // Its process is gone: go on in its place.
  return takeOver(deps, { app, locked, pending }, wish, held)
}

async function takeOver(
  deps: Deps,
  authorization: LockedAuthorization,
  wish: Wish,
  held: HeldLock,
): Promise<{ pending: PendingAuthorization; joined: boolean }> {
  const { app, locked, pending } = authorization
  if (pending.phase === 'waiting') {
    await hold(deps, { app, pending, held }, async () => undefined)
    return { pending, joined: true }
  }
  held.release()
  const storedId = (await locked.read().catch(() => null))?.tokenSet?.authorizationId
  if (pending.phase === 'exchanged' && storedId !== pending.id) {
    const ending = await adoptTokens(deps, authorization)
    return { pending: withOutcome(pending, ending.outcome, 'closing'), joined: true }
  }
  // The code may be spent, and its answer is lost: only a new authorization helps.
  return { pending: await begin(deps, app, locked, wish), joined: false }
}

async function cancelAuthorization(deps: Deps, app: App): Promise<StartResult> {
  // First: a poll that is under way may bring the tokens, which come only once.
  await deps.underWay.holders.get(app.key)?.stop()
  const cancelled = await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const pending = await readPending(locked)
    if (!pending || !isLive(pending, deps.clock.now())) return null
    const outcome = cancelledOutcome(deps.clock.now())
    await locked.writePending(encodePending(withOutcome(pending, outcome, 'closing')))
    return pending
  })
  if (cancelled) await conclude(deps, app, cancelled)
  return ended('cancelled', app, cancelled)
}

/** The end of an authorization that this call brought about, for the caller. */
function reportEnd(app: App, pending: PendingAuthorization, { failure }: Outcome): StartResult {
  if (failure) throw new CodedError(failure.code, failure.message, failure)
  return ended('succeeded', app, pending)
}

function ended(
  status: 'cancelled' | 'succeeded',
  app: App,
  pending: PendingAuthorization | null,
): StartResult {
  return {
    status,
    app,
    pending,
    joined: false,
    browserOpened: false,
    browserProblem: null,
    unknownScopes: [],
  }
}

async function endWithAddress(deps: Deps, app: App, address: Secret): Promise<StartResult> {
  const { pending, ending } = await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const pending = await readPending(locked)
    if (pending?.phase !== 'waiting' || !isLive(pending, deps.clock.now()))
      throw nothingPending(pending, address)
    if (pending.device) throw needsNoAddress()
    const response = readPastedAddress(address.reveal(), {
      ...expectedOf(app, pending),
      isLoopback: isLoopbackUrl,
    })
    return { pending, ending: await finishAuthorization(deps, { app, locked, pending }, response) }
  })
  await conclude(deps, app, pending)
  return reportEnd(app, pending, ending.outcome)
}

const ANEW = say`; ${call('start_authorization')} without callback_url for a link`

function needsNoAddress(): CodedError {
  return new CodedError(
    'state_mismatch',
    say`The pending authorization goes by a code and ends on no address.`,
    {
      nextStep: say`${call('token_status', { wait_seconds: 45 })} to learn when the person has approved${toolsOnly(ANEW)}.`,
    },
  )
}

/** Why a pasted address cannot be used: `last` is the authorization that was pending before, if any. */
function nothingPending(last: PendingAuthorization | null, address: Secret): CodedError {
  if (last?.outcome?.status === 'succeeded' && last.id === authorizationId(pastedState(address.reveal()))) {
    return new CodedError(
      'state_mismatch',
      say`This address has been used: its authorization has succeeded.`,
      {
        nextStep: say`${call('token_status')} to see the token${toolsOnly(ANEW)}.`,
      },
    )
  }
  const nextStep = say`${call('start_authorization')} for a new link, and paste the address that it ends on.`
  const expired = last?.outcome?.status === 'expired' || (last?.phase === 'waiting' && !last.outcome)
  return expired
    ? new CodedError('authorization_expired', say`The authorization of this address has expired.`, {
        nextStep,
      })
    : new CodedError('state_mismatch', say`No authorization is waiting for this address.`, { nextStep })
}
