// What `setup` does: checks an app's credentials with Feishu, keeps them, or has Feishu create the app.

import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { logIdOf } from '../oauth/answer.ts'
import { CHECK_MS, type NewApp, probes, verdictOf } from '../oauth/credentials.ts'
import { endpointsOf } from '../oauth/feishu.ts'
import {
  beginRegistrationRequest,
  pollRegistrationRequest,
  processRegistration,
  processRegistrationPoll,
  type Registration,
  registrationExpired,
} from '../oauth/registration.ts'
import { say } from '../sentence.ts'

/**
 * Asks Feishu whether credentials are right.
 *
 * @returns true when they are, null when Feishu gave no clear answer
 * @throws CodedError `invalid_client`, or why Feishu could not be asked
 */
export async function checkCredentials(deps: Deps, app: NewApp): Promise<true | null> {
  for (const probe of probes(app)) {
    const answer = await deps.request(probe)
    if (answer.kind === 'failure') throw answer.error
    const verdict = verdictOf(answer)
    if (verdict === true) return true
    if (verdict === false) {
      throw new CodedError(
        'invalid_client',
        say`Feishu does not accept this App ID with this App Secret; nothing was kept.`,
        {
          nextStep: say`Copy both again from your app's page Credentials & Basic Info (凭证与基础信息): ${app.endpoints.open}/app`,
          logId: logIdOf(answer.headers),
        },
      )
    }
  }
  return null
}

/** Keeps the credentials of a profile's app, sealed. */
export async function keepApp(deps: Deps, profile: string, app: NewApp): Promise<void> {
  const kept = { app_id: app.appId, app_secret: app.appSecret.reveal(), brand: app.brand }
  await deps.store.updateApps((apps) => ({ ...apps, [profile]: kept }))
}

/** Whose requests these are, while there is no app yet. */
const REGISTRATION = { deadlineMs: CHECK_MS, account: { key: 'setup', forced: false } }

/**
 * Asks Feishu for a link with which a person has an app created, with these scopes.
 *
 * @throws CodedError why there is none; its next step is the developer console
 */
export async function beginRegistration(deps: Deps, scopes: readonly string[]): Promise<Registration> {
  const endpoints = endpointsOf('feishu', deps.config)
  const answer = await deps.request(beginRegistrationRequest(endpoints, REGISTRATION))
  return processRegistration(answer, endpoints, scopes)
}

type Poll =
  | { kind: 'pending'; intervalMs: number }
  | { kind: 'app'; app: NewApp }
  | { kind: 'ended'; error: CodedError }

/** Asks, with each call, whether the person has had the app created. */
export function pollRegistration(
  deps: Deps,
  registration: Pick<Registration, 'deviceCode' | 'intervalMs'>,
): () => Promise<Poll> {
  let endpoints = endpointsOf('feishu', deps.config)
  let { intervalMs } = registration
  return async () => {
    // The secret of the app comes only once.
    const answer = await deps.underWay.see(
      deps.request(pollRegistrationRequest(endpoints, registration.deviceCode, REGISTRATION)),
    )
    const result = processRegistrationPoll(answer, intervalMs, endpoints)
    if (result.kind === 'app') {
      const { brand, client } = result
      return { kind: 'app', app: { brand, ...client, endpoints: endpointsOf(brand, deps.config) } }
    }
    if (result.kind === 'ended') return result
    if (result.kind === 'lark') endpoints = endpointsOf('lark', deps.config)
    else intervalMs = result.intervalMs
    return { kind: 'pending', intervalMs }
  }
}

/**
 * Waits until the person has had the app created.
 *
 * @throws CodedError `access_denied`, `authorization_expired`, or what Feishu refused
 */
export async function awaitRegistration(deps: Deps, registration: Registration): Promise<NewApp> {
  const giveUpAt = deps.clock.elapsed() + registration.lifetimeMs
  const poll = pollRegistration(deps, registration)
  let { intervalMs } = registration
  for (;;) {
    await deps.clock.sleep(intervalMs, deps.closing)
    deps.closing.throwIfAborted()
    // What is asked for after the end is answered too: a person may approve at the last moment.
    const late = deps.clock.elapsed() > giveUpAt
    const result = await poll()
    if (result.kind === 'app') return result.app
    if (result.kind === 'ended') throw result.error
    if (late) throw registrationExpired(endpointsOf('feishu', deps.config))
    intervalMs = result.intervalMs
  }
}
