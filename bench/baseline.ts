// The ratios of an earlier run, kept in baseline.json by the major version of Node, and what has become worse since.

import { readFileSync, writeFileSync } from 'node:fs'
import { type Figure, isRatio } from './figure.ts'

const PATH = 'bench/baseline.json'
/** What the noise of a shared machine does not do twice in a row. */
const REGRESSION = 1.25
/** A quotient of two waits of some milliseconds: it doubles from one run to the next. */
const UNSTEADY = ['herd-growth']

type Ratios = Record<string, number>

/** `v20.20.2` → `20`. */
function majorOf(nodeVersion: string): string {
  return /^v(\d+)/.exec(nodeVersion)?.[1] ?? nodeVersion
}

function readAll(): Record<string, Ratios> {
  return JSON.parse(readFileSync(PATH, 'utf8')) as Record<string, Ratios>
}

/** The ratios kept for a Node; none where it was never measured. */
export function readBaseline(nodeVersion: string): Ratios {
  return readAll()[majorOf(nodeVersion)] ?? {}
}

/** Keeps the ratios of a run as the baseline of its Node. */
export function writeBaseline(figures: readonly Figure[], nodeVersion: string): void {
  const steady = figures.filter((figure) => isRatio(figure) && !UNSTEADY.includes(figure.key))
  const ratios = steady.map(({ key, value }) => [key, Number(value.toFixed(3))])
  const all = { ...readAll(), [majorOf(nodeVersion)]: Object.fromEntries(ratios) }
  writeFileSync(PATH, `${JSON.stringify(all, null, 2)}\n`)
}

/** How many times worse than before; 1 where nothing is known of before. */
function worsening(figure: Figure, before: number | undefined): number {
  if (before === undefined || !isRatio(figure)) return 1
  const grown = figure.value / before
  return figure.target && 'atLeast' in figure.target ? 1 / grown : grown
}

/** The rows that are more than a quarter worse than in the baseline. */
export function regressions(figures: readonly Figure[], baseline: Ratios): Figure[] {
  return figures.filter((figure) => worsening(figure, baseline[figure.key]) > REGRESSION)
}

/** Takes the better of two measurements of a figure. */
export function better(first: Figure, again: Figure | undefined): Figure {
  return again && worsening(again, first.value) < 1 ? again : first
}
