// A row of members in a config's text: some go, others come, and what stays is as it was, commas and comments too.

import type { Container, Member } from './config-tree.ts'

/** How values are written at a place. */
export type Layout = {
  toml: boolean
  eol: string
  unit: string
  /** Behind a comma or a colon in one line. */
  gap: string
}

export type Range = { start: number; end: number }
/** What goes, and what comes; text that takes a place is a range with a text. */
export type Changes = { deleted: Range[]; written: (Range & { text: string })[] }

/** The pairs of positions that two rows have in common, in order: as many as there can be. */
function commonPairs(before: readonly string[], after: readonly string[]): [number, number][] {
  const rows = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0))
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      const row = rows[i] ?? []
      row[j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const pairs: [number, number][] = []
  let [i, j] = [0, 0]
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) pairs.push([i++, j++])
    else if (at(i + 1, j) >= at(i, j + 1)) i += 1
    else j += 1
  }
  return pairs
}

/** The comma behind a member, up to `end`; null: there is none. Comments may hold commas too. */
function commaBehind(text: string, from: number, end: number, toml: boolean): number | null {
  const comments = toml ? /#[^\n]*/g : /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g
  const bare = text.slice(from, end).replace(comments, (comment) => ' '.repeat(comment.length))
  const at = bare.indexOf(',')
  return at === -1 ? null : from + at
}

export function indentAt(text: string, at: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', at - 1) + 1))?.[0] ?? ''
}

/** What stands between two members: as between those that are there. */
function separatorOf(text: string, container: Container, members: readonly Member[], layout: Layout): string {
  const [first] = members
  const comma = container.separator === 'comma' ? ',' : ''
  if (!first) return comma ? comma + layout.gap : layout.eol
  const ownLine = text.slice(container.start, first.start).includes('\n')
  if (!comma || ownLine) return comma + layout.eol + indentAt(text, first.start)
  return comma + layout.gap
}

type Row = {
  container: Container
  members: readonly Member[]
  /** What tells the members apart, and those of the row that is wanted. */
  before: readonly string[]
  after: readonly string[]
  write: (index: number) => string
}

/** Changes a row of members; the pairs of those that stay are returned. */
export function changeRow(text: string, row: Row, layout: Layout, changes: Changes): [number, number][] {
  const { container, members, before, after, write } = row
  const pairs = commonPairs(before, after)
  const separator = separatorOf(text, container, members, layout)
  const commas = members.map(({ end }, index) =>
    container.separator === 'line'
      ? null
      : commaBehind(text, end, members[index + 1]?.start ?? container.end, layout.toml),
  )
  /** The last member whose place is still taken. */
  let last = -1
  let [i, j] = [0, 0]
  for (const [nextI, nextJ] of [...pairs, [members.length, after.length] as [number, number]]) {
    const added = Array.from({ length: nextJ - j }, (_, index) => write(j + index))
    const removed = Array.from({ length: nextI - i }, (_, index) => i + index)
    if (added.length > 0) {
      const place = members[removed[0] ?? -1]
      const written = added.join(separator)
      if (place) {
        changes.written.push({ start: place.start, end: place.end, text: written })
        last = removed.shift() ?? last
      } else if (members[nextI]) insert(members[nextI].start, written + separator)
      else if (last >= 0) insert(endOf(members[last]), separator + written)
      else insert(container.start, container.separator === 'line' ? separator + written : written)
    }
    for (const index of removed) {
      changes.deleted.push(members[index] as Member)
      deleteComma(index)
    }
    if (nextI < members.length) last = nextI
    ;[i, j] = [nextI + 1, nextJ + 1]
  }
  // Before the end there is a comma only where there was one.
  if (last >= 0 && last < members.length - 1 && commas.at(-1) === null) deleteComma(last)
  return pairs

  function insert(at: number, written: string): void {
    changes.written.push({ start: at, end: at, text: written })
  }
  function deleteComma(index: number): void {
    const at = commas[index] ?? null
    if (at !== null) changes.deleted.push({ start: at, end: at + 1 })
  }
  /** A line goes on behind its value, with a comment. */
  function endOf(member: Member | undefined): number {
    const end = member?.end ?? container.start
    if (container.separator === 'comma') return end
    return end + (/^[^\r\n]*/.exec(text.slice(end))?.[0].length ?? 0)
  }
}
