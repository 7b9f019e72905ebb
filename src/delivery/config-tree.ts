// A config's text as a tree whose nodes know where they stand: the same tree for JSON, JSONC and TOML, so that an edit
// needs to know neither. What TOML's headers and dotted keys only imply has members, but no place of its own.

import { isTooDeep, offsetOf, parseToml, type TomlNode } from './mcp-toml.ts'

/** Where members stand side by side: between brackets with commas, or in lines of their own behind `start`. */
export type Container = { separator: 'comma' | 'line'; start: number; end: number }

/** A property, or an element of a list. */
export type Member = {
  /** A property's name, or an element's number. */
  key: string
  /** What stands before the last part of a dotted key, as it is written. */
  prefix: string
  start: number
  end: number
  node: Node
  /** Null: headers or dotted keys imply it. */
  container: Container | null
}

export type TableNode = {
  kind: 'table'
  /** Where a new member goes; null: nowhere. */
  container: Container | null
  members: Member[]
  headers: { start: number; end: number }[]
}

export type Node =
  | { kind: 'scalar'; start: number; end: number }
  | { kind: 'list'; container: Container; members: Member[] }
  | TableNode

export type ConfigTree = {
  data: unknown
  /** What stands at a way through tables; null: nothing. Of a config of megabytes, only that becomes a tree of ours. */
  at: (way: readonly string[]) => Node | null
}

/** Reads JSON or JSONC; null: it is neither. */
export async function readJsonTree(text: string): Promise<ConfigTree | null> {
  const jsonc = await import('jsonc-parser')
  const errors: never[] = []
  const tree = jsonc.parseTree(text, errors, { allowTrailingComma: true })
  if (!tree || errors.length > 0) return null
  const toNode = ({ type, offset, length, children = [] }: typeof tree): Node => {
    if (type !== 'object' && type !== 'array') return { kind: 'scalar', start: offset, end: offset + length }
    const container: Container = { separator: 'comma', start: offset + 1, end: offset + length - 1 }
    const members = children.map((child, index): Member => {
      const [name, inner] = type === 'object' ? (child.children ?? []) : [null, child]
      const span = { start: child.offset, end: child.offset + child.length }
      const node: Node = inner ? toNode(inner) : { kind: 'scalar', ...span }
      return { key: String(name?.value ?? index), prefix: '', ...span, node, container }
    })
    return type === 'array'
      ? { kind: 'list', container, members }
      : { kind: 'table', container, members, headers: [] }
  }
  return {
    data: jsonc.getNodeValue(tree),
    at(way) {
      const node = jsonc.findNodeAtLocation(tree, [...way])
      return node ? toNode(node) : null
    },
  }
}

/** Reads TOML; null: it is none. */
export async function readTomlTree(text: string): Promise<ConfigTree | null> {
  if (isTooDeep(text)) return null
  const parsed = await parseToml(text)
  if ('line' in parsed) return null
  const spanOf = ({ loc }: Pick<TomlNode, 'loc'>) => ({
    start: offsetOf(text, loc.start),
    end: offsetOf(text, loc.end),
  })
  const toNode = (node: TomlNode): Node => {
    const { start, end } = spanOf(node)
    const container: Container = { separator: 'comma', start: start + 1, end: end - 1 }
    const items = (node.items ?? []).flatMap(({ type, item }) =>
      type === 'InlineItem' && item ? [item] : [],
    )
    if (node.type === 'InlineTable') {
      const table: TableNode = { kind: 'table', container, members: [], headers: [] }
      for (const pair of items) place(table, pair, container)
      return table
    }
    if (node.type !== 'InlineArray') return { kind: 'scalar', start, end }
    const members = items.map((item, index) => ({
      key: String(index),
      prefix: '',
      ...spanOf(item),
      node: toNode(item),
      container,
    }))
    return { kind: 'list', container, members }
  }
  /** Puts a key with its value into the table that its dotted name leads to. */
  const place = (table: TableNode, pair: TomlNode, container: Container) => {
    const parts = pair.key?.value ?? []
    const inner = parts.slice(0, -1).reduce((parent, name) => innerTable(parent, name), table)
    const raw = pair.key?.raw ?? ''
    inner.container ??= container
    inner.members.push({
      key: parts.at(-1) ?? '',
      prefix: parts.length > 1 ? raw.slice(0, raw.length - lastPart(raw).length) : '',
      ...spanOf(pair),
      node: pair.value ? toNode(pair.value) : { kind: 'scalar', ...spanOf(pair) },
      container,
    })
  }
  const top: Container = { separator: 'line', start: 0, end: 0 }
  const root: TableNode = { kind: 'table', container: top, members: [], headers: [] }
  for (const node of parsed.tree) {
    if (node.type === 'KeyValue') place(root, node, top)
    if (node.type !== 'Table' || !node.key?.item || !node.key.loc) continue
    const table = node.key.item.value.reduce((parent, name) => innerTable(parent, name), root)
    const at = spanOf({ loc: node.key.loc })
    const container: Container = { separator: 'line', start: at.end, end: spanOf(node).end }
    table.container ??= container
    table.headers.push(at)
    for (const item of node.items ?? []) if (item.type === 'KeyValue') place(table, item, container)
  }
  return {
    data: parsed.data,
    at: (way) => way.reduce<Node | null>((node, key) => (node && memberOf(node, key)?.node) ?? null, root),
  }
}

/** The table of a name below another one, which may only be implied. */
function innerTable(parent: TableNode, name: string): TableNode {
  const present = memberOf(parent, name)
  if (present?.node.kind === 'table') return present.node
  const node: TableNode = { kind: 'table', container: null, members: [], headers: [] }
  parent.members.push({ key: name, prefix: '', start: 0, end: 0, node, container: null })
  return node
}

function lastPart(raw: string): string {
  return /(?:"(?:\\.|[^"\\])*"|'[^']*'|[A-Za-z0-9_-]+)$/.exec(raw)?.[0] ?? raw
}

/** The member of a name; null: there is none. */
function memberOf(node: Node, key: string): Member | null {
  if (node.kind !== 'table') return null
  return node.members.find((member) => member.key === key) ?? null
}
