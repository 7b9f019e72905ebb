// The device grant (RFC 8628), as Feishu's own command line uses it; Feishu's public documentation does not describe it.

import { CodedError } from '../errors.ts'
import { Secret } from '../secret.ts'
import { call, say } from '../sentence.ts'
import { logIdOf, parseObject } from './answer.ts'
import { type Endpoints, trustedUrl, untrusted } from './feishu.ts'
import type { ClientCredentials, HttpAnswer, HttpRequest, RequestOptions } from './http.ts'
import type { AnswerContext, TokenAnswer } from './token-answer.ts'
import { processTokenAnswer } from './token-endpoint.ts'

export type DeviceAuthorization = {
  deviceCode: Secret
  userCode: string
  /** Where the person approves; the complete form where Feishu gives one. */
  verificationUrl: string
  lifetimeMs: number
  intervalMs: number
}

/** For an answer that does not say: what Feishu's own client assumes. */
const LIFETIME_MS = 240_000
const INTERVAL_MS = 5_000
/** RFC 8628 §3.5: a `slow_down` adds five seconds; Feishu's own client stops at a minute. */
const SLOW_DOWN_MS = 5_000
const MAX_INTERVAL_MS = 60_000
/** What an answer asks for beyond these is a mistake: Feishu names five seconds and ten minutes. */
const MIN_INTERVAL_MS = 1_000
const MAX_LIFETIME_MS = 3_600_000

const FORM = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }

function seconds(value: unknown, fallbackMs: number): number {
  const number = Number(value)
  return Number.isFinite(number) && number > 0 ? number * 1000 : fallbackMs
}

/** How long a code lives, from the seconds of an answer (RFC 8628 §3.2): an hour at most. */
export function readLifetimeMs(value: unknown, fallbackMs: number): number {
  return Math.min(seconds(value, fallbackMs), MAX_LIFETIME_MS)
}

/** The pause between polls, from the seconds of an answer (RFC 8628 §3.2): never so long that no timer can take it. */
export function readIntervalMs(value: unknown): number {
  return Math.min(Math.max(seconds(value, INTERVAL_MS), MIN_INTERVAL_MS), MAX_INTERVAL_MS)
}

/** The pause after a `slow_down`, and after an answer that says nothing (RFC 8628 §3.5). */
export function slowerMs(intervalMs: number): number {
  return Math.min(intervalMs + SLOW_DOWN_MS, MAX_INTERVAL_MS)
}

/** The device authorization request (RFC 8628 §3.1); Feishu wants Basic authentication here. */
export function deviceAuthorizationRequest(
  endpoints: Endpoints,
  client: ClientCredentials,
  scopes: readonly string[],
  options: RequestOptions,
): HttpRequest {
  const credentials = Buffer.from(`${client.appId}:${client.appSecret.reveal()}`).toString('base64')
  return {
    method: 'POST',
    url: endpoints.deviceAuthorization,
    headers: { ...FORM, authorization: `Basic ${credentials}` },
    body: new URLSearchParams({ client_id: client.appId, scope: scopes.join(' ') }).toString(),
    ...options,
  }
}

/**
 * Reads the device authorization response (RFC 8628 §3.2).
 *
 * @throws CodedError why there is none
 */
export function processDeviceAuthorization(answer: HttpAnswer, endpoints: Endpoints): DeviceAuthorization {
  if (answer.kind === 'failure') throw answer.error
  const json = parseObject(answer.body) ?? {}
  const verificationUrl =
    trustedUrl(json.verification_uri_complete, endpoints) ?? trustedUrl(json.verification_uri, endpoints)
  const { device_code: deviceCode, user_code: userCode } = json
  if (typeof deviceCode === 'string' && deviceCode && typeof userCode === 'string' && verificationUrl) {
    return {
      deviceCode: new Secret(deviceCode),
      userCode: untrusted(userCode)?.slice(0, 40) ?? '',
      verificationUrl,
      lifetimeMs: readLifetimeMs(json.expires_in, LIFETIME_MS),
      intervalMs: readIntervalMs(json.interval),
    }
  }
  const logId = logIdOf(answer.headers)
  if (json.error === 'invalid_client') {
    throw new CodedError('invalid_client', say`Feishu does not accept App ID and App Secret.`, {
      nextStep: say`Copy both again from the developer console, page Credentials & Basic Info (凭证与基础信息).`,
      logId,
    })
  }
  const said = untrusted(json.error_description ?? json.error)
  const code =
    json.error === 'invalid_scope' || json.error === 'unauthorized_client'
      ? json.error
      : 'unexpected_response'
  throw new CodedError(code, say`Feishu gave no code for a device${said ? say`: "${said}"` : ''}.`, {
    nextStep: say`Check the scopes, or use method "browser".`,
    logId,
  })
}

/** The device access token request (RFC 8628 §3.4). */
export function deviceGrantRequest(
  url: string,
  client: ClientCredentials,
  deviceCode: Secret,
  options: RequestOptions,
): HttpRequest {
  const parameters = {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: deviceCode.reveal(),
    client_id: client.appId,
    client_secret: client.appSecret.reveal(),
  }
  return { method: 'POST', url, headers: FORM, body: new URLSearchParams(parameters).toString(), ...options }
}

export type DevicePoll =
  | { kind: 'pending'; intervalMs: number }
  | Extract<TokenAnswer, { kind: 'tokens' }>
  | { kind: 'ended'; error: CodedError }

/** Reads the answer to a poll (RFC 8628 §3.5). What is neither an end nor a token is waited out. */
export function processDevicePoll(
  answer: HttpAnswer,
  intervalMs: number,
  context: AnswerContext,
): DevicePoll {
  const result = processTokenAnswer(answer, context, null)
  if (result.kind === 'tokens') return result
  const error = answer.kind === 'answer' ? parseObject(answer.body)?.error : undefined
  if (error === 'authorization_pending') return { kind: 'pending', intervalMs }
  if (error === 'access_denied') return { kind: 'ended', error: denied() }
  if (error === 'expired_token' || error === 'invalid_grant') {
    return { kind: 'ended', error: expired() }
  }
  // RFC 8628 §3.5: back off on time-outs too. A configuration error does not fix itself.
  if (error === 'slow_down' || result.kind !== 'error' || result.verdict === 'retry') {
    return { kind: 'pending', intervalMs: slowerMs(intervalMs) }
  }
  return { kind: 'ended', error: result.error }
}

function denied(): CodedError {
  return new CodedError('access_denied', say`The person declined on the verification page.`, {
    nextStep: say`${call('start_authorization')} again when the person wants to approve.`,
  })
}

function expired(): CodedError {
  return new CodedError(
    'authorization_expired',
    say`The code was not used in time, or a newer one has replaced it.`,
    {
      nextStep: say`${call('start_authorization')} again.`,
    },
  )
}
