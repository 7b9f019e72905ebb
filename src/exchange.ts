// From an authorization response to a stored token set. Runs under the profile's lock.

import type { App } from './app.ts'
import type { Deps } from './deps.ts'
import { AuthError } from './errors.ts'
import type { AuthorizationResponse } from './oauth/authorization.ts'
import { feishuError, type Text, untrusted } from './oauth/feishu.ts'
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

/** The code lives five minutes; Feishu answers in well under a second. With the lock and `user_info` under 25 s. */
const EXCHANGE_MS = 8_000
/** An answer that consumed nothing (20050, 20072, 429), or no connection: once more, after this. */
const PAUSE_MS = 500
const MAX_EXCHANGES = 2

export type Ending = {
  outcome: Outcome
  /** Why, for the person's page; null when it succeeded. */
  reason: { reason: Text; nextStep: Text; code: string } | null
  /** Null unless it succeeded. */
  record: TokenRecord | null
}

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
  response: AuthorizationResponse,
): Promise<Ending> {
  if (response.kind === 'error') return endWith(deps, locked, pending, refusalOf(response.error))
  try {
    await locked.writePending(encodePending({ ...pending, phase: 'exchanging' }))
    const tokens = await exchangeCode(deps, app, pending, new Secret(response.code))
    const record = toRecord(deps, pending, tokens)
    const exchanged: PendingAuthorization = { ...pending, phase: 'exchanged', tokens: encodeRecord(record) }
    await locked.writePending(encodePending(exchanged))
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
  const user = await fetchUser(deps, app, fresh.accessToken).catch(() => null)
  const mismatch = userMismatch(stored.tokenSet?.user ?? null, user)
  if (mismatch) return endWith(deps, locked, pending, mismatch)
  const tokenSet: TokenSet = { ...fresh, user }
  const record = { generation: stored.generation + 1, tokenSet }
  await locked.commit(record, stored.generation)
  const outcome: Outcome = { status: 'succeeded', at: deps.clock.now(), code: null, error: null }
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
  for (let attempt = 1; ; attempt += 1) {
    const grant = { code, redirectUri: pending.redirectUri, codeVerifier: pending.codeVerifier }
    const account = { key: app.key, forced: false }
    const answer = await deps.request(
      authorizationCodeGrantRequest(url, app.client, grant, { deadlineMs: EXCHANGE_MS, account }),
    )
    const secrets = [code, pending.codeVerifier, pending.state, app.client.appSecret]
    const context = {
      endpoints: app.endpoints,
      appId: app.id.appId,
      scopes: pending.scopes,
      now: deps.clock.now(),
      secrets,
    }
    const result = processTokenAnswer(answer, context, null)
    if (result.kind === 'tokens') return usable(result)
    const repeatable = result.kind === 'unsent' || (result.kind === 'error' && result.verdict === 'retry')
    if (!repeatable || attempt >= MAX_EXCHANGES) throw result.error
    await new Promise((resume) => setTimeout(resume, PAUSE_MS))
  }
}

function usable(result: Extract<TokenAnswer, { kind: 'tokens' }>): TokenResponse {
  if (result.response.problem === null) return result.response
  throw new AuthError('unexpected_response', `Feishu's answer is not usable: ${result.response.problem}.`, {
    nextStep: 'Call start_authorization again.',
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

function userMismatch(stored: User | null, fresh: User | null): AuthError | null {
  if (!stored || stored.openId === fresh?.openId) return null
  const keeps = `the token of ${stored.name ?? stored.openId} was kept`
  if (!fresh) {
    return new AuthError('unexpected_response', `Feishu did not say who logged in; ${keeps}.`, {
      nextStep: 'Call start_authorization again.',
    })
  }
  const names = `${fresh.name ?? 'Somebody else'} logged in (${fresh.openId}), not ${stored.name ?? ''} (${stored.openId})`
  return new AuthError('user_mismatch', `${names}; ${keeps}.`, {
    nextStep: 'Authorize as the same person, use another profile, or log out first.',
  })
}

function refusalOf(error: string): AuthError {
  if (error === 'access_denied') {
    return new AuthError('access_denied', 'The person declined on the consent page.', {
      nextStep: 'Call start_authorization again when the person wants to approve.',
    })
  }
  return new AuthError('unexpected_response', `Feishu ended the authorization with "${untrusted(error)}".`, {
    nextStep: 'Call start_authorization again.',
  })
}

async function endWith(
  deps: Deps,
  locked: LockedProfile,
  pending: PendingAuthorization,
  error: AuthError,
): Promise<Ending> {
  const outcome: Outcome = {
    status: error.code === 'access_denied' ? 'denied' : 'failed',
    at: deps.clock.now(),
    code: error.code,
    error: `${error.message} ${error.nextStep}`,
  }
  await locked.writePending(encodePending(withOutcome(pending, outcome, 'closing')))
  return { outcome, reason: pageReason(error), record: null }
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
