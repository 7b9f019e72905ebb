// A new authorization: the link with a fresh state and verifier, or a code for another device.

import type { App } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { authorizationUrl } from '../oauth/authorization.ts'
import {
  type AuthorizationMethod,
  authorizationId,
  type PendingAuthorization,
} from '../oauth/pending-authorization.ts'
import { calculateCodeChallenge, createCodeVerifier, createState } from '../oauth/pkce.ts'
import { Secret } from '../secret.ts'
import { requestDeviceCode } from './device-poll.ts'

/** A person needs a minute; ten leave room for a second device and for an administrator. */
const DEADLINE_MS = 600_000
/** What is asked for. */
export type Wish = { scopes: string[]; method: AuthorizationMethod }

/** A new authorization: its link with a fresh state and verifier, or a device code from Feishu. */
export async function newAuthorization(deps: Deps, app: App, wish: Wish): Promise<PendingAuthorization> {
  const device = wish.method === 'device' ? await requestDeviceCode(deps, app, wish.scopes) : null
  const state = createState()
  const codeVerifier = createCodeVerifier()
  const { redirectUri } = deps.config
  const now = deps.clock.now()
  return {
    id: authorizationId(state),
    step: 'approve',
    method: wish.method,
    state: new Secret(state),
    codeVerifier: new Secret(codeVerifier),
    scopes: wish.scopes,
    redirectUri,
    authorizationUrl:
      device?.verificationUrl ??
      authorizationUrl({
        endpoint: app.endpoints.authorize,
        clientId: app.id.appId,
        redirectUri,
        scopes: wish.scopes,
        state,
        codeChallenge: calculateCodeChallenge(codeVerifier),
      }),
    device,
    startedAt: now,
    deadlineAt: now + (device?.lifetimeMs ?? DEADLINE_MS),
    phase: 'waiting',
    tokens: null,
    outcome: null,
  }
}
