import type { Brand } from './config.ts'
import type { Deps } from './deps.ts'
import { AuthError } from './errors.ts'
import { logIdOf } from './oauth/answer.ts'
import { type Endpoints, endpointsOf } from './oauth/feishu.ts'
import {
  beginRegistrationRequest,
  pollRegistrationRequest,
  processRegistration,
  processRegistrationPoll,
  type Registration,
  registrationExpired,
} from './oauth/registration.ts'
import type { HttpAnswer, HttpRequest } from './oauth/token-endpoint.ts'
import type { Secret } from './secret.ts'

export type NewApp = { brand: Brand; appId: string; appSecret: Secret; endpoints: Endpoints }

/** Feishu's own hosts answer in well under a second. */
const CHECK_MS = 8_000

/** 10003, 10014: unknown app id, wrong secret (tenant_access_token/internal); 20002, 20048: the token endpoint's. */
const WRONG = [10003, 10014, 20002, 20048]

/** What an answer says about the credentials; null: nothing. */
function verdictOf(answer: HttpAnswer): boolean | null {
  if (answer.kind === 'failure') return null
  try {
    const json = JSON.parse(answer.body.toString('utf8'))
    if (WRONG.includes(Number(json.code)) || json.error === 'invalid_client') return false
    if (json.code === 0 && typeof json.tenant_access_token === 'string') return true
    return typeof json.device_code === 'string' ? true : null
  } catch {
    return null
  }
}

/** The requests that tell, the surest first: a tenant token, then an authorization request that nobody will answer. */
function probes({ appId, appSecret, endpoints }: NewApp): HttpRequest[] {
  const secret = appSecret.reveal()
  const account = { key: `${appId} setup`, forced: false }
  const post = { method: 'POST', deadlineMs: CHECK_MS, account } as const
  return [
    {
      ...post,
      url: `${endpoints.open}/open-apis/auth/v3/tenant_access_token/internal`,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify({ app_id: appId, app_secret: secret }),
    },
    {
      ...post,
      url: endpoints.deviceAuthorization,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(`${appId}:${secret}`).toString('base64')}`,
      },
      body: new URLSearchParams({ client_id: appId, scope: 'auth:user.id:read' }).toString(),
    },
  ]
}

/**
 * Asks Feishu whether credentials are right.
 *
 * @returns true when they are, null when Feishu gave no clear answer
 * @throws AuthError `invalid_client`, or why Feishu could not be asked
 */
export async function checkCredentials(deps: Deps, app: NewApp): Promise<true | null> {
  for (const probe of probes(app)) {
    const answer = await deps.request(probe)
    if (answer.kind === 'failure') throw answer.error
    const verdict = verdictOf(answer)
    if (verdict === true) return true
    if (verdict === false) {
      throw new AuthError(
        'invalid_client',
        `Feishu does not accept the App Secret of ${app.appId}; nothing was kept.`,
        {
          nextStep: `Copy App ID and App Secret again from ${app.endpoints.open}/app/${app.appId}/baseinfo.`,
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
 * Asks Feishu for a link with which a person has an app created, with the scopes of the settings.
 *
 * @throws AuthError why there is none; its next step is the developer console
 */
export async function beginRegistration(deps: Deps): Promise<Registration> {
  const endpoints = endpointsOf('feishu', deps.config)
  const answer = await deps.request(beginRegistrationRequest(endpoints, REGISTRATION))
  return processRegistration(answer, endpoints, deps.config.scopes)
}

/** Waits in real time. */
export function pause(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms))
}

/**
 * Waits until the person has had the app created.
 *
 * @throws AuthError `access_denied`, `authorization_expired`, or what Feishu refused
 */
export async function awaitRegistration(
  deps: Deps,
  registration: Registration,
  wait: (ms: number) => Promise<void> = pause,
): Promise<NewApp> {
  const giveUpAt = deps.clock.elapsed() + registration.lifetimeMs
  let endpoints = endpointsOf('feishu', deps.config)
  let { intervalMs } = registration
  for (;;) {
    await wait(intervalMs)
    // What is asked for after the end is answered too: a person may approve at the last moment.
    const late = deps.clock.elapsed() > giveUpAt
    const answer = await deps.request(
      pollRegistrationRequest(endpoints, registration.deviceCode, REGISTRATION),
    )
    const result = processRegistrationPoll(answer, intervalMs, endpoints)
    if (result.kind === 'app') {
      return { brand: result.brand, ...result.client, endpoints: endpointsOf(result.brand, deps.config) }
    }
    if (result.kind === 'ended') throw result.error
    if (late) throw registrationExpired(endpoints)
    if (result.kind === 'lark') endpoints = endpointsOf('lark', deps.config)
    else intervalMs = result.intervalMs
  }
}
