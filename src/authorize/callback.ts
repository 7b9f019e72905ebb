// All profiles share the callback port. Whoever opens it notes in a lock file which profile it waits for, so that the
// others can name it; the kernel frees the lock when that process is gone, so the note never outlives it.

import { join } from 'node:path'
import { type App, resolveApp } from '../app/app.ts'
import type { Config } from '../config/config.ts'
import type { Deps } from '../deps.ts'
import { CodedError, errnoOf } from '../errors.ts'
import { checkCertificate, type Tls } from '../loopback/certificate.ts'
import { inspectPort, portHolders } from '../loopback/port.ts'
import { portOf } from '../machine/address.ts'
import { readForeignFile } from '../machine/foreign-file.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'
import { call, type Sentence, say, series, terminalsOnly, toolsOnly } from '../sentence.ts'
import { acquireLock, type HeldLock, type LockHolder } from '../store/lock.ts'

/** Whose authorization the listener on the callback port waits for. */
export type PortOwner = { account: string; profile: string; appId: string; pid: number }

export type PortState =
  | { kind: 'free' }
  | { kind: 'waiting'; owner: PortOwner; error: CodedError }
  | { kind: 'taken'; error: CodedError }

/** Who only looks holds the lock for an instant; its owner waits that long, and goes without a name otherwise. */
const CLAIM_MS = 200

/** Notes whose answer is waited for on the callback port, which must be open; null: someone else is noted there. */
export async function claimPort(deps: Deps, app: App, redirectUri: string): Promise<HeldLock | null> {
  const lock = await lockPort(deps, portOfListener(deps, redirectUri), CLAIM_MS)
  if (lock?.kind !== 'held') return null
  const { profile, appId } = app.id
  lock.describe({ account: app.key, profile, appId })
  return lock
}

/** The error of a port that cannot be opened, with the name of whoever holds it, as far as that can be seen. */
export async function namePortOwner(deps: Deps, error: unknown, redirectUri: string): Promise<unknown> {
  if (!(error instanceof CodedError) || error.code !== 'callback_port_in_use') return error
  const port = portOfListener(deps, redirectUri)
  const owner = await portOwner(deps, port)
  return owner ? ownedError(deps, error, owner) : takenError(error, port)
}

/** Whether the callback port could be opened, and who holds it if not. */
export async function callbackPort(deps: Deps): Promise<PortState> {
  const { redirectUri, callbackListen } = deps.config
  const problem = await inspectPort({ redirectUri, listen: callbackListen })
  if (!problem) return { kind: 'free' }
  const port = portOfListener(deps, redirectUri)
  const owner = await portOwner(deps, port)
  if (owner) return { kind: 'waiting', owner, error: await ownedError(deps, problem, owner) }
  return { kind: 'taken', error: takenError(problem, port) }
}

/** How an authorization is cancelled. */
function cancelWays(profile: string): Sentence {
  const byTool = toolsOnly(say` (start_authorization with profile "${profile}" and cancel true)`)
  return say`${byTool}${terminalsOnly(say` where it was begun`)}`
}

async function ownedError(deps: Deps, error: CodedError, owner: PortOwner): Promise<CodedError> {
  const { account, profile, appId, pid } = owner
  const who = say`process ${pid}, which waits for the approval of profile "${profile}" (app ${appId})`
  const app = await resolveApp(deps, profile).catch(() => null)
  // With other settings the same profile is another one: from here its authorization is neither seen nor cancelled.
  const first =
    app?.key === account
      ? say`Finish the authorization of profile "${profile}" first, or cancel it${cancelWays(profile)}`
      : say`Finish or cancel that authorization where it was begun, or wait until it ends, ten minutes at most`
  return new CodedError(error.code, say`${error.said} It is held by ${who}.`, {
    nextStep: say`${first}; then ${call('start_authorization')} again.`,
    cause: error.cause,
  })
}

function takenError(error: CodedError, port: number): CodedError {
  const who = portHolders(port).map(({ pid, program }) => say`process ${pid} (${program})`)
  if (who.length === 0) return error
  const { step: nextStep, cause } = error
  return new CodedError(error.code, say`${error.said} It is held by ${series(who, ', ')}.`, {
    nextStep,
    cause,
  })
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

/** A certificate with a long chain has some 20 KB. */
const MAX_PEM_BYTES = 262_144

export type CallbackTls = Tls & { endsAt: number }

/**
 * The listener's certificate and key; null: it speaks plain http.
 *
 * @throws CodedError `config_invalid`, with the setting to fix
 */
export function readCallbackTls(config: Config, now: number): CallbackTls | null {
  if (!config.tlsFiles) return null
  const tls = {
    cert: readPem('FEISHU_TLS_CERT_FILE', config.tlsFiles.cert),
    key: readPem('FEISHU_TLS_KEY_FILE', config.tlsFiles.key),
  }
  const host = config.callbackListen ? null : new URL(config.redirectUri).hostname
  return { ...tls, endsAt: checkCertificate(tls, host, now) }
}

function readPem(setting: string, path: string): Buffer {
  try {
    return Buffer.from(readForeignFile(path, MAX_PEM_BYTES))
  } catch (error) {
    const why = errnoOf(error)
    throw new CodedError(
      'config_invalid',
      say`${setting} (${path}) cannot be read${why ? say` (${why})` : ''}.`,
      {
        nextStep: say`Set ${setting} to a file in PEM form that this program can read.`,
        cause: error,
      },
    )
  }
}
