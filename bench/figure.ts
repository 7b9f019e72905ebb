// What the benches yield: one row for each figure, and the little arithmetic that they share.

export type Target = { atMost: number } | { atLeast: number }

export type Figure = {
  /** Its name in baseline.json and in bench/README.md. */
  key: string
  figure: string
  value: number
  /** What the value is measured in; one that begins with × is a ratio within the run. */
  unit: string
  target: Target | null
  /** A count and no time: its target holds on any machine. */
  exact?: true
  /** The same of other programs, from the same run. */
  peers?: { name: string; value: number }[]
}

/** Everything the benches are told. */
export type Course = {
  /** The Node that everything measured runs on. */
  node: string
  short: boolean
}

/** The value that a share `part` of the values does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function isRatio({ unit }: Figure): boolean {
  return unit.startsWith('×')
}

export function isReached({ value, target }: Figure): boolean {
  if (!target) return true
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast
}

/** Three digits tell everything that such a run can know. */
function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function shownTarget(target: Target | null): string {
  if (!target) return '–'
  return 'atMost' in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`
}

/** The cells of a row: figure, measured, target, reached, others. */
export function cellsOf(figure: Figure): string[] {
  const { target, peers = [] } = figure
  const reached = !target ? '–' : isReached(figure) ? 'yes' : 'NO'
  const others = peers.map(({ name, value }) => `${name} ${shown(value)}`).join(', ')
  return [figure.figure, `${shown(figure.value)} ${figure.unit}`, shownTarget(target), reached, others]
}

export const HEAD: readonly string[] = ['figure', 'measured', 'to reach', 'reached', 'peers, same run']

/** The table for a terminal. */
export function plainTable(figures: readonly Figure[]): string {
  const rows = [[...HEAD], ...figures.map(cellsOf)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}

/** The table for a document. */
export function markdownTable(figures: readonly Figure[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(HEAD), line(HEAD.map(() => '---')), ...figures.map((figure) => line(cellsOf(figure)))].join(
    '\n',
  )
}
