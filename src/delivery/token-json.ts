// The `token.json` of the old script: a file of its own for the access token, never a refresh token.

import type { Node, ParseError } from 'jsonc-parser'
import { say, typed } from '../sentence.ts'
import { type Edit, type EditRefusal, isReference, lineAt, refuse, refuseBroken, type Span } from './edit.ts'
import { fieldLike, newFields, type TokenContent } from './token-fields.ts'

/** A refresh token anywhere in the text; an empty one or null is none. */
const REFRESH_TOKEN = /"refresh_?token"\s*:\s*"[^"]/i

/** The text of a new `token.json`. */
export function formatTokenJson(content: TokenContent): string {
  return `${JSON.stringify(newFields(content), null, 2)}\n`
}

function spanOf(node: Node): { start: number; end: number } {
  return { start: node.offset, end: node.offset + node.length }
}

/** New fields go behind the last one, set off like the first one is from its brace. */
function addFields(text: string, root: Node, fields: readonly string[]): Span[] {
  const first = root.children?.[0]
  const last = root.children?.at(-1)
  if (!first || !last || fields.length === 0) return []
  const gap = /^\s*$/.exec(text.slice(root.offset + 1, first.offset))?.[0] ?? ' '
  const { end } = spanOf(last)
  const added = fields.map((field) => `,${gap}${field}`).join('')
  return [{ start: end, end, text: added, secret: false }]
}

function propertiesOf(root: Node): Map<string, Node> | string {
  const properties = new Map<string, Node>()
  for (const { children } of root.children ?? []) {
    const [key, value] = children ?? []
    if (!key || !value) continue
    if (properties.has(key.value)) return key.value
    properties.set(key.value, value)
  }
  return properties
}

/** Finds the token in the text of a `token.json` without byte order mark, and what puts the new one there. */
export async function editTokenJson(text: string, content: TokenContent): Promise<Edit | EditRefusal> {
  const { parseTree } = await import('jsonc-parser')
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  const [error] = errors
  if (!root || error)
    return refuseBroken(say`it is not valid JSON (line ${lineAt(text, error?.offset ?? 0)})`)
  const properties = root.type === 'object' ? propertiesOf(root) : new Map<string, Node>()
  if (typeof properties === 'string') return refuse(say`"${properties}" occurs more than once`)
  if (REFRESH_TOKEN.test(text)) {
    return refuse(say`it holds a refresh_token: import it with ${typed('import FILE')}, then delete the file`)
  }
  const place = properties.get('access_token')
  if (place?.type !== 'string') return refuse(say`it holds no access_token: delete it, or name another file`)
  if (isReference(place.value)) return refuse(say`access_token holds a reference, which is never overwritten`)
  const spans: Span[] = []
  for (const [name, node] of properties) {
    const raw = text.slice(node.offset, node.offset + node.length)
    // The token under a second name (`user_access_token`) goes along; what else a name holds is not ours.
    const isToken =
      node === place || (node.type === 'string' && node.value !== '' && node.value === place.value)
    const literal = isToken
      ? JSON.stringify(content.accessToken)
      : fieldLike(name, contentOf(node), raw, content)
    if (literal === null) return refuse(say`"${name}" describes the token in an unknown form`)
    if (literal !== undefined) spans.push({ ...spanOf(node), text: literal, secret: isToken })
  }
  const missing = Object.entries(newFields(content)).filter(([name]) => !properties.has(name))
  const added = missing.map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
  spans.push(...addFields(text, root, added))
  return { place: 'access_token', value: place.value, spans, inArgv: false }
}

/** What a field holds; of a list only that it is one. */
function contentOf(node: Node): unknown {
  return node.type === 'array' ? [] : node.type === 'object' ? {} : node.value
}
