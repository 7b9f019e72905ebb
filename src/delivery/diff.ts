// Diffs for people: what changes in someone's config, with the lines around it, and no secret in any of them.

import { applyEdit, type Edit, type Span } from './edit.ts'
import { maskSecrets } from './mask.ts'

const OLD = '<present value>'
const NEW = '<access token>'
/** Lines around a change that are shown. */
const CONTEXT = 3
/** A line is shown so far: minified configs are one line of megabytes. */
const SHOWN_CHARS = 160
/** So much of a long line is shown before the change in it. */
const LEAD_CHARS = 60

/** A text before and after; null: there is no file yet. */
export type Change = {
  path: string
  before: string | null
  after: string
  /** The format of the text, for what is secret in it. */
  format: string
  /** What the change is about, shown beside the line numbers. */
  title: string
  /** Secrets that show nowhere. */
  known?: readonly string[]
}

/** How many characters two lines have in common at their beginning. */
function commonLead(left: string, right: string): number {
  let length = 0
  while (length < left.length && left[length] === right[length]) length += 1
  return length
}

/** A line, cut to what is around `at` if it is long. */
function shorten(line: string, at: number): string {
  if (line.length <= SHOWN_CHARS) return line
  const start = at > LEAD_CHARS ? at - LEAD_CHARS : 0
  const shown = line.slice(start, start + SHOWN_CHARS)
  return `${start > 0 ? '… ' : ''}${shown}${start + SHOWN_CHARS < line.length ? ' …' : ''}`
}

/** A hunk's lines, cut; a line that is taken away is cut where the one that takes its place differs. */
function shortenAll(lines: readonly string[]): string[] {
  const removed = lines.filter((line) => line.startsWith('-'))
  const added = lines.filter((line) => line.startsWith('+'))
  return lines.map((line) => {
    const partner = line.startsWith('-')
      ? added[removed.indexOf(line)]
      : line.startsWith('+')
        ? removed[added.indexOf(line)]
        : undefined
    const text = line.slice(1).replace(/\r$/, '')
    return line[0] + shorten(text, partner === undefined ? 0 : commonLead(text, partner.slice(1)))
  })
}

/** The unified diff of a change, with what is secret masked on both sides. */
export async function formatChange({ path, before, after, format, title, known }: Change): Promise<string> {
  const { structuredPatch } = await import('diff')
  const [old, now] = [before ?? '', after].map((text) => maskSecrets(text, format, known))
  const { hunks } = structuredPatch(path, path, old ?? '', now ?? '', '', '', { context: CONTEXT })
  const shown = hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    `@@ -${oldLines === 0 ? oldStart - 1 : oldStart},${oldLines} +${newStart},${newLines} @@ ${title}`,
    // That a file ends without a line end is no news.
    ...shortenAll(lines.filter((line) => !line.startsWith('\\'))),
  ])
  return [before === null ? '--- /dev/null' : `--- ${path}`, `+++ ${path}`, ...shown].join('\n')
}

/** The diff of an edit that puts `token` in: neither it nor the old one is shown. */
export function formatDiff(
  file: { path: string; text: string; edit: Edit; format: string },
  token: string,
): Promise<string> {
  const { path, text, edit, format } = file
  const withToken = (mask: string, others: (span: Span) => string) =>
    applyEdit(
      text,
      edit.spans.map((span) => ({
        ...span,
        text: span.secret ? span.text.replace(token, mask) : others(span),
      })),
    )
  const before = withToken(edit.value === '' ? '' : OLD, ({ start, end }) => text.slice(start, end))
  const after = withToken(NEW, (span) => span.text)
  return formatChange({ path, before, after, format, title: edit.place })
}

/** The diff of a file that does not exist yet; its text holds the token as `token`. */
export function formatCreation(path: string, text: string, token: string): Promise<string> {
  const after = text.replaceAll(token, NEW)
  return formatChange({ path, before: null, after, format: 'json', title: 'new file' })
}
