// The token's place in a TOML config (Codex). The parser's syntax tree tells where the string stands; the text is
// then cut there, because the package's own patch() rewrites quotes and loses comments between array elements.

import { say } from '../sentence.ts'
import { type Edit, type EditRefusal, refuse, refuseBroken } from './edit.ts'
import { findEntryPlace } from './mcp-entry.ts'
import { seenElsewhere } from './mcp-json.ts'

/** The parts of the parser's syntax tree that are used here; it does not export their types. */
export type TomlNode = {
  type: string
  loc: { start: { line: number; column: number }; end: { line: number; column: number } }
  raw?: string
  key?: { raw?: string; value?: string[]; item?: { value: string[] }; loc?: TomlNode['loc'] }
  value?: TomlNode
  item?: TomlNode
  items?: TomlNode[]
}

/** A Codex config has some kilobytes. The parser takes up to a third of a second for this much of the worst kind. */
const MAX_CHARS = 128 * 1024
/** Levels of tables, arrays and dotted keys. The parser's time grows with their square: at 2,000 it is 160 ms a key. */
const MAX_DEPTH = 32

const STRINGS_AND_COMMENTS = /"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*/g

/** Whether a text is nested deeper than any config is, told without parsing it. */
export function isTooDeep(text: string): boolean {
  let depth = 0
  let dots = 0
  for (const char of text.replace(STRINGS_AND_COMMENTS, '_')) {
    if (char === '.') dots += 1
    else if (!/[\w" \t-]/.test(char)) dots = 0
    if (char === '[' || char === '{') depth += 1
    if (char === ']' || char === '}') depth -= 1
    if (dots > MAX_DEPTH || depth > MAX_DEPTH) return true
  }
  return false
}

/** The node at a path, through tables, dotted keys, inline tables and arrays. */
function findNode(node: TomlNode | undefined, path: readonly (string | number)[]): TomlNode | null {
  if (!node) return null
  if (node.type === 'InlineItem') return findNode(node.item, path)
  if (node.type === 'Table' || node.type === 'KeyValue') {
    const key = node.key?.item?.value ?? node.key?.value ?? []
    if (!key.every((part, index) => part === path[index])) return null
    const rest = path.slice(key.length)
    return node.type === 'Table' ? findAmong(node.items, rest) : findNode(node.value, rest)
  }
  if (path.length === 0) return node
  if (node.type === 'InlineTable') return findAmong(node.items, path)
  const [index] = path
  if (node.type !== 'InlineArray' || typeof index !== 'number') return null
  return findNode(node.items?.filter((item) => item.type === 'InlineItem')[index], path.slice(1))
}

function findAmong(
  nodes: readonly TomlNode[] | undefined,
  path: readonly (string | number)[],
): TomlNode | null {
  for (const node of nodes ?? []) {
    const found = findNode(node, path)
    if (found) return found
  }
  return null
}

/** Where a position lies in the text. Lines end with LF or CRLF, columns count UTF-16 units: the same units as the text's. */
export function offsetOf(text: string, position: { line: number; column: number }): number {
  let start = 0
  for (let line = 1; line < position.line; line++) start = text.indexOf('\n', start) + 1
  return start + position.column
}

type Parsed = { data: Record<string, unknown>; tree: TomlNode[] }

/** The text's tree, or the number of the line that is no TOML. */
export async function parseToml(text: string): Promise<Parsed | { line: number | null }> {
  const { parseDocument } = await import('@decimalturn/toml-patch')
  try {
    const document = parseDocument(text)
    return { data: document.toJsObject, tree: document.cst as unknown as TomlNode[] }
  } catch (error) {
    if (error instanceof RangeError) throw error
    // The parser's message quotes the line, which may hold a secret.
    const { line } = error as { line?: unknown }
    return { line: typeof line === 'number' ? line : null }
  }
}

/** The ways to tables named like the server that stand elsewhere, such as below one of Codex's profiles. */
function findElsewhere(table: unknown, server: string, way: string[] = []): string[] {
  if (typeof table !== 'object' || table === null || Array.isArray(table) || way.length > 3) return []
  return Object.entries(table).flatMap(([name, value]) => {
    const here = name === server && way.length > 0 && typeof value === 'object' ? [way.join('.')] : []
    return [...here, ...findElsewhere(value, server, [...way, name])]
  })
}

function entryOf(data: unknown, topKey: string, server: string): unknown {
  const servers = (data as Record<string, unknown>)[topKey]
  if (typeof servers !== 'object' || servers === null || !Object.hasOwn(servers, server)) return undefined
  return (servers as Record<string, unknown>)[server]
}

/** Finds the token's place in a TOML text without byte order mark, and what puts `token` there. */
export async function editMcpToml(
  text: string,
  topKey: string,
  server: string,
  token: string,
): Promise<Edit | EditRefusal> {
  if (text.length > MAX_CHARS) return refuse(say`it is too large for a TOML config`)
  if (isTooDeep(text)) return refuse(say`it is nested too deeply`)
  const parsed = await parseToml(text)
  if ('line' in parsed) {
    return refuseBroken(
      parsed.line === null ? say`it is not valid TOML` : say`it is not valid TOML (line ${parsed.line})`,
    )
  }
  const entry = entryOf(parsed.data, topKey, server)
  if (entry === undefined) {
    const elsewhere = findElsewhere(parsed.data, server)
    if (elsewhere.length > 0) return refuse(seenElsewhere(JSON.stringify(server), [topKey], elsewhere))
    return refuse(say`it has no server ${JSON.stringify(server)} under "${topKey}"`)
  }
  const place = findEntryPlace(entry)
  if ('refused' in place) return refuse(say`the server ${JSON.stringify(server)}: ${place.refused}`)
  const node = findAmong(parsed.tree, [topKey, server, ...place.path])
  if (node?.type !== 'String' || node.raw === undefined) return refuse(say`${place.name} is not a string`)
  const start = offsetOf(text, node.loc.start)
  if (text.slice(start, start + node.raw.length) !== node.raw)
    return refuse(say`${place.name} could not be located`)
  const quote = /^(?:"""|'''|"|')/.exec(node.raw)?.[0].length ?? 0
  const span = { start: start + quote, end: start + node.raw.length - quote }
  return {
    place: `${topKey}.${server}.${place.name}`,
    value: place.value,
    spans: [{ ...span, text: place.prefix + token, secret: true }],
    inArgv: place.inArgv,
  }
}
