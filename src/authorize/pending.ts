// What is told of the pending authorization, or of the last one.

import { type App, resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import {
  type Authorization,
  type AuthorizationStatus,
  authorizationStatus,
  decodePending,
  type Failure,
} from '../oauth/pending-authorization.ts'
import type { TokenRecord } from '../oauth/token-set.ts'
import { call, say } from '../sentence.ts'
import { pageErrorsText } from './page-errors.ts'

/** Short enough that the end of an authorization is told at once. */
const POLL_MS = 150

/** Waits until a pending authorization ends, whichever process holds it. */
export async function waitForEnd(deps: Deps, app: App, waitMs: number): Promise<void> {
  const giveUpAt = deps.clock.elapsed() + waitMs
  for (;;) {
    const record = await deps.store.read(app.id).catch(() => null)
    const { told } = await readAuthorization(deps, app, record)
    if (told.status !== 'pending' || deps.closing.aborted || deps.clock.elapsed() >= giveUpAt) return
    await deps.clock.sleep(POLL_MS, deps.closing)
  }
}

/** Waits for the end of a profile's pending authorization, however long a person takes. */
export async function authorizationEnd(
  deps: Deps,
  profile: string,
): Promise<{ status: AuthorizationStatus; failure: Failure | null }> {
  const app = await resolveApp(deps, profile)
  await waitForEnd(deps, app, Number.POSITIVE_INFINITY)
  const { told } = await readAuthorization(deps, app, await deps.store.read(app.id).catch(() => null))
  return { status: told.status, failure: told.failure }
}

/** Reads it; how it ended is told for ten minutes. */
export async function readAuthorization(
  deps: Deps,
  app: App,
  record: TokenRecord | null,
): Promise<Authorization> {
  const pending = decodePending(await deps.store.readPending(app.id).catch(() => null))
  const { status, outcome } = authorizationStatus(pending, record?.tokenSet ?? null, deps.clock.now())
  const failure = outcome?.failure ?? null
  if (status !== 'expired' || !pending || !failure) return { pending, told: { status, failure } }
  // Feishu shows some errors on its own page alone: then nobody answers.
  const clue = pageErrorsText(app, pending.scopes, pending.redirectUri)
  const nextStep = say`${call('start_authorization')} for a new link; ${clue}.`
  return { pending, told: { status, failure: { ...failure, nextStep } } }
}
