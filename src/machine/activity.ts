// A bounded record of the calls to Feishu: what was asked, how it ended, how long it took. Never what was sent.

import { closeSync, constants, fstatSync, writeSync } from 'node:fs'
import { CodedError, errnoOf } from '../errors.ts'
import { feishuCodeOf, logIdOf, parseObject } from '../oauth/answer.ts'
import type { HttpAnswer, Request } from '../oauth/http.ts'
import { type Sentence, say } from '../sentence.ts'
import { fileVersion } from './file-version.ts'
import { isMissing, openOwnFile, readOwnFile, replaceFile } from './files.ts'
import { ensureOwnDirectory } from './own-directory.ts'

export type LoggedCall = {
  at: string
  /** Brand, app and profile. */
  account: string
  endpoint: string
  /** `ok`, `error` (Feishu answered with a code), `http <status>`, or our own error code. */
  outcome: string
  code: number | null
  log_id: string | null
  duration_ms: number
  pid: number
  /** A refresh that was asked for although it was not due. */
  forced: boolean
}

export type ActivityLog = {
  /** Writes what is still to be written: before the process ends. */
  flush(): void
  record(call: LoggedCall): void
  /** The calls of an account that began after `since`, oldest first. */
  callsSince(account: string, since: number): LoggedCall[]
  /** Why calls are not written down; null: they are. */
  problem(): Sentence | null
}

/** Some two thousand calls, of which at least half are kept: days of ordinary use, many minutes of the fastest pace. */
const MAX_BYTES = 524_288
/** Not of our making: it is not read, and the next call begins again. */
const LARGEST_BYTES = 4 * MAX_BYTES
/** What cannot be written is remembered by its process: more than the limit of a minute counts. */
const MOST_WAITING = 200

function parseCall(line: string): LoggedCall[] {
  try {
    const call = JSON.parse(line) as LoggedCall | null
    return typeof call?.account === 'string' ? [call] : []
  } catch {
    // A line torn by a crash counts for nothing.
    return []
  }
}

function newestHalf(bytes: Buffer | null): string {
  const text = bytes?.toString('utf8') ?? ''
  return text.slice(text.indexOf('\n', text.length - MAX_BYTES / 2) + 1)
}

/** Opens the record at `path`; nothing is created before the first call. */
export function createActivityLog(directory: string, path: string): ActivityLog {
  let last: { version: string | null; calls: LoggedCall[] } = { version: null, calls: [] }

  /** Reading and parsing a full record takes longer than all the rest of `token_status`: once for each change. */
  function calls(): LoggedCall[] {
    const version = fileVersion(path)
    if (version === null || version !== last.version) {
      const text = readOwnFile(path, LARGEST_BYTES)?.toString('utf8') ?? ''
      last = { version, calls: text.split('\n').filter(Boolean).flatMap(parseCall) }
    }
    return last.calls
  }

  const open = (flags: number) =>
    openOwnFile(path, constants.O_WRONLY | constants.O_APPEND | flags, { inPlace: true })

  /** Returns how long the file is then. */
  function append(line: string): number {
    ensureOwnDirectory(directory)
    const fd = open(constants.O_CREAT)
    try {
      writeSync(fd, line)
      return fstatSync(fd).size
    } finally {
      closeSync(fd)
    }
  }

  function shorten(size: number, line: string): void {
    if (size > LARGEST_BYTES) replaceFile(path, line)
    else if (size > MAX_BYTES) replaceFile(path, newestHalf(readOwnFile(path, LARGEST_BYTES)))
  }

  let waiting: LoggedCall[] = []

  /** No call fails for the sake of the record. Returns why it cannot be written. */
  function flush(): unknown {
    const lines = waiting.map((call) => `${JSON.stringify(call)}\n`).join('')
    try {
      if (lines === '') return null
      const size = append(lines)
      // Written, whatever comes of the rest: a call that is written twice counts twice.
      waiting = []
      shorten(size, lines)
      return null
    } catch (error) {
      waiting = waiting.slice(-MOST_WAITING)
      return error
    }
  }

  /** The same, where there is nothing to write yet. */
  function obstacle(): unknown {
    try {
      closeSync(open(0))
      return null
    } catch (error) {
      return isMissing(error) ? null : error
    }
  }

  function read(): LoggedCall[] {
    try {
      return [...calls(), ...waiting]
    } catch {
      return waiting
    }
  }

  return {
    flush,
    record(call) {
      // Not at once: an answer may hold a token that is to be stored first.
      setImmediate(flush)
      waiting.push(call)
    },
    callsSince(account, since) {
      flush()
      return read().filter((call) => call.account === account && Date.parse(call.at) > since)
    },
    problem() {
      const error = flush() ?? obstacle()
      if (error === null) return null
      const why =
        error instanceof CodedError ? error.said : say`${path} cannot be written (${errnoOf(error) ?? ''}).`
      return say`${why} Calls to Feishu are not recorded, and refreshes that fail are counted by each process for itself.`
    },
  }
}

function outcomeOf(answer: HttpAnswer): Pick<LoggedCall, 'outcome' | 'code' | 'log_id'> {
  if (answer.kind === 'failure') return { outcome: answer.error.code, code: null, log_id: null }
  const json = parseObject(answer.body)
  const code = feishuCodeOf(json)
  // A revocation is answered with nothing; whatever else is no JSON does not come from Feishu.
  const plausible = json !== null || answer.body.length === 0
  const ok = answer.status === 200 && plausible && (code ?? 0) === 0
  const outcome = ok ? 'ok' : code ? 'error' : `http ${answer.status}`
  return { outcome, code, log_id: logIdOf(answer.headers) }
}

/** The request function, with each call recorded. */
export function recorded(
  request: Request,
  activity: ActivityLog,
  clock: { now(): number; elapsed(): number },
): Request {
  return async (options) => {
    const { account } = options
    if (!account) return request(options)
    const at = new Date(clock.now()).toISOString()
    const startedAt = clock.elapsed()
    const answer = await request(options)
    activity.record({
      at,
      account: account.key,
      endpoint: new URL(options.url).pathname,
      ...outcomeOf(answer),
      duration_ms: Math.round(clock.elapsed() - startedAt),
      pid: process.pid,
      forced: account.forced,
    })
    return answer
  }
}
