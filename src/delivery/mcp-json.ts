// The token's place in a JSON or JSONC config. The text is scanned once, and only the server's own entry becomes a
// tree: `~/.claude.json` grows to many megabytes, whose tree would take a second and a gigabyte.

import type { JSONVisitor, Node } from 'jsonc-parser'
import { type Sentence, say } from '../sentence.ts'
import { type Edit, type EditRefusal, lineAt, refuse, refuseBroken, TIME_UP } from './edit.ts'
import { findEntryPlace } from './mcp-entry.ts'

/** What is looked for. Past `giveUpAt` (by `performance.now()`) the reading throws {@link TIME_UP}. */
export type Wanted = { topKeys: readonly string[]; server: string; giveUpAt: number }

type Scan = {
  errorAt: number | null
  /** Those of the wanted top keys that are there, with doubles. */
  topKeys: string[]
  servers: string[]
  entries: { topKey: string; start: number; end: number }[]
  /** Where else an object of that name stands: the way to it. */
  elsewhere: string[]
}

/** The end of an entry that the scan is still inside of. */
const OPEN = -1

/** Names shown to help with a misspelt one, and how much of each: enough to recognize it, fit for one line. */
const SHOWN_NAMES = 8
const SHOWN_CHARS = 40
/** The clock is looked at once for so many values: a look costs as much as two of them. */
const CLOCK_EVERY = 1_024

/** Notes in `result` where the wanted server's entry begins and ends, and where else its name stands. */
function makeVisitor(result: Scan, { topKeys, server, giveUpAt }: Wanted): JSONVisitor {
  let depth = 0
  let events = 0
  let topKey: string | null = null
  let entryFollows = false
  /** The latest property's name on each level, which is the way to where the scan is. */
  const way: string[] = []
  const look = () => {
    events += 1
    if (events % CLOCK_EVERY === 0 && performance.now() > giveUpAt) throw TIME_UP
  }
  const startEntry = (start: number, end: number) => {
    if (entryFollows && topKey !== null) result.entries.push({ topKey, start, end })
    entryFollows = false
  }
  const begin = (offset: number) => {
    look()
    const isElsewhere = way.length === depth && way.at(-1) === server && (depth > 2 || topKey === null)
    if (isElsewhere && depth > 1 && result.elsewhere.length < SHOWN_NAMES) {
      const parents = way.slice(0, -1).map((name) => name.slice(0, SHOWN_CHARS))
      result.elsewhere.push(parents.join(' › '))
    }
    startEntry(offset, OPEN)
    depth += 1
  }
  const end = (offset: number, length: number) => {
    depth -= 1
    way.length = Math.min(way.length, depth)
    const entry = result.entries.at(-1)
    if (depth === 2 && entry?.end === OPEN) entry.end = offset + length
  }
  const onObjectProperty = (name: string) => {
    while (way.length < depth) way.push('[]')
    way[depth - 1] = name
    if (depth === 1) {
      topKey = topKeys.includes(name) ? name : null
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
    onLiteralValue: (_value, offset, length) => {
      look()
      startEntry(offset, offset + length)
    },
    onError: (_error, offset) => {
      look()
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
function judge(found: Scan, { topKeys, server }: Wanted, text: string): EditRefusal | null {
  if (found.errorAt !== null) {
    return refuseBroken(say`it is not valid JSON (line ${lineAt(text, found.errorAt)})`)
  }
  const double = found.topKeys.find((key, index) => found.topKeys.indexOf(key) !== index)
  if (double !== undefined) return refuse(say`"${double}" occurs more than once`)
  if (found.entries.length > 1) return refuse(say`the server ${JSON.stringify(server)} occurs more than once`)
  if (found.entries.length === 1) return null
  const quoted = JSON.stringify(server)
  if (found.elsewhere.length > 0) {
    return refuse(seenElsewhere(quoted, topKeys, found.elsewhere))
  }
  const shown = found.servers.slice(0, SHOWN_NAMES).map((name) => JSON.stringify(name.slice(0, SHOWN_CHARS)))
  const others = shown.length > 0 ? say`; it has ${shown.join(', ')}` : ''
  return refuse(say`it has no server ${quoted} under "${topKeys.join('" or "')}"${others}`)
}

/** Says where a server's name was seen that does not stand where servers are looked for. */
export function seenElsewhere(
  server: string,
  topKeys: readonly string[],
  places: readonly string[],
): Sentence {
  const keys = `"${topKeys.join('" or "')}"`
  return say`it has no server ${server} under ${keys}; that name is under ${places.join(', ')}, where nothing is delivered`
}

/** Finds the token's place in a JSON or JSONC text without byte order mark, and what puts `token` there. */
export async function editMcpJson(text: string, wanted: Wanted, token: string): Promise<Edit | EditRefusal> {
  const { server } = wanted
  const jsonc = await import('jsonc-parser')
  const found: Scan = { errorAt: null, topKeys: [], servers: [], entries: [], elsewhere: [] }
  jsonc.visit(text, makeVisitor(found, wanted), { allowTrailingComma: true })
  const refusal = judge(found, wanted, text)
  const [entry] = found.entries
  if (refusal || !entry) return refusal ?? refuse(say`it has no such server`)
  const tree = jsonc.parseTree(text.slice(entry.start, entry.end), [], { allowTrailingComma: true })
  if (!tree) return refuse(say`it has no such server`)
  const double = findDouble(tree)
  if (double !== null) return refuse(say`the server ${JSON.stringify(server)} has "${double}" more than once`)
  const place = findEntryPlace(jsonc.getNodeValue(tree))
  if ('refused' in place) return refuse(say`the server ${JSON.stringify(server)}: ${place.refused}`)
  const node = jsonc.findNodeAtLocation(tree, place.path)
  if (node?.type !== 'string') return refuse(say`${place.name} is not a string`)
  const start = entry.start + node.offset
  return {
    place: `${entry.topKey}.${server}.${place.name}`,
    value: place.value,
    // Between the quotes: they stay.
    spans: [{ start: start + 1, end: start + node.length - 1, text: place.prefix + token, secret: true }],
    inArgv: place.inArgv,
  }
}
