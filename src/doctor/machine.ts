// What doctor looks at on this machine: the store, its key and lock, the port, the targets, the other copies.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { App } from '../app/app.ts'
import { callbackPort, readCallbackTls } from '../authorize/callback.ts'
import { DELIVERY_STATUS } from '../delivery/deliver.ts'
import type { Deps } from '../deps.ts'
import { CodedError, type ErrorCode } from '../errors.ts'
import { reserveFile, temporaryName } from '../machine/files.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'
import { moment } from '../moment.ts'
import { type Sentence, say, series } from '../sentence.ts'
import type { KeySource } from '../store/envelope.ts'
import type { LockHolder } from '../store/lock.ts'
import { type Checks, type Finding, fail, pass, type Runtime, skip, warn, withApp } from './check.ts'

/** As much as a refresh reserves: a disk that is nearly full shows now. */
const PROBE_BYTES = 32_768
/** A refresh of another copy ends within seconds; a lock that is held longer is worth a word. */
const LOCK_MS = 3_000
const HOUR_MS = 3_600_000
/** Time to make a new certificate before a login fails. */
const CERTIFICATE_WARN_MS = 14 * 24 * HOUR_MS
const OTHERS = 0o077
/** What keeps the store from being opened, but for its key, which has a check of its own. */
const STORE_PROBLEMS: readonly ErrorCode[] = [
  'store_unreadable',
  'store_not_writable',
  'config_invalid',
  'tls_error',
]

/** `app` is the profile's app, or why there is none. */
export function machineChecks(
  deps: Deps,
  app: App | CodedError,
  { profile, exposed, runtime }: { profile: string; exposed: string[]; runtime: Runtime },
): Checks {
  const holder = app instanceof CodedError ? null : waitingProcess(deps, app)
  return {
    store: () => store(deps, app, exposed),
    key: () => key(deps, app),
    lock: withApp(app, (app) => lock(deps, app)),
    redirect_port: async () => redirectPort(deps, app),
    targets: async () => {
      const finding =
        profile === deps.config.profile
          ? await withApp(app, (app) => targets(deps, app))()
          : skip(say`Targets belong to profile "${deps.config.profile}".`)
      return withKeptEdits(deps, runtime, finding)
    },
    copies: withApp(app, async (app) => copies(deps, app, await holder)),
  }
}

/** Whoever waits for the answer to the pending authorization; null: no one. */
async function waitingProcess(deps: Deps, app: App): Promise<LockHolder | null> {
  const held = await deps.store.holdAuthorization(app.id).catch(() => null)
  if (held?.kind !== 'held') return held
  held.release()
  return null
}

async function store(deps: Deps, app: App | CodedError, exposed: string[]): Promise<Finding> {
  const { folder, place } = deps.store.description
  const { tokenDir } = deps.config
  const isNew = app instanceof CodedError && app.code === 'not_configured' && !existsSync(tokenDir)
  if (folder && isNew) return skip(say`There is no store before the first use (${tokenDir}).`)
  const finding = folder && directory(tokenDir, folder, exposed)
  if (finding) return finding
  const problem = app instanceof CodedError ? app : await openingProblem(deps, app)
  if (problem && STORE_PROBLEMS.includes(problem.code)) return fail(problem.said, problem.step)
  const outage = deps.store.outage()
  if (outage) return fail(outage.said, outage.step)
  return pass(say`${place} can be read and written`)
}

/** What is wrong with the store's directory; null: nothing. */
function directory(tokenDir: string, folder: string, exposed: string[]): Finding | null {
  ensureOwnDirectory(tokenDir)
  ensureOwnDirectory(folder)
  const probe = join(folder, 'doctor')
  reserveFile(temporaryName(probe), probe, PROBE_BYTES).discard()
  if (exposed.length > 0)
    return warn(
      say`Others could read ${exposed.join(', ')}.`,
      say`Make them private: chmod -R go= ${tokenDir}`,
    )
  const aside = readdirSync(folder).filter((name) => name.includes('.corrupt-'))
  if (aside.length === 0) return null
  return warn(
    say`${aside.length} file(s) that could not be opened were kept aside in ${folder}: ${aside.join(', ')}.`,
    say`Remove them when you do not need them any more.`,
  )
}

/** What lies in the store's directory and is not its owner's alone. Opening a file fixes it, so this comes first. */
export function exposedPaths(deps: Deps, { platform }: Runtime): string[] {
  if (platform === 'win32' || deps.store.description.folder === null) return []
  const folders = ['', 'store', 'key'].map((name) => join(deps.config.tokenDir, name))
  const paths = folders.flatMap((folder) => [folder, ...entries(folder).map((name) => join(folder, name))])
  return [...new Set(paths)].filter((path) => orNothing(() => (statSync(path).mode & OTHERS) !== 0, false))
}

function entries(folder: string): string[] {
  return orNothing(() => readdirSync(folder), [])
}

/** What cannot be looked at here is told by whoever needs it. */
function orNothing<T>(look: () => T, nothing: T): T {
  try {
    return look()
  } catch {
    return nothing
  }
}

async function openingProblem(deps: Deps, app: App): Promise<CodedError | null> {
  try {
    await deps.store.readApps()
    await deps.store.read(app.id)
    return null
  } catch (error) {
    if (error instanceof CodedError) return error
    throw error
  }
}

const KEY_PLACES: Readonly<Record<KeySource, Sentence>> = {
  keychain: say`The key is in the operating system's keychain, and opens the store.`,
  file: say`The key is in a key file, and opens the store: anyone who can read your files can open it too.`,
  env: say`The key comes from FEISHU_TOKEN_KEY, and opens the store.`,
}

async function key(deps: Deps, app: App | CodedError): Promise<Finding> {
  const problem = app instanceof CodedError ? app : await openingProblem(deps, app)
  if (problem?.code === 'key_unavailable') return fail(problem.said, problem.step)
  if (app instanceof CodedError) return withApp(app, async () => skip(say``))()
  const source = deps.store.keySource(app.id)
  if (source === null)
    return skip(say`There is no key before the first use (setting: ${deps.config.keySource}).`)
  // A shared store takes no key from a keychain.
  const hint =
    source === 'file' && deps.store.description.keychain
      ? say`\`${deps.command} key --move-to keychain\` keeps it more safely.`
      : null
  return pass(KEY_PLACES[source], hint)
}

async function lock(deps: Deps, app: App): Promise<Finding> {
  const startedAt = deps.clock.elapsed()
  try {
    await deps.store.withLock(app.id, LOCK_MS, async () => undefined)
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'store_locked') throw error
    return warn(error.said, error.step)
  }
  return pass(say`taken and given back in ${Math.ceil(deps.clock.elapsed() - startedAt)} ms`)
}

async function redirectPort(deps: Deps, app: App | CodedError): Promise<Finding> {
  const { redirectUri, callbackListen: listen } = deps.config
  const now = deps.clock.now()
  const tls = readCallbackTls(deps.config, now)
  if (tls && tls.endsAt - now < CERTIFICATE_WARN_MS) {
    const message = say`The certificate for ${redirectUri} ends at ${moment(tls.endsAt, now)}.`
    return warn(message, say`Make a new one in time: FEISHU_TLS_CERT_FILE and FEISHU_TLS_KEY_FILE.`)
  }
  const port = await callbackPort(deps)
  if (port.kind === 'free')
    return pass(
      listen ? say`Port ${listen.port} on ${listen.host} is free.` : say`The port of ${redirectUri} is free.`,
    )
  const { said, step } = port.error
  if (port.kind === 'taken') return fail(said, step)
  if (app instanceof CodedError || port.owner.account !== app.key) return warn(said, step)
  return pass(say`Process ${port.owner.pid} listens there for the answer to the pending authorization.`)
}

async function targets(deps: Deps, app: App): Promise<Finding> {
  const { config } = deps
  if (config.deliverTo.length === 0) return skip(say`FEISHU_DELIVER_TO names no target.`)
  const { tokenSet } = await deps.store.read(app.id)
  if (!tokenSet?.accessToken) return skip(say`Not checked: there is no token to deliver.`)
  const { deliverCopies } = await import('../hand-over/deliver.ts')
  const deliveries = await deliverCopies(config, tokenSet, {
    now: deps.clock.now(),
    byHand: false,
    dryRun: true,
  })
  const wrong = deliveries.filter(({ status }) => !['delivered', 'unchanged'].includes(status))
  if (wrong.length === 0) return pass(say`${deliveries.map(({ target }) => target).join(', ')}`)
  const message = series(
    wrong.map(({ target, status, detail }) => say`${target}: ${DELIVERY_STATUS[status]}. ${detail}`),
    ' ',
  )
  const hint = say`See \`${deps.command} deliver --dry-run\`.`
  return wrong.every(({ status }) => status === 'drift') ? warn(message, hint) : fail(message, hint)
}

/** What a delivery or `setup` kept of a person's edits is told, whatever else there is to say of the targets. */
async function withKeptEdits({ config }: Deps, runtime: Runtime, finding: Finding): Promise<Finding> {
  const { findKeptEdits } = await import('../delivery/kept-edits.ts')
  const kept = findKeptEdits(config.deliverTo, runtime)
  if (kept.length === 0) return finding
  const told = say`Edits that came while their file was being written were kept beside it: ${kept.join(', ')}.`
  const hint = say`Copy what is missing from each into the file whose name it begins with, then delete it.`
  const isGood = finding.status === 'pass' || finding.status === 'skip'
  if (isGood) return warn(told, hint)
  return {
    ...finding,
    message: series([finding.message, told], ' '),
    hint: series([finding.hint ?? say``, hint], ' '),
  }
}

async function copies(deps: Deps, app: App, holder: LockHolder | null): Promise<Finding> {
  const unrecorded = deps.activity.problem()
  if (unrecorded)
    return warn(unrecorded, say`Make ${deps.config.tokenDir}/activity.jsonl a file of yours, or remove it.`)
  const calls = deps.activity.callsSince(app.key, deps.clock.now() - HOUR_MS)
  const pids = [...new Set(calls.map(({ pid }) => pid))]
  const notes = [
    holder && say`Process ${holder.pid} on ${holder.host} waits for the approval of an authorization.`,
    pids.length > 0 &&
      say`In the last hour Feishu was asked for this profile by ${pids.length === 1 ? say`process` : say`processes`} ${pids.join(', ')}.`,
  ].filter((note) => note !== null && note !== false)
  return pass(
    notes.length > 0
      ? series(notes, ' ')
      : say`No other copy asked Feishu for this profile in the last hour.`,
  )
}
