// The token's place in a JSON or JSONC config. The text is scanned once, and only the server's own entry becomes a
// tree: `~/.claude.json` grows to many megabytes, whose tree would take a second and a gigabyte.

import type { JSONVisitor, Node } from 'jsonc-parser'
import { type Edit, lineAt, type Refusal, refuse, refuseBroken } from './edit.ts'
import { findEntryPlace } from './mcp-entry.ts'

type Scan = {
  errorAt: number | null
  /** Those of the wanted top keys that are there, with doubles. */
  topKeys: string[]
  servers: string[]
  entries: { topKey: string; start: number; end: number }[]
}

/** The end of an entry that the scan is still inside of. */
const OPEN = -1

/** Names shown to help with a misspelt one, and how much of each: enough to recognize it, fit for one line. */
const SHOWN_NAMES = 8
const SHOWN_CHARS = 40

/** Notes in `result` where the wanted server's entry begins and ends. */
function makeVisitor(result: Scan, wanted: readonly string[], server: string): JSONVisitor {
  let depth = 0
  let topKey: string | null = null
  let entryFollows = false
  const startEntry = (start: number, end: number) => {
    if (entryFollows && topKey !== null) result.entries.push({ topKey, start, end })
    entryFollows = false
  }
  const begin = (offset: number) => {
    startEntry(offset, OPEN)
    depth += 1
  }
  const end = (offset: number, length: number) => {
    depth -= 1
    const entry = result.entries.at(-1)
    if (depth === 2 && entry?.end === OPEN) entry.end = offset + length
  }
  const onObjectProperty = (name: string) => {
    if (depth === 1) {
      topKey = wanted.includes(name) ? name : null
      if (topKey !== null) result.topKeys.push(topKey)
    }
    if (depth !== 2 || topKey === null) return
    result.servers.push(name)
    entryFollows = name === server
  }
  return {
    onObjectBegin: begin,
    onArrayBegin: begin,
    onObjectEnd: end,
    onArrayEnd: end,
    onObjectProperty,
    onLiteralValue: (_value, offset, length) => startEntry(offset, offset + length),
    onError: (_error, offset) => {
      result.errorAt ??= offset
    },
  }
}

function findDouble(node: Node): string | null {
  const names = new Set<string>()
  for (const child of node.children ?? []) {
    if (child.type === 'property') {
      const name = String(child.children?.[0]?.value)
      if (names.has(name)) return name
      names.add(name)
    }
    const inner = findDouble(child)
    if (inner !== null) return inner
  }
  return null
}

/** Why the scan found no single entry, or null when it did. */
function judge(found: Scan, wanted: readonly string[], server: string, text: string): Refusal | null {
  if (found.errorAt !== null) {
    return refuseBroken(`it is not valid JSON (line ${lineAt(text, found.errorAt)})`)
  }
  const double = found.topKeys.find((key, index) => found.topKeys.indexOf(key) !== index)
  if (double !== undefined) return refuse(`"${double}" occurs more than once`)
  if (found.entries.length > 1) return refuse(`the server ${JSON.stringify(server)} occurs more than once`)
  if (found.entries.length === 1) return null
  const shown = found.servers.slice(0, SHOWN_NAMES).map((name) => JSON.stringify(name.slice(0, SHOWN_CHARS)))
  const others = shown.length > 0 ? `; it has ${shown.join(', ')}` : ''
  return refuse(`it has no server ${JSON.stringify(server)} under "${wanted.join('" or "')}"${others}`)
}

/** Finds the token's place in a JSON or JSONC text without byte order mark, and what puts `token` there. */
export async function editMcpJson(
  text: string,
  topKeys: readonly string[],
  server: string,
  token: string,
): Promise<Edit | Refusal> {
  const jsonc = await import('jsonc-parser')
  const found: Scan = { errorAt: null, topKeys: [], servers: [], entries: [] }
  jsonc.visit(text, makeVisitor(found, topKeys, server), { allowTrailingComma: true })
  const refusal = judge(found, topKeys, server, text)
  const [entry] = found.entries
  if (refusal || !entry) return refusal ?? refuse('it has no such server')
  const tree = jsonc.parseTree(text.slice(entry.start, entry.end), [], { allowTrailingComma: true })
  if (!tree) return refuse('it has no such server')
  const double = findDouble(tree)
  if (double !== null) return refuse(`the server ${JSON.stringify(server)} has "${double}" more than once`)
  const place = findEntryPlace(jsonc.getNodeValue(tree))
  if ('refused' in place) return refuse(`the server ${JSON.stringify(server)}: ${place.refused}`)
  const node = jsonc.findNodeAtLocation(tree, place.path)
  if (node?.type !== 'string') return refuse(`${place.name} is not a string`)
  const start = entry.start + node.offset
  return {
    place: `${entry.topKey}.${server}.${place.name}`,
    value: place.value,
    // Between the quotes: they stay.
    spans: [{ start: start + 1, end: start + node.length - 1, text: place.prefix + token, secret: true }],
    inArgv: place.inArgv,
  }
}
