// The contract's answers (docs/design.md), for the tools and for `--json` alike, and the same facts as text.

import type { CodedError, ErrorCode, Recovery } from './errors.ts'
import { type Door, inEnglish, Sentence, say, series } from './sentence.ts'

/** An error as `--json` prints it. */
export type ErrorAnswer = {
  error: {
    code: ErrorCode
    recovery: Recovery
    message: string
    next_step: string
    feishu_code: number | null
    log_id: string | null
  }
}

/** The error, with what to do next: a command line names a command, all else a tool. */
export function errorAnswer(error: CodedError, door: Door = null): ErrorAnswer {
  const { code, recovery, message, step, feishuCode, logId } = error
  const shorter = say`Run \`${door?.command ?? ''} doctor\`, which says what to do.`
  const next_step = inEnglish(door ? brief(step, shorter, door) : step, door)
  return { error: { code, recovery, message, next_step, feishu_code: feishuCode, log_id: logId } }
}

/** The text of a failed tool call or command. */
export function errorText(error: CodedError): Sentence {
  const facts = [`code=${error.code}`, `recovery=${error.recovery}`]
  if (error.feishuCode !== null) facts.push(`feishu_code=${error.feishuCode}`)
  if (error.logId !== null) facts.push(`log_id=${error.logId}`)
  return say`FAILED: ${error.said} ${error.step} [${facts.join(' ')}]`
}

/** What JSON makes of an answer: a sentence is a string there. */
export type InJson<T> = T extends Sentence ? string : T extends object ? { [K in keyof T]: InJson<T[K]> } : T

/** An answer as it is sent: its sentences in English, as tools say them. */
export function inJson<T>(answer: T): InJson<T> {
  return plain(answer) as InJson<T>
}

/** The same value where no sentence is in it: most of an answer is copied by no one. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Sentence) return String(value)
  if (Array.isArray(value)) return value.some((item) => plain(item) !== item) ? value.map(plain) : value
  const parts = value as Record<string, unknown>
  let copy: Record<string, unknown> | null = null
  for (const name of Object.keys(parts)) {
    const said = plain(parts[name])
    if (said === parts[name]) continue
    copy ??= { ...parts }
    copy[name] = said
  }
  return copy ?? value
}

/** A next step is read with every answer, so it has room for one sentence (docs/design.md). */
const NEXT_STEP_CHARACTERS = 300

/** A next step, or a shorter one in its place where values have made it too long. */
export function brief(nextStep: Sentence, shorter: Sentence, door: Door = null): Sentence {
  return inEnglish(nextStep, door).length <= NEXT_STEP_CHARACTERS ? nextStep : shorter
}

/** One sentence of as many clauses as there is room for, the most important first. */
export function joinClauses(clauses: readonly Sentence[]): Sentence {
  const kept: Sentence[] = []
  for (const clause of clauses) {
    if (String(series([...kept, clause], '; ')).length < NEXT_STEP_CHARACTERS) kept.push(clause)
  }
  return say`${series(kept, '; ')}.`
}

/** The same facts as an answer's fields, one a line, the next step first: for models that see only text. */
export function answerText(answer: object): string {
  const { next_step, ...facts } = answer as Record<string, unknown>
  const lines = Object.entries(facts).map(([name, value]) => {
    return `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  return [`next_step: ${next_step}`, '', ...lines].join('\n')
}

/** The last instant that RFC 3339 can tell: its years have four digits. */
const LAST_AT = Date.parse('9999-12-31T23:59:59.999Z')

/** An instant as RFC 3339 in UTC; null stays null, and a nonsensical expiry is the nearest that can be told. */
export function toTime(at: number): string
export function toTime(at: number | null): string | null
export function toTime(at: number | null): string | null {
  if (at === null) return null
  // Without the fraction: an answer has many instants, and a reader of each pays for it.
  return `${new Date(Math.min(Math.max(at, 0), LAST_AT)).toISOString().slice(0, 19)}Z`
}

/** A duration in whole seconds, never negative, nor longer than time can be told; null stays null. */
export function toSeconds(ms: number): number
export function toSeconds(ms: number | null): number | null
export function toSeconds(ms: number | null): number | null {
  return ms === null ? null : Math.floor(Math.min(Math.max(ms, 0), LAST_AT) / 1000)
}
