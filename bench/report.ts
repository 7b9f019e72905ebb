// What a full run leaves in the documents: the tables of bench/README.md, and the plots.

import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, type } from 'node:os'
import { type Figure, markdownTable } from './figure.ts'
import { plotHerd, plotStartup } from './plots.ts'

const README = 'bench/README.md'

/** Puts the figures of one Node between its two comments; the text around them stays. */
function replaceTable(readme: string, major: string, table: string): string {
  const [begin, end] = [`<!-- figures: node ${major} -->`, '<!-- figures end -->']
  const from = readme.indexOf(begin)
  const to = readme.indexOf(end, from)
  if (from === -1 || to === -1)
    throw new Error(`${README} has no place for the figures of Node ${major}: ${begin}`)
  return `${readme.slice(0, from)}${begin}\n\n${table}\n\n${readme.slice(to)}`
}

/** Writes the table into bench/README.md and, for the Node that the program is built for first, draws the plots. */
export function writeDocs(figures: readonly Figure[], nodeVersion: string, command: string): void {
  const major = nodeVersion.slice(1).split('.')[0] ?? ''
  const day = new Date().toISOString().slice(0, 10)
  const taken = `Node ${nodeVersion}, ${type()} on ${cpus().length} cores, ${day}`
  const table = `${taken}: \`${command}\`\n\n${markdownTable(figures)}`
  writeFileSync(README, replaceTable(readFileSync(README, 'utf8'), major, table))
  const initialize = figures.find(({ key }) => key === 'initialize')
  const herds = figures.filter(({ key }) => /^herd-\d+$/.test(key))
  if (major !== '20') return
  if (initialize) writeFileSync('docs/figures/startup.svg', plotStartup(initialize, taken))
  if (herds.length > 0) writeFileSync('docs/figures/herd.svg', plotHerd(herds, taken))
}
