// The token's place in a dotenv file. Loaders disagree about the odd forms, so the text is read strictly: where two
// of them (dotenv, a shell, Docker) would see different values, the file is left alone.

import { say } from '../sentence.ts'
import { type Edit, type EditRefusal, isReference, lineAt, refuse, refuseBroken } from './edit.ts'

/** Where a value stands; `plain` when every loader reads the same one. */
type Assignment = { name: string; start: number; end: number; plain: boolean }

const ASSIGNMENT = /[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=/y
/** What may follow a closing quote on its line. */
const LINE_REST = /[ \t]*(?:#[^\n]*)?\r?(?=\n|$)/y
/** Characters that loaders read in different ways outside of quotes. */
const DISPUTED = /[;&|\\#"'`]/

function matchAt(pattern: RegExp, text: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position
  return pattern.exec(text)
}

function lineEnd(text: string, position: number): number {
  const end = text.indexOf('\n', position)
  return end === -1 ? text.length : end
}

/** The offset of the quote that closes the one at `start`, or -1. Only double quotes know escapes. */
function closingQuote(text: string, start: number): number {
  const quote = text[start]
  for (let position = start + 1; position < text.length; position++) {
    if (text[position] === '\\' && quote === '"') position += 1
    else if (text[position] === quote) return position
  }
  return -1
}

/** The value after the equals sign at `start - 1`: up to a comment that white space sets off, or the line's end. */
function readUnquoted(text: string, name: string, start: number): Assignment {
  const line = text.slice(start, lineEnd(text, start))
  const value = line.replace(/[ \t]#.*$/s, '').trim()
  if (value === '') return { name, start, end: start, plain: true }
  const from = start + line.indexOf(value)
  return { name, start: from, end: from + value.length, plain: !DISPUTED.test(value) }
}

/** The value after the equals sign at `start - 1`, or null where an opened quote is not closed properly. */
function readValue(text: string, name: string, start: number): Assignment | null {
  const open = start + (matchAt(/[ \t]*/y, text, start)?.[0].length ?? 0)
  if (!/["'`]/.test(text[open] ?? '')) return readUnquoted(text, name, start)
  const end = closingQuote(text, open)
  if (end === -1) return null
  const several = text.slice(open, end).includes('\n')
  const clean = matchAt(LINE_REST, text, end + 1) !== null
  if (clean) return { name, start: open + 1, end, plain: !several }
  return several ? null : readUnquoted(text, name, start)
}

/** All assignments in order, or the offset of a value that does not end. */
function readAssignments(text: string): Assignment[] | number {
  const assignments: Assignment[] = []
  let position = 0
  while (position < text.length) {
    const match = matchAt(ASSIGNMENT, text, position)
    if (match) {
      const start = position + match[0].length
      const assignment = readValue(text, match[1] ?? '', start)
      if (!assignment) return start
      assignments.push(assignment)
      position = assignment.end
    }
    position = lineEnd(text, position) + 1
  }
  return assignments
}

/** Finds the value of `name` in a dotenv text without byte order mark, and what puts `token` there. */
export function editDotenv(text: string, name: string, token: string): Edit | EditRefusal {
  if (/\r(?!\n)/.test(text)) return refuse(say`it has carriage returns that do not end a line`)
  const assignments = readAssignments(text)
  if (typeof assignments === 'number') {
    return refuseBroken(say`a quote that opens on line ${lineAt(text, assignments)} is not closed properly`)
  }
  const found = assignments.filter((assignment) => assignment.name === name)
  const [assignment] = found
  if (!assignment) return refuse(say`it has no ${name}; add the line ${name}= once`)
  if (found.length > 1) return refuse(say`${name} is set more than once`)
  const { start, end } = assignment
  const value = text.slice(start, end)
  if (isReference(value))
    return refuse(say`${name} holds a reference, which is never overwritten with a token`)
  if (!assignment.plain)
    return refuse(say`programs disagree about where the value of ${name} ends: put it in quotes`)
  return { place: name, value, spans: [{ start, end, text: token, secret: true }], inArgv: false }
}
