// Writes the access token to where other programs read it. Never the refresh token; never a byte beside the value.
//
// A delivery after a refresh holds the profile's lock, so all of it together has a deadline. Each target may ask again
// until its share of the time is used up, and what there was no time for comes first in the next run.

import { setTimeout as pause } from 'node:timers/promises'
import { CodedError, errnoOf } from '../errors.ts'
import { type Sentence, say, series } from '../sentence.ts'
import {
  attempt,
  BEARER_TOKEN,
  create,
  type DeliveryAttempt,
  type DeliveryOutcome,
  OVERWRITTEN,
  outcome,
  PAUSE_MS,
  resolvePath,
} from './attempt.ts'
import { removeUnmaskedBackups } from './backup.ts'
import { TIME_UP } from './edit.ts'
import { warnOfGit } from './git-exposure.ts'
import { recallTurn, rememberTurn } from './memory.ts'
import { MAX_BYTES } from './shared-file.ts'
import type { Target } from './targets.ts'
import type { TokenContent } from './token-fields.ts'

/** What became of one target; `restart_hint` says how a running consumer comes to see the new value. */
export type Delivery = {
  target: string
  status: DeliveryOutcome['status']
  detail: Sentence
  restart_required: boolean
  restart_hint: Sentence | null
}

/** What became of a target, in words. */
export const DELIVERY_STATUS: Readonly<Record<Delivery['status'], Sentence>> = {
  delivered: say`delivered`,
  unchanged: say`unchanged`,
  drift: say`drift`,
  refused: say`refused`,
  failed: say`failed`,
}

/** What is handed on: no refresh token has a place here. */
export type DeliverableToken = Omit<TokenContent, 'now'>

export type DeliveryOptions = {
  /** Our own folder for fingerprints, in the folder that is ours alone; made 0700 when it is first needed. */
  memoryDir: string
  now: number
  /** A value that someone changed is replaced too: a person has said so. */
  force: boolean
  /** Says what would be done, with the token masked, and writes nothing. */
  dryRun: boolean
  /** No attempt begins after this instant. */
  deadlineAt?: number
}

/** How often a file is tried that someone else is writing to; one retry is the rule, the others are for herds. */
const ATTEMPTS = 4
/** What a virus scanner that holds a file open takes at most. */
const RETRY_MS = 2_000
/** The largest file under a deadline: one value that fills it is read in 1.3 s, a usual config of this size in 0.2 s. */
const MAX_BYTES_IN_HASTE = 16 * 1024 * 1024

const NO_TIME = outcome('failed', say`There was no time left for it; the next delivery tries again.`)

function failure(error: unknown): DeliveryOutcome {
  if (error === TIME_UP) return NO_TIME
  if (error instanceof CodedError) return outcome('failed', error.said)
  const { message } = error as Error
  const errno = errnoOf(error)
  // Errors without a number are ours or a defect; neither quotes a file's contents.
  return outcome('failed', errno && !message.startsWith(errno) ? say`${errno}: ${message}` : say`${message}`)
}

/** `shareMs`: how long this target may go on asking again. */
async function deliverTo(target: Target, run: DeliveryAttempt, shareMs: number): Promise<DeliveryOutcome> {
  if (!BEARER_TOKEN.test(run.content.accessToken)) {
    return outcome(
      'failed',
      say`The access token has characters that no bearer token has; it was not written.`,
    )
  }
  const shareEndsAt = performance.now() + shareMs
  const timeLeft = () => shareEndsAt - performance.now()
  let result = OVERWRITTEN
  for (let tries = 0; tries < ATTEMPTS && result.again; tries++) {
    if (tries > 0 && timeLeft() < PAUSE_MS * tries) break
    if (tries > 0) await pause(PAUSE_MS * tries)
    const path = resolvePath(target)
    const own = { ...run, retryMs: Math.min(RETRY_MS, Math.max(0, timeLeft())) }
    result = path === null ? await create(target, own) : await attempt(target, path, own)
  }
  if (result.status !== 'delivered' && result.status !== 'unchanged') return result
  const warning = await warnOfGit(resolvePath(target) ?? target.paths[0] ?? '', timeLeft())
  if (!warning) return result
  return outcome(result.status, series([result.detail, warning], run.dryRun ? '\n' : ' '))
}

/** The targets, beginning with the one that had no turn last time. */
function inTurn(targets: readonly Target[], memoryDir: string): Target[] {
  const turn = recallTurn(memoryDir)
  const first = Math.max(
    0,
    targets.findIndex(({ name }) => name === turn),
  )
  return [...targets.slice(first), ...targets.slice(0, first)]
}

/**
 * Delivers the token to each target; the results are in the order of the targets. Never throws for a target's failure:
 * what happened to it is in its result.
 */
export async function deliverToken(
  targets: readonly Target[],
  token: DeliverableToken,
  options: DeliveryOptions,
): Promise<Delivery[]> {
  const { memoryDir, force, dryRun, now, deadlineAt } = options
  // Our own clock may be set while we work; the time left is measured by one that only goes on.
  const hasDeadline = deadlineAt !== undefined
  const giveUpAt = performance.now() + (hasDeadline ? deadlineAt - now : Number.POSITIVE_INFINITY)
  const bounds = { giveUpAt, maxBytes: hasDeadline ? MAX_BYTES_IN_HASTE : MAX_BYTES }
  const run: DeliveryAttempt = {
    content: { ...token, now },
    memoryDir,
    force,
    dryRun,
    bounds,
    retryMs: RETRY_MS,
  }
  const queue = hasDeadline ? inTurn(targets, memoryDir) : [...targets]
  const results = new Map<Target, DeliveryOutcome>()
  for (const [index, target] of queue.entries()) {
    const timeLeft = giveUpAt - performance.now()
    const share = hasDeadline ? timeLeft / (queue.length - index) : RETRY_MS
    results.set(target, timeLeft < 0 ? NO_TIME : await deliverTo(target, run, share).catch(failure))
  }
  if (!dryRun) removeUnmaskedBackups(memoryDir)
  if (hasDeadline && !dryRun) {
    rememberTurn(memoryDir, queue.find((target) => results.get(target) === NO_TIME)?.name ?? null)
  }
  return targets.map((target) => toDelivery(target, results.get(target) ?? NO_TIME))
}

function toDelivery(target: Target, { status, detail }: DeliveryOutcome): Delivery {
  const restart = status === 'delivered' ? target.restart : { required: false, hint: null }
  return {
    target: target.name,
    status,
    detail,
    restart_required: restart.required,
    restart_hint: restart.hint,
  }
}
