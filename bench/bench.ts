// The figures, as ratios within this run: npm run bench [-- --short] [--node PATH] [--write-baseline] [--write-docs].
// The full run fails where a target is missed; the short one, for CI, where a figure is a quarter worse than in
// baseline.json. `--only NAME` runs one of the six benches.

import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { better, readBaseline, regressions, writeBaseline } from './baseline.ts'
import { benchConnect } from './connect.ts'
import { type Course, type Figure, isReached, plainTable } from './figure.ts'
import { benchGateway } from './gateway.ts'
import { benchHerd } from './herd.ts'
import { benchLive } from './live.ts'
import { benchPostgres } from './postgres.ts'
import { writeDocs } from './report.ts'
import { benchStartup } from './startup.ts'

type Bench = (course: Course) => Promise<Figure[]>

const BENCHES: Record<string, Bench> = {
  startup: benchStartup,
  live: benchLive,
  herd: benchHerd,
  gateway: benchGateway,
  connect: benchConnect,
  postgres: benchPostgres,
}

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
    only: { type: 'string' },
    'write-baseline': { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
  },
})

/**
 * Measures, and in the short form what looks worse once more: on a machine that others use too, one bad minute is
 * common and two in a row are not.
 */
async function measure(bench: Bench, course: Course): Promise<Figure[]> {
  const figures = await bench(course)
  if (!course.short || regressions(figures, baseline).length === 0) return figures
  const again = await bench(course)
  return figures.map((figure) =>
    better(
      figure,
      again.find(({ key }) => key === figure.key),
    ),
  )
}

// Half a table is worse than the one of the last time.
const whole = options.only === undefined
if ((options['write-docs'] && (options.short || !whole)) || (options['write-baseline'] && !whole)) {
  process.stderr.write(
    '--write-docs wants a full run, and neither it nor --write-baseline goes with --only.\n',
  )
  process.exit(2)
}

/** As a reader would type it. */
function commandOf({ node }: Course): string {
  return node === process.execPath ? 'npm run bench' : 'npm run bench -- --node PATH'
}

// A start takes the code that the Node which built the program has kept.
if (options.node !== process.execPath) execFileSync(options.node, ['scripts/build.mjs'], { stdio: 'inherit' })
const course: Course = { node: options.node, short: options.short }
const nodeVersion = execFileSync(course.node, ['-p', 'process.version'], { encoding: 'utf8' }).trim()
const baseline = readBaseline(nodeVersion)
const figures: Figure[] = []
for (const [name, bench] of Object.entries(BENCHES)) {
  if (options.only === undefined || options.only === name) figures.push(...(await measure(bench, course)))
}

process.stdout.write(
  `Node ${nodeVersion}, ${course.short ? 'short' : 'full'} run\n\n${plainTable(figures)}\n`,
)
const missed = figures.filter((figure) => !isReached(figure))
const worse = regressions(figures, baseline)
for (const { key, figure, value } of worse)
  process.stdout.write(`\nWORSE: ${figure}: ${value.toFixed(2)}, was ${baseline[key]}`)
if (missed.length > 0) process.stdout.write(`\n${missed.length} of the targets missed`)
process.stdout.write('\n')

if (options['write-baseline']) writeBaseline(figures, nodeVersion)
if (options['write-docs']) writeDocs(figures, nodeVersion, commandOf(course))
// A target is for a quiet machine; what counts anywhere is that nothing became worse, and that nothing is sent twice.
const failed = course.short ? [...worse, ...missed.filter(({ exact }) => exact)] : missed
process.exitCode = failed.length > 0 && !options['write-baseline'] ? 1 : 0
