// The device grant: no redirect URL, for machines that no browser reaches. The holder polls; anyone may show the code.

import type { App } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import {
  type DeviceAuthorization,
  deviceAuthorizationRequest,
  deviceGrantRequest,
  processDeviceAuthorization,
  processDevicePoll,
} from '../oauth/device.ts'
import type { PendingAuthorization } from '../oauth/pending-authorization.ts'
import type { AuthorizationAnswer } from './finish.ts'
import { repeat } from './repeat.ts'

/** One small request to Feishu's own host. */
const REQUEST_MS = 8_000

/** Asks Feishu for a code that the person types on another device. */
export async function requestDeviceCode(
  deps: Deps,
  app: App,
  scopes: readonly string[],
): Promise<DeviceAuthorization> {
  const account = { key: app.key, forced: false }
  const options = { deadlineMs: REQUEST_MS, account }
  const answer = await deps.request(deviceAuthorizationRequest(app.endpoints, app.client, scopes, options))
  return processDeviceAuthorization(answer, app.endpoints)
}

/**
 * Polls until the person has decided. `decide` gets the end and says whether it was taken; if not, it gets the same end
 * again after a pause, because the tokens come only once.
 */
export function pollDevice(
  deps: Deps,
  app: App,
  pending: PendingAuthorization & { device: NonNullable<PendingAuthorization['device']> },
  decide: (answer: AuthorizationAnswer) => Promise<boolean>,
): { close(): Promise<void> } {
  const { deviceCode } = pending.device
  const url = app.endpoints.token[deps.config.tokenEndpoint]
  let { intervalMs } = pending.device
  let end: AuthorizationAnswer | null = null

  async function ask(): Promise<AuthorizationAnswer | null> {
    const options = { deadlineMs: REQUEST_MS, account: { key: app.key, forced: false } }
    const answer = await deps.request(deviceGrantRequest(url, app.client, deviceCode, options))
    const result = processDevicePoll(answer, intervalMs, {
      endpoints: app.endpoints,
      appId: app.id.appId,
      scopes: pending.scopes,
      now: deps.clock.now(),
      secrets: [deviceCode, app.client.appSecret],
    })
    if (result.kind === 'tokens') return result
    if (result.kind === 'ended') return { kind: 'failure', error: result.error }
    intervalMs = result.intervalMs
    return null
  }

  return repeat(deps, intervalMs, async () => {
    end ??= await ask()
    return end && (await decide(end)) ? null : intervalMs
  })
}
