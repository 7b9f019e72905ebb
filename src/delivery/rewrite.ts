// Makes a value in a config's text another one with as few changes as there can be: what both have in common stays as
// it is written, with its comments, its order and its line ends. What comes out is read back.

import { isDeepStrictEqual } from 'node:util'
import { type ConfigTree, type Node, readJsonTree, readTomlTree, type TableNode } from './config-tree.ts'
import { applyEdit, type Span } from './edit.ts'
import { type Changes, changeRow, indentAt, type Layout } from './row.ts'
import { type Data, endOfLine, isTable, plain } from './text-style.ts'
import { tidyDeletions } from './tidy.ts'

/** Thrown where a text would have to be written in a way that is not known here. */
const UNKNOWN_FORM = Symbol('unknown')

/** Reads a config; null: the text is not of its format. */
export function readTree(text: string, format: string): Promise<ConfigTree | null> {
  return format === 'toml' ? readTomlTree(text) : readJsonTree(text)
}

function valueText(value: unknown, layout: Layout, indent: string | null): string {
  if (!layout.toml) {
    const lines = JSON.stringify(value, null, indent === null ? undefined : layout.unit).split('\n')
    return lines.join(`${layout.eol}${indent ?? ''}`)
  }
  if (Array.isArray(value)) return `[${value.map((item) => valueText(item, layout, null)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const pairs = Object.entries(value).map(
    ([key, inner]) => `${tomlKey(key)} = ${valueText(inner, layout, null)}`,
  )
  return `{ ${pairs.join(', ')} }`
}

function tomlKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key)
}

function changeNode(
  text: string,
  node: Node,
  values: [unknown, unknown],
  layout: Layout,
  changes: Changes,
): void {
  const [before, after] = values
  if (isDeepStrictEqual(plain(before), plain(after))) return
  if (node.kind === 'list' && Array.isArray(before) && Array.isArray(after)) {
    const { container, members } = node
    const row = {
      container,
      members,
      before: before.map((item) => JSON.stringify(plain(item))),
      after: after.map((item) => JSON.stringify(plain(item))),
      write: (index: number) => valueText(after[index], layout, null),
    }
    changeRow(text, row, layout, changes)
  } else if (node.kind === 'table' && isTable(before) && isTable(after)) {
    changeTable(text, node, [before, after], layout, changes)
  } else if (node.kind === 'scalar') {
    changes.written.push({ start: node.start, end: node.end, text: valueText(after, layout, null) })
  } else throw UNKNOWN_FORM
}

function changeTable(
  text: string,
  table: TableNode,
  values: [Data, Data],
  layout: Layout,
  changes: Changes,
): void {
  const [before, after] = values
  const { container } = table
  const members = table.members.filter((member) => container !== null && member.container === container)
  const elsewhere = table.members.filter((member) => !members.includes(member))
  for (const { key, node } of elsewhere) {
    if (container?.separator === 'comma') throw UNKNOWN_FORM
    if (Object.hasOwn(after, key)) changeNode(text, node, [before[key], after[key]], layout, changes)
    else removeDeep(node, changes)
  }
  const wanted = Object.keys(after).filter((key) => !elsewhere.some((member) => member.key === key))
  if (container === null) {
    if (wanted.length > 0) throw UNKNOWN_FORM
    return
  }
  const first = members[0]
  const ownLine = first !== undefined && text.slice(container.start, first.start).includes('\n')
  const indent = ownLine ? indentAt(text, first.start) : null
  const row = {
    container,
    members,
    before: members.map(({ key }) => key),
    after: wanted,
    write(index: number) {
      const key = wanted[index] ?? ''
      if (layout.toml) return `${first?.prefix ?? ''}${tomlKey(key)} = ${valueText(after[key], layout, null)}`
      return `${JSON.stringify(key)}:${layout.gap}${valueText(after[key], layout, indent)}`
    },
  }
  for (const [i, j] of changeRow(text, row, layout, changes)) {
    const key = wanted[j] ?? ''
    const member = members[i]
    if (member) changeNode(text, member.node, [before[key], after[key]], layout, changes)
  }
}

/** Removes what stands in several places of a TOML text. */
function removeDeep(node: Node, changes: Changes): void {
  if (node.kind !== 'table') throw UNKNOWN_FORM
  changes.deleted.push(...node.headers)
  for (const member of node.members) {
    if (member.container === null) removeDeep(member.node, changes)
    else changes.deleted.push(member)
  }
}

/** What stands at a way through tables; undefined: nothing. */
export function valueAt(data: unknown, way: readonly string[]): unknown {
  return way.reduce<unknown>(
    (value, key) => (isTable(value) && Object.hasOwn(value, key) ? value[key] : undefined),
    data,
  )
}

/**
 * The text with another table at a way through its tables.
 *
 * @returns null where it could not be written so that everything else says what it said
 */
export async function rewriteAt(
  text: string,
  { format, way, after }: { format: string; way: readonly string[]; after: Data },
): Promise<string | null> {
  const tree = await readTree(text, format)
  const node = tree?.at(way) ?? null
  if (!tree || !node) return null
  const unit = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  '
  const toml = format === 'toml'
  const gap = toml || /":[ \t]/.test(text) ? ' ' : ''
  const layout: Layout = { toml, eol: endOfLine(text), unit, gap }
  const changes: Changes = { deleted: [], written: [] }
  try {
    changeNode(text, node, [valueAt(tree.data, way), after], layout, changes)
  } catch (error) {
    if (error === UNKNOWN_FORM) return null
    throw error
  }
  const spans: Span[] = [
    ...changes.written.map((range) => ({ ...range, secret: false })),
    ...tidyDeletions(text, changes.deleted).map((range) => ({ ...range, text: '', secret: false })),
  ]
  const written = applyEdit(text, spans)
  const again = await readTree(written, format)
  return again && isDeepStrictEqual(plain(again.data), plain(withAt(tree.data, way, after))) ? written : null
}

/** The text of a table at a way through tables, with the comments in it. */
export async function textAt(text: string, format: string, way: readonly string[]): Promise<string> {
  const tree = await readTree(text, format)
  const pieces = (node: Node): { start: number; end: number }[] => {
    if (node.kind === 'scalar') return [node]
    const own = node.container ? [node.container] : []
    const implied = node.members.filter(({ container }) => container === null)
    return [...own, ...implied.flatMap((member) => pieces(member.node))]
  }
  const node = tree?.at(way) ?? null
  return node
    ? pieces(node)
        .map(({ start, end }) => text.slice(start, end))
        .join('\n')
    : ''
}

/** The data with another value at a way. */
function withAt(data: unknown, way: readonly string[], value: Data): unknown {
  const [key, ...rest] = way
  if (key === undefined) return value
  return { ...(data as Data), [key]: withAt((data as Data)[key], rest, value) }
}
