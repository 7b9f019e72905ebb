// One attempt at one target: read its file, find the place, write, and look whether it lasted.

import { lstatSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isMissing } from '../machine/files.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'
import { moment } from '../moment.ts'
import { type Sentence, say, series, typed } from '../sentence.ts'
import { seenInProfiles } from './client-profiles.ts'
import { formatCreation, formatDiff } from './diff.ts'
import { type Edit, isReference } from './edit.ts'
import { fingerprint, recall, remember } from './memory.ts'
import { applyAndConfirm, type Bounds, type Found, findPlace } from './place.ts'
import { createSharedFile, replaceSharedFile } from './replacement.ts'
import { holdsBytes } from './shared-file.ts'
import type { Target } from './targets.ts'
import type { TokenContent } from './token-fields.ts'
import { formatTokenJson } from './token-json.ts'

/** What became of an attempt; `again` when someone else seems to be writing at this moment. */
export type DeliveryOutcome = {
  status: 'delivered' | 'unchanged' | 'drift' | 'refused' | 'failed'
  detail: Sentence
  again?: true
}

export type DeliveryAttempt = {
  content: TokenContent
  /** Our own folder for fingerprints, within the folder that is ours alone. */
  memoryDir: string
  force: boolean
  dryRun: boolean
  bounds: Bounds
  /** How long a system that refuses the rename is asked again. */
  retryMs: number
}

/** What a bearer token consists of (RFC 6750 §2.1): none of it needs escaping in any of the formats. */
export const BEARER_TOKEN: RegExp = /^[A-Za-z0-9._~+/-]+=*$/
/** How often a place is looked at that someone else is writing to. */
const LOOKS = 4
/** A pause between looks, in which the other writer finishes: on a busy machine that takes tens of milliseconds. */
export const PAUSE_MS = 25

export const OVERWRITTEN: DeliveryOutcome = {
  status: 'failed',
  detail: say`The file was overwritten by the client, or by another program, at each attempt.`,
  again: true,
}

export function outcome(status: DeliveryOutcome['status'], detail: Sentence): DeliveryOutcome {
  return { status, detail }
}

/** The file behind a target, symbolic links followed; null where none of its paths exists. */
export function resolvePath(target: Target): string | null {
  for (const path of target.paths) {
    try {
      return realpathSync(path)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return null
}

/** The settings are judged by their text; here links are followed too. */
function refuseOwn(path: string, memoryDir: string): DeliveryOutcome | null {
  let folder: string
  try {
    folder = realpathSync(dirname(memoryDir))
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  const way = relative(folder, path)
  const isOwn = !isAbsolute(way) && way !== '..' && !way.startsWith(`..${sep}`)
  return isOwn
    ? outcome('refused', say`${path}: it is in FEISHU_TOKEN_DIR, which is only for this program.`)
    : null
}

function warnings({ edit, file }: Found): Sentence[] {
  const found: Sentence[] = []
  if (edit.inArgv) {
    found.push(
      say`Warning: a token in the arguments can be read by other users of this machine (ps); env.USER_ACCESS_TOKEN is safer.`,
    )
  }
  if (file.links > 1)
    found.push(say`Warning: the file had a second name (hard link), which keeps the old content.`)
  return found
}

/** Whether the place holds the token still; a file that is just being written again is looked at again. */
async function survived(
  target: Target,
  path: string,
  written: Buffer,
  run: DeliveryAttempt,
): Promise<boolean> {
  if (holdsBytes(path, written)) return true
  for (let looks = 0; looks < LOOKS; looks++) {
    if (looks > 0) await pause(PAUSE_MS)
    const found = await findPlace(target, path, run.content, run.bounds)
    if ('edit' in found) return found.edit.value === run.content.accessToken
    if (!('broken' in found && found.broken)) return false
  }
  return false
}

/** Writes the edit, unless someone else writes at the same time. */
async function write(
  target: Target,
  found: Found,
  text: string,
  run: DeliveryAttempt,
): Promise<DeliveryOutcome> {
  const { path, file, edit } = found
  const { memoryDir, retryMs } = run
  const { accessToken, accessTokenExpiresAt, now } = run.content
  ensureOwnDirectory(memoryDir)
  // Before the write, so that a crash cannot make our own token look like a person's change; but a first delivery is
  // remembered only when it has lasted, or else what stood there before would look like one.
  const isFirst = recall(memoryDir, path, edit.place) === null
  if (!isFirst) remember(memoryDir, path, edit.place, accessToken)
  const next = Buffer.from(found.mark + text)
  if (!(await replaceSharedFile(path, file.bytes, next, { retryMs }))) return OVERWRITTEN
  if (!(await survived(target, path, next, run))) return OVERWRITTEN
  if (isFirst) remember(memoryDir, path, edit.place, accessToken)
  const until = moment(accessTokenExpiresAt, now)
  const wrote = say`${path}: wrote ${placeIn(target, edit)}; this copy is good until ${until}.`
  if (file.mode === null || (file.mode & 0o077) === 0) return outcome('delivered', wrote)
  const mode = say`Its mode was ${file.mode.toString(8)} and is 600 now.`
  return outcome('delivered', say`${wrote} ${mode}`)
}

/** Why a whole file is not taken for the token's own, before we have ever written to it. */
function refuseWhole(value: string): Sentence | null {
  if (isReference(value)) return say`it holds a reference, which is never overwritten with a token`
  if (value === '' || BEARER_TOKEN.test(value)) return null
  return say`it holds something other than a token: delete it, or name another file`
}

/** The place as people know it: a whole file has no name for it. */
function placeIn({ format }: Target, { place }: Edit): Sentence | string {
  return format === 'file' ? say`the token` : place
}

/** An attempt at a file that exists. */
export async function attempt(target: Target, path: string, run: DeliveryAttempt): Promise<DeliveryOutcome> {
  const { memoryDir, force, dryRun, bounds, content } = run
  const own = refuseOwn(path, memoryDir)
  if (own) return own
  const found = await findPlace(target, path, content, bounds)
  if ('status' in found) return outcome(found.status, say`${path}: ${found.detail}.`)
  if ('broken' in found) {
    const refusal = outcome('refused', withProfiles(say`${path}: ${found.refused}.`, target, path))
    // A file that does not parse may be half written.
    return found.broken ? { ...refusal, again: true } : refusal
  }
  const { edit } = found
  const place = placeIn(target, edit)
  if (edit.value === content.accessToken) {
    return outcome('unchanged', say`${path}: ${place} is up to date.`)
  }
  const known = recall(memoryDir, path, edit.place)
  if (known && !known.includes(fingerprint(edit.value)) && !force) {
    const advice = say`it was left alone; ${typed('deliver --force')} replaces it`
    return outcome('drift', say`${path}: ${place} was changed since our last delivery; ${advice}.`)
  }
  const foreign = !known && target.format === 'file' ? refuseWhole(edit.value) : null
  if (foreign) return outcome('refused', say`${path}: ${foreign}.`)
  const text = await applyAndConfirm(target, found, content, bounds)
  if (text === null) return outcome('refused', say`${path}: the edit could not be confirmed.`)
  const result = dryRun
    ? outcome('delivered', say`${await dryRunOf(found, target, content)}`)
    : await write(target, found, text, run)
  if (result.status !== 'delivered') return result
  return outcome('delivered', series([result.detail, ...warnings(found)], dryRun ? '\n' : ' '))
}

function dryRunOf({ path, text, edit }: Found, { format }: Target, content: TokenContent): Promise<string> {
  return formatDiff({ path, text, edit, format }, content.accessToken)
}

function isDangling(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}

/** A sentence, and where the client keeps other profiles. */
function withProfiles(sentence: Sentence, target: Target, path: string): Sentence {
  const seen = seenInProfiles(target, path)
  return seen ? say`${sentence} ${seen}` : sentence
}

/** A missing file: only those that are the token's own are created. */
export async function create(target: Target, run: DeliveryAttempt): Promise<DeliveryOutcome> {
  const { memoryDir, content } = run
  const [wanted = ''] = target.paths
  const missing = withProfiles(
    say`${target.paths.join(', ')}: no such file; nothing is created.`,
    target,
    wanted,
  )
  if (target.paths.some(isDangling))
    return outcome('refused', say`${wanted}: the symbolic link leads nowhere.`)
  if (target.format !== 'token-json' && target.format !== 'file') return outcome('refused', missing)
  const path = join(realpathSync(dirname(wanted)), basename(wanted))
  const own = refuseOwn(path, memoryDir)
  if (own) return own
  const { accessToken, accessTokenExpiresAt, now } = content
  const isJson = target.format === 'token-json'
  const text = isJson ? formatTokenJson(content) : `${accessToken}\n`
  if (run.dryRun) return outcome('delivered', say`${await formatCreation(path, text, accessToken)}`)
  ensureOwnDirectory(memoryDir)
  if (!(await createSharedFile(path, Buffer.from(text)))) return OVERWRITTEN
  remember(memoryDir, path, isJson ? 'access_token' : 'the token', accessToken)
  const until = moment(accessTokenExpiresAt, now)
  return outcome('delivered', say`${path}: created; this copy is good until ${until}.`)
}
