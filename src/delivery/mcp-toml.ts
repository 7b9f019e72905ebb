// The token's place in a TOML config (Codex). The parser's syntax tree tells where the string stands; the text is
// then cut there, because the package's own patch() rewrites quotes and loses comments between array elements.

import { type Edit, type Refusal, refuse, refuseBroken } from './edit.ts'
import { findEntryPlace } from './mcp-entry.ts'

/** The parts of the parser's syntax tree that are used here; it does not export their types. */
type TomlNode = {
  type: string
  loc: { start: { line: number; column: number }; end: { line: number; column: number } }
  raw?: string
  key?: { value?: string[]; item?: { value: string[] } }
  value?: TomlNode
  item?: TomlNode
  items?: TomlNode[]
}

/** A Codex config has some kilobytes; the parser needs a second for this much. */
const MAX_CHARS = 4 * 1024 * 1024

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

/** Lines end with LF or CRLF, columns count UTF-16 units: the same units as the text's. */
function offsetOf(text: string, position: { line: number; column: number }): number {
  let start = 0
  for (let line = 1; line < position.line; line++) start = text.indexOf('\n', start) + 1
  return start + position.column
}

async function parse(text: string): Promise<{ data: Record<string, unknown>; tree: TomlNode[] } | null> {
  const { parseDocument } = await import('@decimalturn/toml-patch')
  try {
    const document = parseDocument(text)
    return { data: document.toJsObject, tree: document.cst as unknown as TomlNode[] }
  } catch {
    // The parser's message quotes the line, which may hold a secret.
    return null
  }
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
): Promise<Edit | Refusal> {
  if (text.length > MAX_CHARS) return refuse('it is too large for a TOML config')
  const parsed = await parse(text)
  if (!parsed) return refuseBroken('it is not valid TOML')
  const entry = entryOf(parsed.data, topKey, server)
  if (entry === undefined) return refuse(`it has no server ${JSON.stringify(server)} under "${topKey}"`)
  const place = findEntryPlace(entry)
  if ('refused' in place) return refuse(`the server ${JSON.stringify(server)}: ${place.refused}`)
  const node = findAmong(parsed.tree, [topKey, server, ...place.path])
  if (node?.type !== 'String' || node.raw === undefined) return refuse(`${place.name} is not a string`)
  const start = offsetOf(text, node.loc.start)
  if (text.slice(start, start + node.raw.length) !== node.raw)
    return refuse(`${place.name} could not be located`)
  const quote = /^(?:"""|'''|"|')/.exec(node.raw)?.[0].length ?? 0
  const span = { start: start + quote, end: start + node.raw.length - quote }
  return {
    place: `${topKey}.${server}.${place.name}`,
    value: place.value,
    spans: [{ ...span, text: place.prefix + token, secret: true }],
    inArgv: place.inArgv,
  }
}
