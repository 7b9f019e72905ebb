// A diff for people that shows where a file changes and no secret: not the token, not what else stands on its line.

import { lineAt, type Span } from './edit.ts'

/** How much of a line before the value is looked at: minified configs are one line of megabytes. */
const MAX_LEAD = 200

const OLD = '<present value>'
const NEW = '<access token>'

/** The value's own name or option, and its opening quote. */
const OWN_NAME = /(?:["']?[\w.-]+["']?\s*[:=]\s*|["'](?:-u|--user-access-token)["']\s*,\s*)?["'`]*$/
const OWN_END = /^["'`]*[\s,}\]]*/

/** What stands before a value on its line, cut down to what belongs to the value. */
function shortenLead(lead: string): string {
  const name = OWN_NAME.exec(lead)?.[0] ?? ''
  const rest = lead.slice(0, lead.length - name.length)
  return /^\s*(?:export\s+)?$/.test(rest) ? lead : `… ${name}`
}

/** What stands behind a value on its line, cut down likewise. */
function shortenTail(tail: string): string {
  const end = OWN_END.exec(tail)?.[0] ?? ''
  return end === tail ? tail : `${end.trimEnd()} …`
}

function hunk(text: string, span: Span, place: string): string[] {
  const lineStart = text.lastIndexOf('\n', span.start - 1) + 1
  const lineEnd = text.indexOf('\n', span.end)
  const lead = shortenLead(text.slice(Math.max(lineStart, span.start - MAX_LEAD), span.start))
  const tail = shortenTail(text.slice(span.end, lineEnd === -1 ? undefined : lineEnd).trimEnd())
  const before = span.secret && span.end > span.start ? OLD : text.slice(span.start, span.end)
  const after = span.secret ? NEW : span.text
  const changed = [
    `-${lead}${before}${tail}`,
    ...`${lead}${after}${tail}`.split('\n').map((line) => `+${line}`),
  ]
  return [`@@ line ${lineAt(text, span.start)}: ${place} @@`, ...changed]
}

/** The diff of an edit, with old and new token masked. */
export function formatDiff(
  path: string,
  text: string,
  edit: { place: string; spans: readonly Span[] },
): string {
  const spans = edit.spans.filter((span) => span.secret || span.text !== text.slice(span.start, span.end))
  return [`--- ${path}`, `+++ ${path}`, ...spans.flatMap((span) => hunk(text, span, edit.place))].join('\n')
}

/** The diff of a file that does not exist yet; its text holds the token as `token`. */
export function formatCreation(path: string, text: string, token: string): string {
  const lines = text.replaceAll(token, NEW).trimEnd().split('\n')
  return [
    '--- /dev/null',
    `+++ ${path}`,
    '@@ new file, mode 0600 @@',
    ...lines.map((line) => `+${line}`),
  ].join('\n')
}
