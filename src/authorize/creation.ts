// Creating the app from the chat: where no app is configured, a person has Feishu create one at a first link, and
// approves at a second. While there is no app, what is pending lies in a place of its own, one a profile.

import { beginRegistration, pollRegistration } from '../app/setup.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import type { NewApp } from '../oauth/credentials.ts'
import { endpointsOf } from '../oauth/feishu.ts'
import { authorizationId, type PendingAuthorization } from '../oauth/pending-authorization.ts'
import { createState } from '../oauth/pkce.ts'
import { Secret } from '../secret.ts'
import { call, say, toolsOnly } from '../sentence.ts'
import { repeat } from './repeat.ts'

/** Asks Feishu for the link at which a person has the app created, with these scopes. */
export async function newCreation(deps: Deps, scopes: string[]): Promise<PendingAuthorization> {
  // A store that cannot be read would lose the new app's secret: better known before there is one.
  await deps.store.readApps()
  const { deviceCode, userCode, intervalMs, lifetimeMs, verificationUrl } = await beginRegistration(
    deps,
    scopes,
  )
  const now = deps.clock.now()
  return {
    id: authorizationId(createState()),
    step: 'create_app',
    method: 'device',
    state: new Secret(''),
    codeVerifier: new Secret(''),
    scopes,
    redirectUri: deps.config.redirectUri,
    authorizationUrl: verificationUrl,
    device: { deviceCode, userCode, intervalMs },
    startedAt: now,
    deadlineAt: now + lifetimeMs,
    phase: 'waiting',
    tokens: null,
    outcome: null,
  }
}

/**
 * Polls until the person has had the app created, or will not. `goOn` and `fail` say whether the end was taken; if not,
 * they get it again after a pause, because the credentials come only once.
 */
export function pollCreation(
  deps: Deps,
  device: NonNullable<PendingAuthorization['device']>,
  goOn: (app: NewApp) => Promise<boolean>,
  fail: (error: CodedError) => Promise<boolean>,
): { close(): Promise<void> } {
  const poll = pollRegistration(deps, device)
  let end: (() => Promise<boolean>) | null = null
  return repeat(deps, device.intervalMs, async () => {
    const result = end ? null : await poll()
    if (result?.kind === 'pending') return result.intervalMs
    if (result?.kind === 'app') end = () => goOn(result.app)
    if (result?.kind === 'ended') end = () => fail(instead(deps, result.error))
    return (await end?.()) ? null : device.intervalMs
  })
}

function instead(deps: Deps, error: CodedError): CodedError {
  const { open } = endpointsOf('feishu', deps.config)
  return new CodedError(error.code, error.said, {
    nextStep: say`${toolsOnly(say`${call('start_authorization', { create_app: true })} for a new link, or `)}create the app in the developer console (${open}/app) and run \`${deps.command} setup\`.`,
    logId: error.logId,
  })
}
