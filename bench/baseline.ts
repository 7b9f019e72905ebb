// The ratios of an earlier run, kept in baseline.json by the major version of Node, and what has become worse since.

import { readFileSync, writeFileSync } from 'node:fs'
import { type Figure, isRatio } from './figure.ts'

const PATH = 'bench/baseline.json'
/** What the noise of a shared machine does not do twice in a row. */
const REGRESSION = 1.25

type Baseline = Record<string, Record<string, number>>

function readBaseline(): Baseline {
  return JSON.parse(readFileSync(PATH, 'utf8')) as Baseline
}

/** `v20.20.2` → `20`. */
function majorOf(nodeVersion: string): string {
  return /^v(\d+)/.exec(nodeVersion)?.[1] ?? nodeVersion
}

/** How many times worse than in the baseline; 1 where that knows nothing of it. */
function worsening(figure: Figure, before: number | undefined): number {
  if (before === undefined || !isRatio(figure)) return 1
  const grown = figure.value / before
  return figure.target && 'atLeast' in figure.target ? 1 / grown : grown
}

/** The rows that are more than a quarter worse than in the baseline of this Node, and by how much. */
export function regressions(
  figures: readonly Figure[],
  nodeVersion: string,
): { figure: Figure; before: number }[] {
  const baseline = readBaseline()[majorOf(nodeVersion)] ?? {}
  return figures
    .filter((figure) => worsening(figure, baseline[figure.key]) > REGRESSION)
    .map((figure) => ({ figure, before: baseline[figure.key] ?? Number.NaN }))
}

/** Keeps the ratios of a run as the baseline of its Node. */
export function writeBaseline(figures: readonly Figure[], nodeVersion: string): void {
  const ratios = figures.filter(isRatio).map(({ key, value }) => [key, Number(value.toFixed(3))])
  const baseline = { ...readBaseline(), [majorOf(nodeVersion)]: Object.fromEntries(ratios) }
  writeFileSync(PATH, `${JSON.stringify(baseline, null, 2)}\n`)
}
