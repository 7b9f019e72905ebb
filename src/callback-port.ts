// All profiles share the callback port. Whoever opens it notes in a lock file which profile it waits for, so that the
// others can name it; the kernel frees the lock when that process is gone, so the note never outlives it.

import { join } from 'node:path'
import type { App } from './app.ts'
import type { Deps } from './deps.ts'
import { AuthError } from './errors.ts'
import { ensureOwnDirectory } from './files.ts'
import { portOf } from './loopback/admission.ts'
import { inspectPort, portHolders } from './loopback/port.ts'
import { acquireLock, type HeldLock, type LockHolder } from './store/lock.ts'

/** Whose authorization the listener on the callback port waits for. */
export type PortOwner = { account: string; profile: string; appId: string; pid: number }

export type PortState =
  | { kind: 'free' }
  | { kind: 'waiting'; owner: PortOwner; error: AuthError }
  | { kind: 'taken'; error: AuthError }

/** Who only looks holds the lock for an instant; its owner waits that long, and goes without a name otherwise. */
const CLAIM_MS = 200

/** Notes whose answer is waited for on the callback port, which must be open; null: somebody else is noted there. */
export async function claimPort(deps: Deps, app: App, redirectUri: string): Promise<HeldLock | null> {
  const lock = await lockPort(deps, portOfListener(deps, redirectUri), CLAIM_MS)
  if (lock?.kind !== 'held') return null
  const { profile, appId } = app.id
  lock.describe({ account: app.key, profile, appId })
  return lock
}

/** The error of a port that cannot be opened, with the name of whoever holds it, as far as that can be seen. */
export async function namePortOwner(deps: Deps, error: unknown, redirectUri: string): Promise<unknown> {
  if (!(error instanceof AuthError) || error.code !== 'callback_port_in_use') return error
  const port = portOfListener(deps, redirectUri)
  const owner = await portOwner(deps, port)
  return owner ? ownedError(error, owner) : takenError(error, port)
}

/** Whether the callback port could be opened, and who holds it if not. */
export async function callbackPort(deps: Deps): Promise<PortState> {
  const { redirectUri, callbackListen } = deps.config
  const problem = await inspectPort({ redirectUri, listen: callbackListen })
  if (!problem) return { kind: 'free' }
  const port = portOfListener(deps, redirectUri)
  const owner = await portOwner(deps, port)
  if (owner) return { kind: 'waiting', owner, error: ownedError(problem, owner) }
  return { kind: 'taken', error: takenError(problem, port) }
}

function ownedError(error: AuthError, { profile, appId, pid }: PortOwner): AuthError {
  const who = `process ${pid}, which waits for the approval of profile "${profile}" (app ${appId})`
  return new AuthError(error.code, `${error.message} It is held by ${who}.`, {
    nextStep:
      `Finish the authorization of profile "${profile}" first, or cancel it (start_authorization with profile ` +
      `"${profile}" and cancel true); then call start_authorization again.`,
    cause: error.cause,
  })
}

function takenError(error: AuthError, port: number): AuthError {
  const who = portHolders(port).map(({ pid, program }) => `process ${pid} (${program})`)
  if (who.length === 0) return error
  const { nextStep, cause } = error
  return new AuthError(error.code, `${error.message} It is held by ${who.join(', ')}.`, { nextStep, cause })
}

async function portOwner(deps: Deps, port: number): Promise<PortOwner | null> {
  // A folder that cannot be used is told by whoever needs it.
  const lock = await lockPort(deps, port, 0).catch(() => null)
  if (lock?.kind === 'held') lock.release()
  if (lock?.kind !== 'holder') return null
  const { account, profile, appId } = lock.note
  return { account: String(account), profile: String(profile), appId: String(appId), pid: lock.pid }
}

async function lockPort(deps: Deps, port: number, deadlineMs: number): Promise<HeldLock | LockHolder | null> {
  const { tokenDir } = deps.config
  ensureOwnDirectory(tokenDir)
  return acquireLock(join(tokenDir, `callback-${port}.lock`), deadlineMs, deps.clock.now)
}

function portOfListener({ config }: Deps, redirectUri: string): number {
  return config.callbackListen?.port ?? portOf(new URL(redirectUri))
}
