// Writes the access token to where other programs read it. Never the refresh token; never a byte beside the value.

import { lstatSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { CodedError, errnoOf } from '../errors.ts'
import { ensureOwnDirectory, isMissing } from '../machine/files.ts'
import { formatCreation, formatDiff } from './diff.ts'
import { warnOfGit } from './git-exposure.ts'
import { backUp, fingerprint, recall, remember } from './memory.ts'
import { applyAndConfirm, type Found, findPlace } from './place.ts'
import { createSharedFile, replaceSharedFile } from './shared-file.ts'
import type { Target } from './targets.ts'
import { formatTokenJson, type TokenContent } from './token-json.ts'

/** What became of one target; `restart_hint` says how a running consumer comes to see the new value. */
export type Delivery = {
  target: string
  status: 'delivered' | 'unchanged' | 'drift' | 'refused' | 'failed'
  detail: string
  restart_required: boolean
  restart_hint: string | null
}

/** What is handed on: no refresh token has a place here. */
export type DeliverableToken = Omit<TokenContent, 'now'>

export type DeliveryOptions = {
  /** Our own folder for fingerprints and backups; made 0700 when it is first needed. */
  memoryDir: string
  now: number
  /** `deliver` was called by a person: a value that somebody changed is replaced too. */
  byHand: boolean
  /** Says what would be done, with the token masked, and writes nothing. */
  dryRun: boolean
  /** No attempt begins after this instant. */
  deadlineAt?: number
  /** Further secrets of ours (the app's) that must not get into a backup. */
  secrets?: readonly string[]
}

/** What became of an attempt; `again` when somebody else seems to be writing at this moment. */
type Outcome = Pick<Delivery, 'status' | 'detail'> & { again?: true }

type Run = { content: TokenContent; options: DeliveryOptions; giveUpAt: number }

/** What a bearer token consists of (RFC 6750 §2.1): none of it needs escaping in any of the formats. */
const BEARER_TOKEN = /^[A-Za-z0-9._~+/-]+=*$/
/** How often a file is tried that somebody else is writing to; one retry is the rule, the others are for herds. */
const ATTEMPTS = 4
/** A pause between attempts, in which the other writer finishes: on a busy machine that takes tens of milliseconds. */
const PAUSE_MS = 25

const OVERWRITTEN: Outcome = {
  status: 'failed',
  detail: 'The file was overwritten by the client, or by another program, at each attempt.',
  again: true,
}

function outcome(status: Outcome['status'], detail: string): Outcome {
  return { status, detail }
}

function describe(error: unknown): string {
  if (error instanceof CodedError) return error.message
  const errno = errnoOf(error)
  const { message } = error as Error
  // Errors without a number are ours or a defect; neither quotes a file's contents.
  return errno && !message.startsWith(errno) ? `${errno}: ${message}` : message
}

/** The file behind a target, symbolic links followed; null where none of its paths exists. */
function resolvePath(target: Target): string | null {
  for (const path of target.paths) {
    try {
      return realpathSync(path)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return null
}

function warnings({ edit, file }: Found): string[] {
  const list: string[] = []
  if (edit.inArgv) {
    list.push(
      'Warning: a token in the arguments can be read by other users of this machine (ps); env.USER_ACCESS_TOKEN is safer.',
    )
  }
  if (file.links > 1)
    list.push('Warning: the file had a second name (hard link), which keeps the old content.')
  return list
}

/** Whether the place holds the token still; a file that is just being written anew is looked at again. */
async function survived(target: Target, path: string, content: TokenContent): Promise<boolean> {
  for (let looks = 0; looks < ATTEMPTS; looks++) {
    if (looks > 0) await pause(PAUSE_MS)
    const found = await findPlace(target, path, content)
    if ('edit' in found) return found.edit.value === content.accessToken
    if (!('broken' in found && found.broken)) return false
  }
  return false
}

/** Writes the edit, unless somebody else writes at the same time. */
async function write(target: Target, found: Found, text: string, run: Run): Promise<Outcome> {
  const { path, file, edit } = found
  const { memoryDir, now, secrets = [] } = run.options
  const { accessToken, accessTokenExpiresAt } = run.content
  backUp(memoryDir, { path, text: found.text, edit }, { now, secrets: [accessToken, ...secrets] })
  // Before the write, so that a crash cannot make our own token look like a person's change; but a first delivery is
  // remembered only when it has lasted, or else what stood there before would look like one.
  const isFirst = recall(memoryDir, path, edit.place) === null
  if (!isFirst) remember(memoryDir, path, edit.place, accessToken)
  if (!(await replaceSharedFile(path, file.bytes, Buffer.from(found.mark + text)))) return OVERWRITTEN
  if (!(await survived(target, path, run.content))) return OVERWRITTEN
  if (isFirst) remember(memoryDir, path, edit.place, accessToken)
  const until = new Date(accessTokenExpiresAt).toISOString()
  const mode = file.mode & 0o077 ? ` Its mode was ${file.mode.toString(8)} and is 600 now.` : ''
  return outcome('delivered', `${path}: wrote ${edit.place}; this copy is good until ${until}.${mode}`)
}

async function attempt(target: Target, path: string, run: Run): Promise<Outcome> {
  const found = await findPlace(target, path, run.content)
  if ('status' in found) return outcome(found.status, `${path}: ${found.detail}.`)
  if ('broken' in found) {
    const refusal = outcome('refused', `${path}: ${found.refused}.`)
    // A file that does not parse may be half written.
    return found.broken ? { ...refusal, again: true } : refusal
  }
  const { edit } = found
  const { memoryDir, byHand, dryRun } = run.options
  if (edit.value === run.content.accessToken) {
    return outcome('unchanged', `${path}: ${edit.place} holds this token already.`)
  }
  const known = recall(memoryDir, path, edit.place)
  if (known && !known.includes(fingerprint(edit.value)) && !byHand) {
    const advice = 'it was left alone; `deliver` called by hand replaces it'
    return outcome('drift', `${path}: ${edit.place} was changed since our last delivery; ${advice}.`)
  }
  const text = await applyAndConfirm(target, found, run.content)
  if (text === null) return outcome('refused', `${path}: the edit could not be confirmed.`)
  const result = dryRun
    ? outcome('delivered', formatDiff(path, found.text, edit))
    : await write(target, found, text, run)
  if (result.status !== 'delivered') return result
  return outcome('delivered', [result.detail, ...warnings(found)].join(dryRun ? '\n' : ' '))
}

function isDangling(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}

/** A missing file: only a `token-json` is created. */
async function create(target: Target, { options, content }: Run): Promise<Outcome> {
  const [wanted = ''] = target.paths
  const missing = `${target.paths.join(', ')}: no such file; nothing is created.`
  if (target.paths.some(isDangling)) return outcome('refused', `${wanted}: the symbolic link leads nowhere.`)
  if (target.format !== 'token-json') return outcome('refused', missing)
  const path = join(realpathSync(dirname(wanted)), basename(wanted))
  const { accessToken, accessTokenExpiresAt } = content
  const text = formatTokenJson(content)
  if (options.dryRun) return outcome('delivered', formatCreation(path, text, accessToken))
  ensureOwnDirectory(options.memoryDir)
  if (!(await createSharedFile(path, Buffer.from(text)))) return OVERWRITTEN
  remember(options.memoryDir, path, 'access_token', accessToken)
  const until = new Date(accessTokenExpiresAt).toISOString()
  return outcome('delivered', `${path}: created; this copy is good until ${until}.`)
}

async function deliverTo(target: Target, run: Run): Promise<Outcome> {
  if (!BEARER_TOKEN.test(run.content.accessToken)) {
    return outcome('failed', 'The access token has characters that no bearer token has; it was not written.')
  }
  let result = OVERWRITTEN
  for (let tries = 0; tries < ATTEMPTS && result.again; tries++) {
    if (tries > 0) await pause(PAUSE_MS * tries)
    if (performance.now() > run.giveUpAt) {
      return outcome('failed', 'There was no time left for it; the next delivery tries again.')
    }
    const path = resolvePath(target)
    result = path === null ? await create(target, run) : await attempt(target, path, run)
  }
  if (result.status !== 'delivered' && result.status !== 'unchanged') return result
  const warning = await warnOfGit(resolvePath(target) ?? target.paths[0] ?? '')
  if (!warning) return result
  return outcome(result.status, `${result.detail}${run.options.dryRun ? '\n' : ' '}${warning}`)
}

/**
 * Delivers the token to each target in turn. Never throws for a target's failure: what happened to it is in its
 * result.
 */
export async function deliverToken(
  targets: readonly Target[],
  token: DeliverableToken,
  options: DeliveryOptions,
): Promise<Delivery[]> {
  // Our own clock may be set while we work; the time left is measured by one that only goes on.
  const timeLeftMs = (options.deadlineAt ?? Number.POSITIVE_INFINITY) - options.now
  const content: TokenContent = { ...token, now: options.now }
  const run: Run = { content, options, giveUpAt: performance.now() + timeLeftMs }
  const deliveries: Delivery[] = []
  for (const target of targets) {
    const { status, detail } = await deliverTo(target, run).catch((error: unknown) =>
      outcome('failed', describe(error)),
    )
    const restart = status === 'delivered' ? target.restart : { required: false, hint: null }
    const { required: restart_required, hint: restart_hint } = restart
    deliveries.push({ target: target.name, status, detail, restart_required, restart_hint })
  }
  return deliveries
}
