// The `token.json` of the old script: a file of its own for the access token, never a refresh token.

import type { Node, ParseError } from 'jsonc-parser'
import { type Edit, isReference, lineAt, type Refusal, refuse, refuseBroken, type Span } from './edit.ts'

/** The token and what a `token.json` says about it. */
export type TokenContent = {
  accessToken: string
  accessTokenExpiresAt: number
  scopes: readonly string[]
  now: number
}

/** Numbers below this are seconds, above it milliseconds: it is the year 5138 in the one and 1973 in the other. */
const SECONDS_BELOW = 100_000_000_000
/** A refresh token anywhere in the text; an empty one or null is none. */
const REFRESH_TOKEN = /"refresh_token"\s*:\s*"[^"]/

function fieldsOf(content: TokenContent): Record<string, string | number> {
  const { accessToken, accessTokenExpiresAt, scopes, now } = content
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: Math.max(0, Math.floor((accessTokenExpiresAt - now) / 1000)),
    expires_at: new Date(accessTokenExpiresAt).toISOString(),
    scope: scopes.join(' '),
  }
}

/** The text of a new `token.json`. */
export function formatTokenJson(content: TokenContent): string {
  return `${JSON.stringify(fieldsOf(content), null, 2)}\n`
}

/** The literal of a field. Readers that keep `expires_at` as a number go on finding one, in their own unit. */
function literalOf(name: string, value: string | number, before: unknown, expiresAt: number): string {
  if (name !== 'expires_at' || typeof before !== 'number') return JSON.stringify(value)
  return String(before < SECONDS_BELOW ? Math.floor(expiresAt / 1000) : expiresAt)
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
export async function editTokenJson(text: string, content: TokenContent): Promise<Edit | Refusal> {
  const { parseTree } = await import('jsonc-parser')
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  const [error] = errors
  if (!root || error) return refuseBroken(`it is not valid JSON (line ${lineAt(text, error?.offset ?? 0)})`)
  const properties = root.type === 'object' ? propertiesOf(root) : new Map<string, Node>()
  if (typeof properties === 'string') return refuse(`"${properties}" occurs more than once`)
  if (REFRESH_TOKEN.test(text)) {
    return refuse('it holds a refresh_token: take it over with `import`, then delete the file')
  }
  const place = properties.get('access_token')
  if (place?.type !== 'string') return refuse('it holds no access_token: delete it, or name another file')
  if (isReference(place.value)) return refuse('access_token holds a reference, which is never overwritten')
  const spans: Span[] = []
  const missing: string[] = []
  for (const [name, value] of Object.entries(fieldsOf(content))) {
    const node = properties.get(name)
    const literal = literalOf(name, value, node?.value, content.accessTokenExpiresAt)
    if (!node) missing.push(`${JSON.stringify(name)}: ${literal}`)
    else spans.push({ ...spanOf(node), text: literal, secret: node === place })
  }
  spans.push(...addFields(text, root, missing))
  return { place: 'access_token', value: place.value, spans, inArgv: false }
}
