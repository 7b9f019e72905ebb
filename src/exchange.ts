// From an authorization response to a stored token set. Runs under the profile's lock.

import type { App } from './app.ts'
import type { Deps } from './deps.ts'
import { AuthError } from './errors.ts'
import type { AuthorizationResponse } from './oauth/authorization.ts'
import { untrusted } from './oauth/feishu.ts'
import { feishuError, type Text } from './oauth/feishu-errors.ts'
import {
  encodePending,
  type Outcome,
  type PendingAuthorization,
  withOutcome,
} from './oauth/pending-authorization.ts'
import {
  authorizationCodeGrantRequest,
  nextTokenSet,
  processTokenAnswer,
  type TokenAnswer,
  type TokenResponse,
} from './oauth/token-endpoint.ts'
import { decodeRecord, encodeRecord, type TokenRecord, type TokenSet, type User } from './oauth/token-set.ts'
import { Secret } from './secret.ts'
import type { LockedProfile } from './store/token-store.ts'
import { fetchUser } from './user.ts'

/** All attempts together: Feishu answers in well under a second. With the lock and `user_info` under 25 s. */
const EXCHANGE_MS = 8_000
/** An answer that consumed nothing (20050, 20072, 429), or no connection: once more, after this. */
const PAUSE_MS = 500
const MAX_EXCHANGES = 2
/** Less is no time for another attempt. */
const ATTEMPT_MS = 1_000

/** How an authorization is answered: by a redirect, or by the end of a device grant. */
export type AuthorizationAnswer =
  | AuthorizationResponse
  | Extract<TokenAnswer, { kind: 'tokens' }>
  | { kind: 'failure'; error: AuthError }

export type Ending = {
  outcome: Outcome
  /** Why, for the person's page; null when it succeeded. */
  reason: { reason: Text; nextStep: Text; code: string } | null
  /** Null unless it succeeded. */
  record: TokenRecord | null
}

const AGAIN = 'Call start_authorization again.'
const START_AGAIN: Text = {
  en: 'Ask your assistant to start the authorization again.',
  zh: '请让助手重新发起授权。',
}

/** Ends a pending authorization with its response: asks for the tokens, checks whose they are, and stores them. */
export async function finishAuthorization(
  deps: Deps,
  app: App,
  locked: LockedProfile,
  pending: PendingAuthorization,
  response: AuthorizationAnswer,
): Promise<Ending> {
  if (response.kind === 'error') return endWith(deps, locked, pending, refusalOf(response.error))
  if (response.kind === 'failure') return endWith(deps, locked, pending, response.error)
  try {
    await locked.writePending(encodePending({ ...pending, phase: 'exchanging' }))
    const tokens =
      response.kind === 'tokens'
        ? usable(response)
        : await exchangeCode(deps, app, pending, new Secret(response.code))
    const record = toRecord(deps, pending, tokens)
    const exchanged: PendingAuthorization = { ...pending, phase: 'exchanged', tokens: encodeRecord(record) }
    // The code is spent: the tokens go on into force even if this note for another process cannot be written.
    await locked.writePending(encodePending(exchanged)).catch((error) => {
      deps.log('warn', `authorization: ${String(error)}`)
    })
    return await adoptTokens(deps, app, locked, exchanged)
  } catch (error) {
    if (error instanceof AuthError) return endWith(deps, locked, pending, error)
    throw error
  }
}

/** Puts tokens that were exchanged, perhaps by a process that died then, into force. */
export async function adoptTokens(
  deps: Deps,
  app: App,
  locked: LockedProfile,
  pending: PendingAuthorization,
): Promise<Ending> {
  const fresh = decodeRecord(pending.tokens ?? {})?.tokenSet
  if (!fresh?.accessToken) throw new Error('an exchanged authorization holds an access token')
  const stored = await readForReplacement(locked)
  const user = await fetchUser(deps, app, fresh.accessToken).catch((error: AuthError) => error)
  const known = stored.tokenSet?.user ?? null
  const mismatch = known && userMismatch(deps, app, known, user)
  if (mismatch) return endWith(deps, locked, pending, mismatch)
  const tokenSet: TokenSet = { ...fresh, user: user instanceof AuthError ? null : user }
  const record = { generation: stored.generation + 1, tokenSet }
  await locked.commit(record, stored.generation)
  const outcome: Outcome = { status: 'succeeded', at: deps.clock.now(), failure: null }
  await locked.writePending(encodePending(withOutcome(pending, outcome, 'closing'))).catch(() => undefined)
  await deps.deliver(app.id, tokenSet)
  return { outcome, reason: null, record }
}

/** The record in place; one that cannot be opened is moved aside, because a person has authorized anew. */
async function readForReplacement(locked: LockedProfile): Promise<TokenRecord> {
  try {
    return await locked.read()
  } catch (error) {
    if (!(error instanceof AuthError)) throw error
    return { generation: await locked.setAside(), tokenSet: null }
  }
}

async function exchangeCode(
  deps: Deps,
  app: App,
  pending: PendingAuthorization,
  code: Secret,
): Promise<TokenResponse> {
  const url = app.endpoints.token[deps.config.tokenEndpoint]
  const grant = { code, redirectUri: pending.redirectUri, codeVerifier: pending.codeVerifier }
  const account = { key: app.key, forced: false }
  const endsAt = deps.clock.elapsed() + EXCHANGE_MS
  for (let attempt = 1; ; attempt += 1) {
    const deadlineMs = endsAt - deps.clock.elapsed()
    const answer = await deps.request(
      authorizationCodeGrantRequest(url, app.client, grant, { deadlineMs, account }),
    )
    const context = {
      endpoints: app.endpoints,
      appId: app.id.appId,
      scopes: pending.scopes,
      now: deps.clock.now(),
      secrets: [code, pending.codeVerifier, pending.state, app.client.appSecret],
    }
    const result = processTokenAnswer(answer, context, null)
    if (result.kind === 'tokens') return usable(result)
    const pauseMs = pauseBeforeRepeat(result)
    const leftMs = endsAt - deps.clock.elapsed()
    if (pauseMs === null || attempt >= MAX_EXCHANGES || leftMs < pauseMs + ATTEMPT_MS) throw failureOf(result)
    await new Promise((resume) => setTimeout(resume, pauseMs))
  }
}

function failureOf(result: Exclude<TokenAnswer, { kind: 'tokens' }>): AuthError {
  const { error } = result
  if (result.kind !== 'ambiguous') return error
  return new AuthError(error.code, `The code was sent, but no usable answer came: ${error.message}`, error)
}

/** How long to wait before the code may be presented again; null: it may be spent, or nothing would change. */
function pauseBeforeRepeat(result: TokenAnswer): number | null {
  if (result.kind === 'unsent') return PAUSE_MS
  return result.kind === 'error' && result.verdict === 'retry' ? (result.retryAfterMs ?? PAUSE_MS) : null
}

function usable(result: Extract<TokenAnswer, { kind: 'tokens' }>): TokenResponse {
  if (result.response.problem === null) return result.response
  throw new AuthError('unexpected_response', `Feishu's answer is not usable: ${result.response.problem}.`, {
    nextStep: AGAIN,
    logId: result.logId,
  })
}

function toRecord(deps: Deps, pending: PendingAuthorization, response: TokenResponse): TokenRecord {
  const now = deps.clock.now()
  const blank: TokenSet = {
    accessToken: null,
    accessTokenExpiresAt: 0,
    accessTokenLifetimeMs: 0,
    refreshToken: null,
    refreshTokenExpiresAt: null,
    refreshTokenDoubtful: false,
    refusal: null,
    scopes: pending.scopes,
    requestedScopes: pending.scopes,
    user: null,
    authorizedAt: now,
    issuedAt: now,
    refreshedAt: null,
    endpoint: deps.config.tokenEndpoint,
    authorizationId: pending.id,
    lifetimeAssumed: false,
    clockSkewMs: null,
  }
  return { generation: 0, tokenSet: nextTokenSet(response, blank, now) }
}

/** Why the person who logged in may not take the place of the stored one; null: it is the same. */
function userMismatch(deps: Deps, app: App, stored: User, fresh: User | AuthError | null): AuthError | null {
  const { profile } = app.id
  if (fresh instanceof AuthError || fresh === null) {
    const why = fresh?.message ?? 'It refused the new token.'
    return new AuthError(
      fresh?.code ?? 'unexpected_response',
      `Feishu did not say who logged in, so the token of ${nameOf(stored)} was kept. ${why}`,
      { nextStep: AGAIN, feishuCode: fresh?.feishuCode ?? null, logId: fresh?.logId ?? null },
    )
  }
  if (fresh.openId === stored.openId) return null
  return new AuthError(
    'user_mismatch',
    `${nameOf(fresh)} logged in, but profile "${profile}" belongs to ${nameOf(stored)}, whose token was kept.`,
    {
      nextStep:
        `Call start_authorization and log in as ${nameOf(stored)}, or give it another profile to keep both; ` +
        `to replace the account, run \`${deps.command} logout --profile ${profile}\` first.`,
    },
  )
}

function nameOf(user: User): string {
  return user.name ? `${JSON.stringify(user.name)} (${user.openId})` : user.openId
}

function refusalOf(error: string): AuthError {
  if (error === 'access_denied') {
    return new AuthError('access_denied', 'The person declined on the consent page.', {
      nextStep: 'Call start_authorization again when the person wants to approve.',
    })
  }
  return new AuthError('unexpected_response', `Feishu ended the authorization with "${untrusted(error)}".`, {
    nextStep: AGAIN,
  })
}

const ENDS: Partial<Record<AuthError['code'], Outcome['status']>> = {
  access_denied: 'denied',
  authorization_expired: 'expired',
}

async function endWith(
  deps: Deps,
  locked: LockedProfile,
  pending: PendingAuthorization,
  error: AuthError,
): Promise<Ending> {
  const { code, message, feishuCode, logId } = error
  const outcome: Outcome = {
    status: ENDS[code] ?? 'failed',
    at: deps.clock.now(),
    failure: { code, message, nextStep: thenAuthorize(error.nextStep), feishuCode, logId },
  }
  await locked.writePending(encodePending(withOutcome(pending, outcome, 'closing')))
  return { outcome, reason: pageReason(error), record: null }
}

/** What is to be mended, and then a new authorization: the code of this one cannot be presented again. */
function thenAuthorize(nextStep: string): string {
  if (nextStep.includes('start_authorization')) return nextStep
  const mend = nextStep
    .replace(/\.$/, '')
    .replace(/(^|,? (and|then) )(try|start the authorization) again( in a minute)?$/i, '')
  return mend ? `${mend.replace(/[;,]$/, '')}; then call start_authorization again.` : AGAIN
}

function pageReason(error: AuthError): Ending['reason'] {
  const known = error.feishuCode === null ? null : feishuError(error.feishuCode)
  const code = error.feishuCode === null ? error.code : `${error.code} ${error.feishuCode}`
  if (known) {
    const reason = { en: `Feishu: ${known.cause.en}.`, zh: `飞书返回：${known.cause.zh}。` }
    return { reason, nextStep: { en: `${known.remedy.en}.`, zh: `${known.remedy.zh}。` }, code }
  }
  return {
    reason: { en: error.message, zh: PAGE_REASONS[error.code] ?? error.message },
    nextStep: START_AGAIN,
    code,
  }
}

/** What can go wrong here without a number of Feishu's. */
const PAGE_REASONS: Partial<Record<AuthError['code'], string>> = {
  network_error: '无法连接飞书服务器，授权码未能兑换。',
  tls_error: '飞书服务器的 TLS 证书未通过验证。',
  user_mismatch: '登录的账号与已保存的账号不同，原有令牌已保留。',
  unexpected_response: '飞书返回了无法识别的响应。',
  store_not_writable: '令牌无法写入本机存储。',
}
