import { randomBytes, randomInt } from 'node:crypto'
import type { SandboxApp } from './directory.ts'
import { grantedScopes, issueTokens } from './issue.ts'
import { isUserScope } from './scopes.ts'
import { type Authorization, type Endpoint, keepSecret, nextId, type State } from './state.ts'
import { type Answer, type Call, json, oauthError } from './wire.ts'

export const DEVICE_AUTHORIZATION_PATH = '/oauth/v1/device_authorization'
export const DEVICE_VERIFY_PATH = '/oauth/v1/device/verify'

/** A device code that waits for a person: for a token set, or for a new app. */
export type PendingDevice = {
  id: string
  userCode: string
  purpose: 'tokens' | 'app'
  appId: string | null
  scopes: string[]
  expiresAt: number
  intervalMs: number
  lastPolledAt: number | null
  status: 'pending' | 'approved' | 'denied' | 'void' | 'used'
  openId: string | null
  authorization: Authorization | null
  app: SandboxApp | null
  brandAnnounced: boolean
}

/** Letters and digits that nobody confuses when typing (RFC 8628 §6.1). */
const USER_CODE_ALPHABET = 'BCDFGHJKLMNPQRSTVWXZ23456789'
/** RFC 8628 §3.5: each `slow_down` adds five seconds; official clients stop at a minute. */
const SLOW_DOWN_MS = 5_000
const MAX_INTERVAL_MS = 60_000
/** Timers of a well-behaved client may fire this early. */
const POLL_TOLERANCE_MS = 100

function mintUserCode(): string {
  const letters = Array.from({ length: 8 }, () => USER_CODE_ALPHABET[randomInt(USER_CODE_ALPHABET.length)])
  return `${letters.slice(0, 4).join('')}-${letters.slice(4).join('')}`
}

/** Starts waiting for a person and returns the fields that both device flows answer (RFC 8628 §3.2). */
export function startDevice(
  call: Call,
  purpose: PendingDevice['purpose'],
  pagePath: string,
  request: { appId: string | null; scopes: string[] },
): Record<string, unknown> {
  const { state, now } = call
  const { deviceCodeLifetimeMs, deviceIntervalMs } = state.knobs
  const deviceCode = keepSecret(state, randomBytes(32).toString('base64url'))
  const device: PendingDevice = {
    id: nextId(state, 'dc'),
    userCode: mintUserCode(),
    purpose,
    ...request,
    expiresAt: now + deviceCodeLifetimeMs,
    intervalMs: deviceIntervalMs,
    lastPolledAt: null,
    status: 'pending',
    openId: null,
    authorization: null,
    app: null,
    brandAnnounced: false,
  }
  state.devices.set(deviceCode, device)
  const page = `${state.origin}${pagePath}`
  const flow = purpose === 'tokens' ? `flow_id=${randomBytes(8).toString('hex')}&` : ''
  return {
    device_code: deviceCode,
    user_code: device.userCode,
    verification_uri: page,
    verification_uri_complete: `${page}?${flow}user_code=${device.userCode}`,
    expires_in: Math.floor(deviceCodeLifetimeMs / 1_000),
    interval: Math.floor(deviceIntervalMs / 1_000),
  }
}

/** Id and secret of a Basic header, percent-decoded (RFC 6749 §2.3.1). */
function readBasic(header: string | undefined): [string, string] | null {
  const match = /^basic (.+)$/i.exec(header ?? '')
  if (!match?.[1]) return null
  const [id = '', ...secret] = Buffer.from(match[1], 'base64').toString().split(':')
  try {
    return [decodeURIComponent(id), decodeURIComponent(secret.join(':'))]
  } catch {
    return null
  }
}

/** `POST /oauth/v1/device_authorization` (RFC 8628 §3.1), authenticated by Basic. */
export function handleDeviceAuthorization(call: Call): Answer {
  const { state, fields } = call
  const [appId, secret] = readBasic(call.headers.authorization) ?? [fields?.client_id, fields?.client_secret]
  const app = state.apps.get(appId ?? '')
  if (!fields || (fields.client_id && fields.client_id !== appId)) {
    return oauthError('invalid_request', 'The request is malformed.')
  }
  if (!app || app.appSecret !== secret) {
    return oauthError('invalid_client', 'The client id or secret is invalid.')
  }
  if (!app.enabled) return oauthError('unauthorized_client', 'The specified app is not enabled.')
  const scopes = (fields.scope ?? '').split(' ').filter((scope) => scope !== '')
  if (!scopes.every(isUserScope)) return oauthError('invalid_scope', 'The provided scope list is invalid.')
  if (state.knobs.newDeviceRequestVoidsOld) voidPending(state, app.appId)
  return json(200, startDevice(call, 'tokens', DEVICE_VERIFY_PATH, { appId: app.appId, scopes }))
}

function voidPending(state: State, appId: string): void {
  for (const device of state.devices.values()) {
    if (device.appId === appId && device.status === 'pending') device.status = 'void'
  }
}

/** The part of a poll that both device flows share: what to answer while there is nothing to hand out. */
export function findPollError(call: Call, device: PendingDevice | undefined): Answer | null {
  const { state, now } = call
  if (!device || device.status === 'void' || device.status === 'used') {
    return oauthError('invalid_grant', 'The device code is invalid.')
  }
  if (device.status === 'denied') return oauthError('access_denied', 'The user denied the request.')
  if (now >= device.expiresAt) return oauthError('expired_token', 'The device code has expired.')
  const dueAt = (device.lastPolledAt ?? Number.NEGATIVE_INFINITY) + device.intervalMs - POLL_TOLERANCE_MS
  device.lastPolledAt = now
  if (now < dueAt && state.knobs.enforcePollInterval) {
    device.intervalMs = Math.min(device.intervalMs + SLOW_DOWN_MS, MAX_INTERVAL_MS)
    return oauthError('slow_down', 'The client polls too fast.')
  }
  if (device.status === 'pending') {
    return oauthError('authorization_pending', 'The user has not decided yet.')
  }
  return null
}

/** The device grant at the token endpoint (RFC 8628 §3.4), once the client is authenticated. */
export function pollDevice(call: Call, deviceCode: string, endpoint: Endpoint): Answer {
  const { state, presentation } = call
  const device = state.devices.get(deviceCode)
  const mine = device?.purpose === 'tokens' && device.appId === call.fields?.client_id ? device : undefined
  const error = findPollError(call, mine)
  if (error || !mine?.authorization) {
    const isPending = mine?.status === 'pending' && call.now < mine.expiresAt
    if (presentation) presentation.outcome = isPending ? 'pending' : 'rejected'
    return error ?? oauthError('invalid_grant', 'The device code is invalid.')
  }
  mine.status = 'used'
  if (presentation) Object.assign(presentation, { outcome: 'granted', code: 0 })
  const app = state.apps.get(mine.authorization.appId)
  const scopes = app ? grantedScopes(state, app, mine.authorization.openId) : []
  return json(200, issueTokens(state, mine.authorization, scopes, endpoint))
}
