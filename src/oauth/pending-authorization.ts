// An authorization that is under way, or has just ended, as plain data.

import { createHash } from 'node:crypto'
import type { ErrorCode } from '../errors.ts'
import { Secret } from '../secret.ts'
import { call, fromParts, partsOf, type Sentence, say, toolsOnly } from '../sentence.ts'

export type AuthorizationMethod = 'browser' | 'device'

/** What the person does at the link: an app of theirs is created first where there is none. */
export type AuthorizationStep = 'create_app' | 'approve'

/** Why an authorization brought no token: what an CodedError says, as plain data. */
export type Failure = {
  code: ErrorCode
  message: Sentence
  nextStep: Sentence
  feishuCode: number | null
  logId: string | null
}

/** How an authorization ended. */
export type Outcome = {
  status: 'succeeded' | 'denied' | 'failed' | 'expired' | 'cancelled'
  at: number
  /** Null when it succeeded. */
  failure: Failure | null
}

/** An authorization from its link to ten minutes after its end: sealed beside the token set, for any process to join. */
export type PendingAuthorization = {
  /** Names it without telling its `state`. */
  id: string
  step: AuthorizationStep
  method: AuthorizationMethod
  /** Empty once it has ended. */
  state: Secret
  codeVerifier: Secret
  scopes: string[]
  redirectUri: string
  authorizationUrl: string
  /** Only for the device grant. */
  device: { deviceCode: Secret; userCode: string; intervalMs: number } | null
  startedAt: number
  deadlineAt: number
  /** `exchanging`: the code may be spent. `exchanged`: its tokens are in `tokens`, not yet in force. */
  phase: 'waiting' | 'exchanging' | 'exchanged' | 'closing' | 'ended'
  /** The sealed-in answer between exchange and end: plain JSON of a token record. */
  tokens: Record<string, unknown> | null
  outcome: Outcome | null
}

export type AuthorizationStatus = 'none' | 'pending' | Outcome['status']

/** An end is told for ten minutes, then it is history. */
const TOLD_MS = 600_000
/** Freeing the port takes a second at the most; a process that died meanwhile must not keep the end from being told. */
const CLOSING_MS = 3_000

/** Names an authorization by its `state`. */
export function authorizationId(state: string): string {
  return createHash('sha256').update(state).digest('hex').slice(0, 16)
}

/** Feishu shows some errors on its own page alone: then no one answers. */
const ERROR_NUMBER = say`; if Feishu showed an error number, ${call('token_status')} with it as feishu_error`

/** The end of an authorization that no one answered. */
export function expiredOutcome(pending: PendingAuthorization): Outcome {
  return {
    status: 'expired',
    at: pending.deadlineAt,
    failure: {
      code: 'authorization_expired',
      message: say`No one approved in time.`,
      nextStep: say`${call('start_authorization')} for a new link${toolsOnly(ERROR_NUMBER)}.`,
      feishuCode: null,
      logId: null,
    },
  }
}

/** The end of an authorization that someone called off. */
export function cancelledOutcome(at: number): Outcome {
  return {
    status: 'cancelled',
    at,
    failure: {
      code: 'authorization_expired',
      message: say`The authorization was cancelled.`,
      nextStep: say`${call('start_authorization')} when the person wants to authorize.`,
      feishuCode: null,
      logId: null,
    },
  }
}

/** Whether it still waits for its answer. */
export function isLive(pending: PendingAuthorization, now: number): boolean {
  return pending.outcome === null && now < pending.deadlineAt
}

/** What is to be told of an authorization; `stored` is the token set in place, perhaps the one it brought. */
export function authorizationStatus(
  pending: PendingAuthorization | null,
  stored: { authorizationId: string | null; authorizedAt: number } | null,
  now: number,
): { status: AuthorizationStatus; outcome: Outcome | null } {
  if (!pending) return { status: 'none', outcome: null }
  let outcome = pending.outcome
  if (outcome && pending.phase === 'closing' && Math.abs(now - outcome.at) < CLOSING_MS)
    return { status: 'pending', outcome: null }
  // Its process died between storing the tokens and saying so.
  if (!outcome && pending.id === stored?.authorizationId && now >= stored.authorizedAt + CLOSING_MS) {
    outcome = { status: 'succeeded', at: stored.authorizedAt, failure: null }
  }
  // Whoever listens says so itself as soon as the port is free; if no one does, it is told a little later.
  if (!outcome && now >= pending.deadlineAt + CLOSING_MS) outcome = expiredOutcome(pending)
  if (!outcome) return { status: 'pending', outcome: null }
  return now - outcome.at > TOLD_MS ? { status: 'none', outcome: null } : { status: outcome.status, outcome }
}

/** The same authorization, ended: without the secrets that no one needs any more. */
export function withOutcome(
  pending: PendingAuthorization,
  outcome: Outcome,
  phase: 'closing' | 'ended',
): PendingAuthorization {
  const none = new Secret('')
  return { ...pending, outcome, phase, tokens: null, state: none, codeVerifier: none, device: null }
}

/** Writes it as plain JSON, secrets included: for sealing alone. */
export function encodePending(pending: PendingAuthorization): Record<string, unknown> {
  const { device, outcome } = pending
  return {
    ...pending,
    outcome: outcome && { ...outcome, failure: outcome.failure && encodeFailure(outcome.failure) },
    state: pending.state.reveal(),
    codeVerifier: pending.codeVerifier.reveal(),
    device: device && { ...device, deviceCode: device.deviceCode.reveal() },
  }
}

/** As it is stored: as text for older versions, which read no parts. */
type StoredFailure = Omit<Failure, 'message' | 'nextStep'> & {
  message: string
  nextStep: string
  parts?: { message: object; nextStep: object }
}
type StoredOutcome = Omit<Outcome, 'failure'> & { failure: StoredFailure | null }

function encodeFailure(failure: Failure): StoredFailure {
  const { message, nextStep } = failure
  const parts = { message: partsOf(message), nextStep: partsOf(nextStep) }
  return { ...failure, message: String(message), nextStep: String(nextStep), parts }
}

function decodeOutcome(stored: StoredOutcome | null): Outcome | null {
  if (!stored?.failure) return stored as Outcome | null
  const { parts, ...failure } = stored.failure
  const { message, nextStep } = parts ?? failure
  return { ...stored, failure: { ...failure, message: fromParts(message), nextStep: fromParts(nextStep) } }
}

/** Reads what {@link encodePending} wrote (the seal has proved that we wrote it). */
export function decodePending(json: Record<string, unknown> | null): PendingAuthorization | null {
  if (!json || typeof json.state !== 'string' || typeof json.codeVerifier !== 'string') return null
  const device = json.device as { deviceCode: string; userCode: string; intervalMs: number } | null
  return {
    ...(json as PendingAuthorization),
    // Not told by what an older version began.
    step: json.step === 'create_app' ? 'create_app' : 'approve',
    outcome: decodeOutcome(json.outcome as StoredOutcome | null),
    state: new Secret(json.state),
    codeVerifier: new Secret(json.codeVerifier),
    device: device && { ...device, deviceCode: new Secret(device.deviceCode) },
  }
}

/** The pending authorization as it lies in the store, and what there is to tell. */
export type Authorization = {
  pending: PendingAuthorization | null
  told: { status: AuthorizationStatus; failure: Failure | null }
}
