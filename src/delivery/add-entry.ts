// Our server's entry in the text of a client's config: text → text, and nothing but the entry is added.

import { isDeepStrictEqual } from 'node:util'
import type { Node } from 'jsonc-parser'
import { type Sentence, say } from '../sentence.ts'
import { applyEdit, type Span } from './edit.ts'
import type { Target } from './targets.ts'
import { type Data, endOfLine, isTable, plain } from './text-style.ts'

/** How a client starts this server. */
export type ServerEntry = {
  type?: 'stdio'
  command: string
  args: string[]
  env?: Record<string, string>
  /** Codex alone: variables handed on from its own environment. */
  env_vars?: string[]
  /** Codex alone. */
  startup_timeout_sec?: number
}

export type Insertion =
  | { kind: 'insert'; text: string }
  | { kind: 'present' }
  | { kind: 'refused'; why: Sentence }

function refuseInsertion(why: Sentence): Insertion {
  return { kind: 'refused', why }
}

const UNCONFIRMED = refuseInsertion(say`the entry could not be added beside what is there`)

/** What a text lets us do: `null` go on; its servers lie under `topKey`. */
function judge(data: unknown, topKey: string, name: string): Insertion | null {
  if (!isTable(data)) return refuseInsertion(say`it is not an object`)
  const servers = Object.hasOwn(data, topKey) ? data[topKey] : {}
  if (!isTable(servers)) return refuseInsertion(say`"${topKey}" is not an object`)
  return Object.hasOwn(servers, name) ? { kind: 'present' } : null
}

/** Whether the new text says what the old one said, and our entry beside it. */
function isConfirmed(
  before: unknown,
  after: unknown,
  place: { topKey: string; name: string; entry: ServerEntry },
): boolean {
  const { topKey, name, entry } = place
  const data = before as Data
  const servers = { ...(data[topKey] as Data | undefined), [name]: entry }
  return isDeepStrictEqual(plain(after), plain({ ...data, [topKey]: servers }))
}

async function insertJson(
  text: string,
  topKey: string,
  name: string,
  entry: ServerEntry,
): Promise<Insertion> {
  const jsonc = await import('jsonc-parser')
  const read = (from: string) => {
    const errors: unknown[] = []
    const tree = jsonc.parseTree(from, errors as never[], { allowTrailingComma: true })
    return errors.length > 0 || !tree ? null : tree
  }
  const tree = read(text)
  if (!tree) return refuseInsertion(say`it is not valid JSON`)
  const keys = (tree.children ?? []).map((property) => property.children?.[0]?.value)
  if (keys.filter((key) => key === topKey).length > 1)
    return refuseInsertion(say`"${topKey}" occurs more than once`)
  const before: unknown = jsonc.getNodeValue(tree)
  const verdict = judge(before, topKey, name)
  if (verdict) return verdict
  const servers = jsonc.findNodeAtLocation(tree, [topKey])
  const spans = servers
    ? propertySpans(text, servers, name, entry)
    : propertySpans(text, tree, topKey, { [name]: entry })
  const after = applyEdit(text, spans)
  const again = read(after)
  if (!again || !isConfirmed(before, jsonc.getNodeValue(again), { topKey, name, entry })) return UNCONFIRMED
  return { kind: 'insert', text: after }
}

/** A property behind the last one of an object, in the style of the text; comments stay where they are. */
function propertySpans(text: string, object: Node, key: string, value: unknown): Span[] {
  const insert = (at: number, added: string): Span => ({ start: at, end: at, text: added, secret: false })
  const indentAt = (at: number) => /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', at - 1) + 1))?.[0] ?? ''
  const first = object.offset + 1
  const close = object.offset + object.length - 1
  const inner = text.slice(first, close)
  const at = first + inner.trimEnd().length
  const last = object.children?.at(-1)
  const lastEnd = last ? last.offset + last.length : 0
  const comma = last && !hasComma(text.slice(lastEnd, close)) ? [insert(lastEnd, ',')] : []
  if (last && !inner.includes('\n')) {
    return [...comma, insert(at, `${JSON.stringify(key)}:${JSON.stringify(value)}`)]
  }
  const eol = endOfLine(text)
  const unit = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  '
  const closing = indentAt(close)
  const own = last ? indentAt(last.offset) : closing + unit
  const lines = `${JSON.stringify(key)}: ${JSON.stringify(value, null, unit)}`.split('\n')
  const block = lines.map((line) => `${eol}${own}${line}`).join('')
  const end = inner.includes('\n') ? '' : `${eol}${closing}`
  return [...comma, insert(at, block + end)]
}

/** Whether a comma stands between an object's last property and its end; comments may hold commas too. */
function hasComma(rest: string): boolean {
  return rest.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '').includes(',')
}

function tomlTable(topKey: string, name: string, entry: ServerEntry): string[] {
  const key = /^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name)
  const { env, ...rest } = entry
  const line = ([field, value]: [string, unknown]) =>
    // TOML reads JSON's strings, numbers and arrays of strings.
    `${field} = ${JSON.stringify(value).replaceAll('","', '", "')}`
  const main = [`[${topKey}.${key}]`, ...Object.entries(rest).map(line)]
  return env ? [...main, '', `[${topKey}.${key}.env]`, ...Object.entries(env).map(line)] : main
}

async function insertToml(
  text: string,
  topKey: string,
  name: string,
  entry: ServerEntry,
): Promise<Insertion> {
  const { parse } = await import('@decimalturn/toml-patch')
  const read = (from: string): unknown => {
    try {
      return parse(from)
    } catch {
      // The parser's message quotes the line, which may hold a secret.
      return null
    }
  }
  const before = read(text)
  if (before === null) return refuseInsertion(say`it is not valid TOML`)
  const verdict = judge(before, topKey, name)
  if (verdict) return verdict
  const eol = endOfLine(text)
  const gap = text === '' ? '' : /\n$/.test(text) ? eol : eol + eol
  const after = `${text}${gap}${tomlTable(topKey, name, entry).join(eol)}${eol}`
  if (!isConfirmed(before, read(after), { topKey, name, entry })) return UNCONFIRMED
  return { kind: 'insert', text: after }
}

/** Adds the entry to a config's text (without byte order mark); a text that has one of that name is left alone. */
export async function insertEntry(text: string, target: Target, entry: ServerEntry): Promise<Insertion> {
  const { format, topKeys, entry: name } = target
  const topKey = topKeys[0] ?? ''
  if (format === 'toml') return insertToml(text, topKey, name, entry)
  if (text.trim() !== '') return insertJson(text, topKey, name, entry)
  const whole = `${JSON.stringify({ [topKey]: { [name]: entry } }, null, 2)}\n`
  return { kind: 'insert', text: whole }
}
