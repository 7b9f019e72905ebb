// What the readers of each format hand over: where the token stands in a text, and what to put there.
// An edit is a list of spans; every character outside of them stays as it is, by construction.

import type { Sentence } from '../sentence.ts'

/** A stretch of the text and what takes its place. */
export type Span = { start: number; end: number; text: string; secret: boolean }

/** The place found in a text: its name, the value it holds now, and the spans that change. */
export type Edit = {
  place: string
  value: string
  spans: Span[]
  /** The value stands in a command line, which other users of the machine can list. */
  inArgv: boolean
}

/** Why a text is left alone; `broken` when it does not parse, as half-written files do for a moment. */
export type EditRefusal = { refused: Sentence; broken: boolean }

/** Thrown where a text takes longer to read than there is time. */
export const TIME_UP: Error = new Error('the time is up')

/** A refusal of a text that is sound. */
export function refuse(refused: Sentence): EditRefusal {
  return { refused, broken: false }
}

/** A refusal of a text that does not parse. */
export function refuseBroken(refused: Sentence): EditRefusal {
  return { refused, broken: true }
}

/** Whether a result is a refusal. */
export function isEditRefusal(result: object): result is EditRefusal {
  return 'refused' in result
}

/** The text with every span replaced; spans do not overlap. */
export function applyEdit(text: string, spans: readonly Span[]): string {
  let result = ''
  let position = 0
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    result += text.slice(position, span.start) + span.text
    position = span.end
  }
  return result + text.slice(position)
}

/** The number, from 1, of the line that holds an offset. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** `${env:NAME}`, `$NAME`, `$(command)`, `%NAME%`, `{env:NAME}`, `#{NAME}`, a command in backticks. */
const SUBSTITUTED = /[$`]|^%.+%$|^#?\{.+\}#?$/
/** `op://…`, `vault:…`, `encrypted:…`, `keyring:…`, `file://…`, `ref+…://…`, `ENC[…]`: resolved or opened by some other program. */
const RESOLVED = /^[A-Za-z][\w+.-]*:|^ENC[[(]|^ref\+/

/** Whether a value stands for another one. Nothing that a bearer token consists of (RFC 6750 §2.1) looks so. */
export function isReference(value: string): boolean {
  const text = value.trim()
  return SUBSTITUTED.test(text) || RESOLVED.test(text)
}
