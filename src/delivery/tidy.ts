// What is taken out of a config's text takes the blanks around it along, and the line that nothing is left of.

import type { Range } from './row.ts'

/** Ranges with nothing but blanks between them, as one. */
function merge(text: string, ranges: readonly Range[]): Range[] {
  const merged: Range[] = []
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last && /^[ \t]*$/.test(text.slice(last.end, start))) last.end = Math.max(last.end, end)
    else merged.push({ start, end })
  }
  return merged
}

/** Ranges of a text that go, widened. */
export function tidyDeletions(text: string, ranges: readonly Range[]): Range[] {
  const widened = merge(text, ranges).map(({ start, end }): Range => {
    const before = /[ \t]*$/.exec(text.slice(text.lastIndexOf('\n', start - 1) + 1, start))?.[0].length ?? 0
    const after = /^[ \t]*/.exec(text.slice(end))?.[0].length ?? 0
    const lineStart = start - before === 0 || text[start - before - 1] === '\n'
    const rest = text.slice(end + after)
    const lineEnd = /^(?:\r?\n|$)/.exec(rest)
    if (lineStart && lineEnd) return { start: start - before, end: end + after + lineEnd[0].length }
    if (lineEnd || /^[\]}]/.test(rest)) return { start: start - before, end }
    return { start, end: end + after }
  })
  // Where whole lines go, one of two empty lines around them goes too.
  return merge(text, widened).map(({ start, end }) => {
    // Two line ends at most.
    const above = /(?:^|\n)(\r?\n)$/.exec(text.slice(Math.max(0, start - 4), start))?.[1]
    const isLine = start === 0 || text[start - 1] === '\n'
    if (!isLine || above === undefined || !/^(?:\r?\n|$)/.test(text.slice(end))) return { start, end }
    return { start: start - above.length, end }
  })
}
