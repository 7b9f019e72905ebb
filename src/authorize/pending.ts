// What is told of the pending authorization, or of the last one.

import { type App, resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { endpointsOf } from '../oauth/feishu.ts'
import {
  type Authorization,
  type AuthorizationStatus,
  authorizationStatus,
  decodePending,
  type Failure,
} from '../oauth/pending-authorization.ts'
import type { TokenRecord } from '../oauth/token-set.ts'
import { Secret } from '../secret.ts'

/** No app of Feishu's has this id: theirs begin with `cli_`. */
const TO_COME = 'app-to-come'

/** Stands for the app of a profile that has none yet; people of both brands begin on Feishu's host. */
export function appToCome(deps: Deps, profile: string): App {
  return {
    id: { brand: 'feishu', appId: TO_COME, profile },
    key: `feishu-${TO_COME}-${profile}`,
    client: { appId: '', appSecret: new Secret('') },
    endpoints: endpointsOf('feishu', deps.config),
  }
}

/** Whether it only stands for an app that is to be created. */
export function isToCome(app: App): boolean {
  return app.id.appId === TO_COME
}

/** Short enough that the end of an authorization is told at once. */
const POLL_MS = 150

/** Waits until a pending authorization has come to its next step or its end, whichever process holds it. */
export async function waitForStep(deps: Deps, profile: string, waitMs: number): Promise<Authorization> {
  const first = await readProfile(deps, profile)
  const giveUpAt = deps.clock.elapsed() + waitMs
  for (let last = first; ; last = await readProfile(deps, profile)) {
    const isSame = last.told.status === 'pending' && last.pending?.step === first.pending?.step
    if (!isSame || deps.closing.aborted || deps.clock.elapsed() >= giveUpAt) return last
    await deps.clock.sleep(POLL_MS, deps.closing)
  }
}

/** Waits for the end of a profile's pending authorization, however long a person takes. */
export async function authorizationEnd(
  deps: Deps,
  profile: string,
): Promise<{ status: AuthorizationStatus; failure: Failure | null }> {
  for (;;) {
    const { told } = await waitForStep(deps, profile, Number.POSITIVE_INFINITY)
    if (told.status !== 'pending' || deps.closing.aborted) return told
  }
}

/** The same as below, for a profile whose app may be to come. */
async function readProfile(deps: Deps, profile: string): Promise<Authorization> {
  const app = await resolveApp(deps, profile).catch((error: unknown) => {
    if (error instanceof CodedError && error.code === 'not_configured') return null
    throw error
  })
  if (!app) return readCreation(deps, profile)
  return readAuthorization(deps, app, await deps.store.read(app.id).catch(() => null))
}

/** Reads it; how it ended is told for ten minutes. */
export async function readAuthorization(
  deps: Deps,
  app: App,
  record: TokenRecord | null,
): Promise<Authorization> {
  // Read first: it ends when the authorization of the new app has begun. An app of the settings was not created here.
  const creation = deps.config.app ? null : await readCreation(deps, app.id.profile)
  const pending = decodePending(await deps.store.readPending(app.id).catch(() => null))
  const { status, outcome } = authorizationStatus(pending, record?.tokenSet ?? null, deps.clock.now())
  if (status !== 'pending' && creation?.told.status === 'pending') return creation
  return { pending, told: { status, failure: outcome?.failure ?? null } }
}

/** What is told of the creation of a profile's app; that it has succeeded shows in what follows it. */
export async function readCreation(deps: Deps, profile: string): Promise<Authorization> {
  const { id } = appToCome(deps, profile)
  const pending = decodePending(await deps.store.readPending(id).catch(() => null))
  const { status, outcome } = authorizationStatus(pending, null, deps.clock.now())
  if (status === 'succeeded') return { pending: null, told: { status: 'none', failure: null } }
  return { pending, told: { status, failure: outcome?.failure ?? null } }
}
