// The one place that spends a refresh token.
//
// A refresh token works once. So: one process at a time (the profile's lock), which first reads again what is stored;
// the intent on disk before the request; the answer on disk before it is judged; and when an answer is lost, at most
// MAX_AMBIGUOUS presentations of one token, counted over all processes and crashes. On doubt nothing is deleted.

import { type App, resolveApp } from './app.ts'
import type { Delivery } from './delivery/deliver.ts'
import type { Deps } from './deps.ts'
import { AuthError } from './errors.ts'
import {
  type AnswerContext,
  nextTokenSet,
  processTokenAnswer,
  refreshTokenGrantRequest,
  type TokenAnswer,
} from './oauth/token-endpoint.ts'
import { canRefresh, nextStep, type Refusal, type TokenRecord, type TokenSet } from './oauth/token-set.ts'
import type { Secret } from './secret.ts'
import type { LockedProfile } from './store/token-store.ts'
import { fetchUser } from './user.ts'

export type RefreshResult = {
  status: 'refreshed' | 'still_valid' | 'refreshed_elsewhere'
  record: TokenRecord
  remainingMs: number
  /** False: the new token set is in memory only, so far. */
  persisted: boolean
  deliveries: Delivery[]
}

/**
 * How often one refresh token may be presented with an unknown outcome, all processes and crashes together.
 * Two: if Feishu had not rotated, the second wins the grant back; if it had, the grant is lost already. A third would
 * win nothing that the second did not, and looks to Feishu like a thief.
 */
const MAX_AMBIGUOUS = 2
/** Requests within one call, whatever the answers. */
const MAX_REQUESTS = 2
/** Any call ends within 30 seconds: this is when the network must be done, so that storing and delivering fit in. */
const CALL_MS = 26_000
/** Waiting calls included; longer than any healthy refresh of another process, short enough to answer in time. */
export const LOCK_MS = 10_000
/** One attempt: Feishu answers in well under a second; what takes longer than this does not come. */
const ATTEMPT_MS = 15_000
/** Kept back from the first attempt, so that a second is possible. */
const SECOND_ATTEMPT_MS = 6_000
/** After 20050 and 20072, and between attempts to connect, where the answer names no pause. */
const PAUSE_MS = 400
/** A pause longer than this is not waited for within a call: the call says how long it is. */
const MAX_PAUSE_MS = 5_000
/** Attempts to connect when nothing was sent. */
const MAX_CONNECTS = 3
/** A pause that Feishu asks for, when it names none. */
const COOLDOWN_MS = 5_000
/** No pause binds longer than this: a mistaken header must not stop us for a day. */
const MAX_COOLDOWN_MS = 3_600_000
/** More forced refreshes of one profile in a minute are a loop, not a wish. */
const MAX_FORCED_PER_MINUTE = 60

/** Refreshes the stored token set of a profile if it is due, or `force`d. Calls that meet share one request. */
export async function refreshToken(
  deps: Deps,
  options: { profile: string; force: boolean },
): Promise<RefreshResult> {
  const startedAt = deps.clock.elapsed()
  const app = await resolveApp(deps, options.profile)
  const seen = await deps.store.read(app.id)
  if (!options.force && stepOf(deps, app, seen) === 'use') return answer(deps, app, 'still_valid', seen)
  const running = deps.refreshes.get(app.key)
  if (running) return running
  const refresh = lockAndRefresh(deps, app, { seen, force: options.force, startedAt })
  const shared = refresh.finally(() => deps.refreshes.delete(app.key))
  deps.refreshes.set(app.key, shared)
  return shared
}

/** One call, under way. */
type Call = { seen: TokenRecord; force: boolean; startedAt: number }

function stepOf(deps: Deps, app: App, record: TokenRecord): ReturnType<typeof nextStep> {
  return nextStep(record.tokenSet, deps.clock.remainingMs(record, app.key), deps.config.refreshMarginMs)
}

function answer(
  deps: Deps,
  app: App,
  status: RefreshResult['status'],
  record: TokenRecord,
  deliveries: Delivery[] = [],
): RefreshResult {
  const remainingMs = deps.clock.remainingMs(record, app.key)
  return { status, record, remainingMs, persisted: !deps.store.isUnsaved(app.id), deliveries }
}

async function lockAndRefresh(deps: Deps, app: App, call: Call): Promise<RefreshResult> {
  try {
    return await deps.store.withLock(app.id, LOCK_MS, (locked) => refreshLocked(deps, app, locked, call))
  } catch (error) {
    const busy = error instanceof AuthError && error.code === 'store_locked'
    const usable = deps.clock.remainingMs(call.seen, app.key) > 0
    if (busy && usable && !call.force) return answer(deps, app, 'still_valid', call.seen)
    throw error
  }
}

async function refreshLocked(
  deps: Deps,
  app: App,
  locked: LockedProfile,
  call: Call,
): Promise<RefreshResult> {
  const record = await locked.read()
  const step = stepOf(deps, app, record)
  if (step === 'use' && record.generation > call.seen.generation) {
    return answer(deps, app, 'refreshed_elsewhere', record)
  }
  if (step === 'use' && !call.force) return answer(deps, app, 'still_valid', record)
  const { tokenSet } = record
  if (!tokenSet) throw notAuthorized(deps, app)
  if (!tokenSet.refreshToken || !canRefresh(tokenSet)) throw cannotRefresh(tokenSet)
  await checkPace(deps, app, locked, call.force && step === 'use')
  return new Presentation(deps, app, locked, call, record, tokenSet, tokenSet.refreshToken).run()
}

/** Feishu's pauses bind every process; our own limit stops a looping assistant, never a refresh that is due. */
async function checkPace(deps: Deps, app: App, locked: LockedProfile, unneeded: boolean): Promise<void> {
  const now = deps.clock.now()
  const until = (await locked.readJournal())?.cooldownUntil ?? 0
  if (until > now && until - now <= MAX_COOLDOWN_MS)
    throw rateLimited('Feishu asked for a pause', until - now)
  if (!unneeded) return
  const forced = deps.activity.callsSince(app.key, now - 60_000).filter((call) => call.forced)
  const oldest = forced.at(-MAX_FORCED_PER_MINUTE)
  if (!oldest) return
  const waitMs = Date.parse(oldest.at) + 60_000 - now
  throw rateLimited(`this profile was refreshed ${MAX_FORCED_PER_MINUTE} times within a minute`, waitMs)
}

/** The presentation of one refresh token, from the intent to the stored answer. */
class Presentation {
  readonly #deps: Deps
  readonly #app: App
  readonly #locked: LockedProfile
  readonly #call: Call
  readonly #record: TokenRecord
  readonly #tokenSet: TokenSet
  readonly #refreshToken: Secret

  constructor(
    deps: Deps,
    app: App,
    locked: LockedProfile,
    call: Call,
    record: TokenRecord,
    tokenSet: TokenSet,
    refreshToken: Secret,
  ) {
    this.#deps = deps
    this.#app = app
    this.#locked = locked
    this.#call = call
    this.#record = record
    this.#tokenSet = tokenSet
    this.#refreshToken = refreshToken
  }

  async run(): Promise<RefreshResult> {
    for (let request = 1; ; request += 1) {
      const before = await this.#locked.presentations(this.#refreshToken)
      if (before.ambiguous >= MAX_AMBIGUOUS) throw await this.#refuse('lost', null, before.sentAt)
      const result = await this.#send()
      if (result.kind === 'tokens') return this.#keep(result)
      if (result.kind === 'ambiguous') {
        const count = before.ambiguous + 1
        if (count >= MAX_AMBIGUOUS) throw await this.#refuse('lost', null, this.#deps.clock.now())
        if (request >= MAX_REQUESTS || this.#leftMs() < SECOND_ATTEMPT_MS) throw result.error
        continue
      }
      if (result.kind === 'unsent') {
        await this.#locked.settle(null)
        throw result.error
      }
      await this.#afterError(result, before.sentAt, request)
    }
  }

  /** Returns when the request is to be repeated; throws what the caller is told otherwise. */
  async #afterError(
    result: Extract<TokenAnswer, { kind: 'error' }>,
    lostAt: number | null,
    request: number,
  ): Promise<void> {
    if (result.verdict === 'reauthorize') {
      const used = result.error.feishuCode === 20064 || result.error.feishuCode === 20073
      throw await this.#refuse(lostAt !== null && used ? 'lost' : 'refused', result.error, lostAt)
    }
    const pauseMs = result.retryAfterMs ?? PAUSE_MS
    const mayRepeat = result.verdict === 'retry' && request < MAX_REQUESTS
    if (mayRepeat && pauseMs <= MAX_PAUSE_MS && this.#leftMs() > pauseMs + SECOND_ATTEMPT_MS) {
      await this.#locked.settle(null)
      await new Promise((resume) => setTimeout(resume, pauseMs))
      return
    }
    const limited = result.error.code === 'rate_limited' || result.retryAfterMs !== null
    const cooldownMs = Math.min(result.retryAfterMs ?? COOLDOWN_MS, MAX_COOLDOWN_MS)
    await this.#locked.settle(
      limited && result.verdict === 'retry' ? this.#deps.clock.now() + cooldownMs : null,
    )
    if (result.error.code === 'rate_limited')
      throw rateLimited('Feishu asked for a pause', cooldownMs, result.error)
    throw result.error
  }

  #leftMs(): number {
    return CALL_MS - (this.#deps.clock.elapsed() - this.#call.startedAt)
  }

  /** One request, after as many attempts to connect as there is time for. */
  async #send(): Promise<TokenAnswer> {
    const { endpoints, client, key } = this.#app
    await this.#locked.prepare(this.#refreshToken)
    for (let connect = 1; ; connect += 1) {
      const left = this.#leftMs()
      const deadlineMs = Math.max(
        1_000,
        Math.min(ATTEMPT_MS, left > 2 * SECOND_ATTEMPT_MS ? left - SECOND_ATTEMPT_MS : left),
      )
      const answer = await this.#deps.request(
        refreshTokenGrantRequest(endpoints.token[this.#tokenSet.endpoint], client, this.#refreshToken, {
          deadlineMs,
          onSend: () => this.#locked.markSent(),
          account: { key, forced: this.#call.force },
        }),
      )
      const result = processTokenAnswer(answer, this.#context(), this.#refreshToken)
      const again =
        result.kind === 'unsent' && result.error.code === 'network_error' && connect < MAX_CONNECTS
      if (!again || this.#leftMs() < 2 * SECOND_ATTEMPT_MS) return result
      await new Promise((resume) => setTimeout(resume, PAUSE_MS * connect))
    }
  }

  #context(): AnswerContext {
    return {
      endpoints: this.#app.endpoints,
      appId: this.#app.id.appId,
      scopes: this.#tokenSet.requestedScopes,
      now: this.#deps.clock.now(),
      secrets: [this.#refreshToken, this.#app.client.appSecret],
    }
  }

  /** Stores the answer first, and judges it then. */
  async #keep(result: Extract<TokenAnswer, { kind: 'tokens' }>): Promise<RefreshResult> {
    const deps = this.#deps
    const now = deps.clock.now()
    const tokenSet = { ...nextTokenSet(result.response, this.#tokenSet, now), refreshedAt: now }
    let record: TokenRecord = { generation: this.#record.generation + 1, tokenSet }
    await this.#locked.commit(record, this.#record.generation)
    if (result.response.problem !== null) {
      throw new AuthError(
        'unexpected_response',
        `Feishu's answer was stored, but ${result.response.problem}.`,
        {
          nextStep: 'Call refresh_token again: the new refresh token is safe.',
          logId: result.logId,
        },
      )
    }
    if (!tokenSet.user) record = await this.#fillInUser(record, tokenSet)
    const deliveries = await deps.deliver(this.#app.id, tokenSet)
    return answer(deps, this.#app, 'refreshed', record, deliveries)
  }

  async #fillInUser(record: TokenRecord, tokenSet: TokenSet): Promise<TokenRecord> {
    const unsaved = this.#deps.store.isUnsaved(this.#app.id)
    if (!tokenSet.accessToken || unsaved || this.#leftMs() < SECOND_ATTEMPT_MS) return record
    const user = await fetchUser(this.#deps, this.#app, tokenSet.accessToken).catch(() => null)
    if (!user) return record
    const named = { ...record, tokenSet: { ...tokenSet, user } }
    await this.#locked.commit(named, record.generation)
    return named
  }

  /** Marks this generation, and no other, as needing a person. Its access token stays in use while it lives. */
  async #refuse(
    reason: Refusal['reason'],
    error: AuthError | null,
    lostAt: number | null,
  ): Promise<AuthError> {
    const refusal: Refusal = {
      reason,
      at: this.#deps.clock.now(),
      code: reason === 'lost' ? 'refresh_uncertain' : (error?.code ?? 'invalid_grant'),
      feishuCode: error?.feishuCode ?? null,
      logId: error?.logId ?? null,
      lostAt,
    }
    const stored = await this.#locked.read()
    if (stored.generation !== this.#record.generation) return cannotRefresh({ ...this.#tokenSet, refusal })
    const tokenSet = { ...this.#tokenSet, refusal }
    await this.#locked.commit({ generation: stored.generation, tokenSet }, stored.generation)
    return cannotRefresh(tokenSet)
  }
}

const AUTHORIZE = 'Call start_authorization so that the person approves again.'

/** There is no token set: what to do, and whether there is one of another app. */
export function notAuthorized(deps: Deps, app: App): AuthError {
  const { profile, appId } = app.id
  return new AuthError('not_authorized', `Profile "${profile}" of app ${appId} has no token yet.`, {
    nextStep: `Call start_authorization (or run \`${deps.command} login\`).`,
  })
}

/** Why a token set cannot be refreshed any more, from what was stored when that became known. */
export function cannotRefresh(tokenSet: TokenSet): AuthError {
  const { refusal } = tokenSet
  if (!refusal) {
    return new AuthError('no_refresh_token', 'Feishu gave no refresh token at the last authorization.', {
      nextStep:
        'Enable offline_access for the app, turn on "refresh user_access_token" in its security settings, publish a ' +
        'version, then call start_authorization.',
    })
  }
  const details = { nextStep: AUTHORIZE, feishuCode: refusal.feishuCode, logId: refusal.logId }
  const at = (instant: number | null) => new Date(instant ?? refusal.at).toISOString()
  if (refusal.reason === 'outdated') {
    return new AuthError(
      'refresh_uncertain',
      'The stored token set is an older copy that was put back: its refresh token has been used since.',
      details,
    )
  }
  if (refusal.reason === 'lost') {
    return new AuthError(
      'refresh_uncertain',
      `The refresh of ${at(refusal.lostAt)} was interrupted and its answer lost; the token could not be recovered.`,
      details,
    )
  }
  const said = refusal.feishuCode === null ? '' : ` with ${refusal.feishuCode}`
  return new AuthError(refusal.code, `Feishu refused the refresh token${said} at ${at(refusal.at)}.`, details)
}

function rateLimited(why: string, waitMs: number, cause?: AuthError): AuthError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000))
  return new AuthError('rate_limited', `Not refreshed: ${why}.`, {
    nextStep: `Wait ${seconds} s, then call refresh_token again.`,
    feishuCode: cause?.feishuCode ?? null,
    logId: cause?.logId ?? null,
  })
}
