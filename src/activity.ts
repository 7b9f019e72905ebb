// A bounded record of the calls to Feishu: what was asked, how it ended, how long it took. Never what was sent.

import { closeSync, constants, statSync, writeSync } from 'node:fs'
import { ensureOwnDirectory, openOwnFile, readOwnFile, replaceFile } from './files.ts'
import { type HttpAnswer, logIdOf, type Request } from './oauth/token-endpoint.ts'

export type Call = {
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
  record(call: Call): void
  /** The calls of an account that began after `since`, oldest first. */
  callsSince(account: string, since: number): Call[]
}

/** Some three thousand calls: more than an hour at the fastest pace a profile is allowed. */
const MAX_BYTES = 524_288

/** Opens the record at `path`; nothing is created before the first call. */
export function createActivityLog(directory: string, path: string): ActivityLog {
  function calls(): Call[] {
    const text = readOwnFile(path, 4 * MAX_BYTES)?.toString('utf8') ?? ''
    return text.split('\n').flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as Call]
      } catch {
        // A line torn by a crash counts for nothing.
        return []
      }
    })
  }

  function append(line: string): void {
    ensureOwnDirectory(directory)
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT
    const fd = openOwnFile(path, flags, { inPlace: true })
    try {
      writeSync(fd, line)
    } finally {
      closeSync(fd)
    }
    if (statSync(path).size <= MAX_BYTES) return
    const text = readOwnFile(path, 4 * MAX_BYTES)?.toString('utf8') ?? ''
    replaceFile(path, text.slice(text.indexOf('\n', text.length - MAX_BYTES / 2) + 1))
  }

  return {
    record(call) {
      try {
        append(`${JSON.stringify(call)}\n`)
      } catch {
        // The record is a help for people; no call fails for its sake.
      }
    },
    callsSince(account, since) {
      try {
        return calls().filter((call) => call.account === account && Date.parse(call.at) > since)
      } catch {
        return []
      }
    },
  }
}

function outcomeOf(answer: HttpAnswer): Pick<Call, 'outcome' | 'code' | 'log_id'> {
  if (answer.kind === 'failure') return { outcome: answer.error.code, code: null, log_id: null }
  let code: number | null = null
  try {
    const value = Number(JSON.parse(answer.body.toString('utf8')).code)
    code = Number.isSafeInteger(value) ? value : null
  } catch {
    // Not JSON: the HTTP status tells it.
  }
  const ok = answer.status === 200 && (code ?? 0) === 0
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
    const at = new Date(clock.now()).toISOString()
    const startedAt = clock.elapsed()
    const answer = await request(options)
    activity.record({
      at,
      account: options.account.key,
      endpoint: new URL(options.url).pathname,
      ...outcomeOf(answer),
      duration_ms: Math.round(clock.elapsed() - startedAt),
      pid: process.pid,
      forced: options.account.forced,
    })
    return answer
  }
}
