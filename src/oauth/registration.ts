// App registration: a person opens a link, Feishu creates the app and hands over its id and secret. Feishu's own SDK
// and command line ship this flow (a device flow in the manner of RFC 8628); its public documentation does not.

import { gzipSync } from 'node:zlib'
import { CodedError } from '../errors.ts'
import { APP_ID } from '../profile.ts'
import { Secret } from '../secret.ts'
import { type Sentence, say, typed } from '../sentence.ts'
import { type Json, logIdOf, parseObject } from './answer.ts'
import { readIntervalMs, readLifetimeMs, slowerMs } from './device.ts'
import { type Endpoints, trustedUrl, untrusted } from './feishu.ts'
import type { ClientCredentials, HttpAnswer, HttpRequest, RequestOptions } from './http.ts'

export type Registration = {
  deviceCode: Secret
  userCode: string
  /** Where the person has the app created. */
  verificationUrl: string
  lifetimeMs: number
  intervalMs: number
}

/** For an answer that does not say: what Feishu's own SDK assumes. */
const LIFETIME_MS = 600_000

function registrationRequest(
  endpoints: Endpoints,
  parameters: Record<string, string>,
  options: RequestOptions,
): HttpRequest {
  return {
    method: 'POST',
    url: `${endpoints.accounts}/oauth/v1/app/registration`,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: new URLSearchParams(parameters).toString(),
    ...options,
  }
}

/** Asks for a code with which a person has an app created; Lark's people start on Feishu's host too. */
export function beginRegistrationRequest(endpoints: Endpoints, options: RequestOptions): HttpRequest {
  const parameters = {
    action: 'begin',
    archetype: 'PersonalAgent',
    auth_method: 'client_secret',
    request_user_info: 'open_id tenant_brand',
  }
  return registrationRequest(endpoints, parameters, options)
}

/** Asks whether the app has been created. */
export function pollRegistrationRequest(
  endpoints: Endpoints,
  deviceCode: Secret,
  options: RequestOptions,
): HttpRequest {
  return registrationRequest(endpoints, { action: 'poll', device_code: deviceCode.reveal() }, options)
}

/** The page with the scopes that the new app is to have, as Feishu's SDK writes them: gzip, base64url. */
function withScopes(page: string, scopes: readonly string[]): string {
  const url = new URL(page)
  // Basic identity comes with every app, and is not in the catalogue that this list is checked against.
  const user = scopes.filter((scope) => scope !== 'auth:user.id:read')
  url.searchParams.set('from', 'sdk')
  url.searchParams.set('tp', 'sdk')
  if (user.length > 0) {
    const addons = gzipSync(JSON.stringify({ scopes: { user } })).toString('base64url')
    url.searchParams.set('addons', addons)
  }
  return url.href
}

/**
 * Reads the answer to the begin request.
 *
 * @throws CodedError why there is no link
 */
export function processRegistration(
  answer: HttpAnswer,
  endpoints: Endpoints,
  scopes: readonly string[],
): Registration {
  if (answer.kind === 'failure') throw answer.error
  const json = parseObject(answer.body) ?? {}
  const page =
    trustedUrl(json.verification_uri_complete, endpoints) ?? trustedUrl(json.verification_uri, endpoints)
  const { device_code: deviceCode, user_code: userCode } = json
  if (typeof deviceCode !== 'string' || !deviceCode || typeof userCode !== 'string' || !page) {
    throw refused(answer.headers, json, endpoints)
  }
  return {
    deviceCode: new Secret(deviceCode),
    userCode: untrusted(userCode)?.slice(0, 40) ?? '',
    verificationUrl: withScopes(page, scopes),
    lifetimeMs: readLifetimeMs(json.expires_in ?? json.expire_in, LIFETIME_MS),
    intervalMs: readIntervalMs(json.interval),
  }
}

export type RegistrationPoll =
  | { kind: 'pending'; intervalMs: number }
  | { kind: 'app'; brand: 'feishu' | 'lark'; client: ClientCredentials }
  /** The person belongs to Lark: its accounts host hands the app over. */
  | { kind: 'lark' }
  | { kind: 'ended'; error: CodedError }

/** Reads the answer to a poll. `endpoints` are those that were asked. What is no end and no app is waited out. */
export function processRegistrationPoll(
  answer: HttpAnswer,
  intervalMs: number,
  endpoints: Endpoints,
): RegistrationPoll {
  const slower = { kind: 'pending', intervalMs: slowerMs(intervalMs) } as const
  // RFC 8628 §3.5: back off on time-outs too.
  if (answer.kind === 'failure') return slower
  const json = parseObject(answer.body)
  if (!json || answer.status >= 500) return slower
  const { client_id: appId, client_secret: secret, user_info: user, error } = json
  const lark = endpoints.brand === 'lark' || (user as Json | null | undefined)?.tenant_brand === 'lark'
  if (typeof appId === 'string' && APP_ID.test(appId) && typeof secret === 'string' && secret) {
    return { kind: 'app', brand: lark ? 'lark' : 'feishu', client: { appId, appSecret: new Secret(secret) } }
  }
  if (error === 'authorization_pending') return { kind: 'pending', intervalMs }
  if (error === 'slow_down') return slower
  if (error === 'access_denied') return { kind: 'ended', error: denied(endpoints) }
  if (error === 'expired_token' || error === 'invalid_grant') {
    return { kind: 'ended', error: registrationExpired(endpoints) }
  }
  if (error !== undefined) return { kind: 'ended', error: refused(answer.headers, json, endpoints) }
  return lark && endpoints.brand !== 'lark' ? { kind: 'lark' } : slower
}

/** The way that is always open. */
function consolePath({ open }: Endpoints): Sentence {
  return say`Create the app in the developer console instead (${open}/app), and give ${typed('setup')} its App ID and App Secret.`
}

function refused(headers: Record<string, string>, json: Json, endpoints: Endpoints): CodedError {
  const said = untrusted(json.error_description ?? json.error ?? json.msg)
  const code = typeof json.error === 'string' ? 'unauthorized_client' : 'unexpected_response'
  return new CodedError(code, say`Feishu offers no creation of apps here${said ? say`: "${said}"` : ''}.`, {
    nextStep: consolePath(endpoints),
    logId: logIdOf(headers),
  })
}

function denied(endpoints: Endpoints): CodedError {
  return new CodedError('access_denied', say`The person declined to have an app created.`, {
    nextStep: consolePath(endpoints),
  })
}

/** The link was not used in time. */
export function registrationExpired(endpoints: Endpoints): CodedError {
  return new CodedError('authorization_expired', say`The link to create the app was not used in time.`, {
    nextStep: say`Run ${typed('setup')} again for a new link. ${consolePath(endpoints)}`,
  })
}
