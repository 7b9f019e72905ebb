// npm run bench [-- --short]: the figures, as ratios within this run.

import { benchGateway } from './gateway.ts'
import { benchStartup, type Figure } from './startup.ts'

const short = process.argv.includes('--short')

// It alone adds half a start to every start of Node.
delete process.env.NODE_EXTRA_CA_CERTS

const figures: Figure[] = await benchStartup(short ? 15 : 31)
for (const row of await benchGateway(short ? { rounds: 3, bytes: 20_000_000 } : {})) {
  figures.push({ figure: row.figure, value: row.value.toFixed(2), target: row.target, met: row.met })
}

const width = Math.max(...figures.map(({ figure }) => figure.length))
process.stdout.write(`Node ${process.version}\n\n`)
for (const { figure, value, target, met } of figures) {
  process.stdout.write(
    `${figure.padEnd(width)}  ${value.padStart(8)}  ${target.padEnd(10)}  ${met ? 'reached' : 'not reached'}\n`,
  )
}
