// What the program promises about faults, crashes and crowds, as measured: `npm run bench:reliability [-- --short]`.
// The whole run tries everything as often as the figures ask for; the short one takes a few minutes.

import { type Kills, killLogins, killRefreshes } from '../test/faults/kills.ts'
import { printedSeed, seededRandom } from '../test/faults/process.ts'
import { openTheatre, type Theatre } from '../test/faults/scene.ts'
import { stopHolders } from '../test/faults/stops.ts'
import { AUTHORIZE_SWEEP, REFRESH_SWEEP } from '../test/faults/sweeps.ts'
import { WHOLE } from '../test/faults/variant.ts'
import { scanned } from '../test/support/invariants.ts'
import { measureCrowd, measureSuccession } from './reliability-crowd.ts'
import { measureSweep } from './reliability-sweep.ts'
import { countFalseLogouts, damageStore } from './reliability-verdicts.ts'
import { measureWindow, quantile } from './reliability-window.ts'

const SHORT = process.argv.includes('--short')
/** How often what is tried: as the figures ask for, or often enough to see that nothing is broken. */
const TIMES = SHORT
  ? { rounds: 5, refreshKills: 60, loginKills: 40, stops: 5, stopMs: 17_000, window: 300, every: 16 }
  : { rounds: 50, refreshKills: 600, loginKills: 400, stops: 100, stopMs: 60_000, window: 1_000, every: 1 }

type Measured = { measured: string; good: boolean }
type Figure = { figure: string; target: string; measure: () => Promise<Measured> }

async function inTheatre<T>(work: (theatre: Theatre) => Promise<T>): Promise<T> {
  const theatre = await openTheatre()
  try {
    return await work(theatre)
  } finally {
    await theatre.close()
  }
}

async function crowd(): Promise<Measured> {
  const { rounds, requests, calls, good } = await measureCrowd(WHOLE, TIMES.rounds)
  return {
    measured: `${requests} requests, ${good} of ${calls} good answers`,
    good: requests === rounds && good === calls,
  }
}

/** Loops at a time: each waits for its own processes most of the time. */
const LANES = { refresh: 3, login: 2 }

async function kills(): Promise<Measured> {
  const seed = printedSeed('kills')
  const refreshes = Array.from({ length: LANES.refresh }, (_, lane) => {
    const random = seededRandom(seed + lane)
    return inTheatre((theatre) => killRefreshes(theatre, WHOLE, TIMES.refreshKills / LANES.refresh, random))
  })
  const logins = Array.from({ length: LANES.login }, (_, lane) => {
    const random = seededRandom(seed + LANES.refresh + lane)
    return inTheatre((theatre) => killLogins(theatre, WHOLE, TIMES.loginKills / LANES.login, random))
  })
  const tallies = await Promise.all([...refreshes, ...logins])
  const sum = (of: keyof Kills) => tallies.reduce((total, tally) => total + tally[of], 0)
  return {
    measured:
      `${sum('kills')} kills: ${sum('unreadable')} unreadable stores, ` +
      `${sum('lostOutside')} grants lost outside the window, ${sum('lost')} inside it, each told; ${sum('slow')} next calls took more than 2 s`,
    good: sum('unreadable') + sum('lostOutside') === 0,
  }
}

async function window(): Promise<Measured> {
  const { ours, bare } = await measureWindow(TIMES.window)
  const ratio = (part: number) => quantile(ours, part) / quantile(bare, part)
  const ms = (part: number) => `${ratio(part).toFixed(2)} × (${quantile(ours, part).toFixed(2)} ms)`
  return {
    measured: `p50 ${ms(0.5)}, p99 ${ms(0.99)}, ${TIMES.window} rounds`,
    good: ratio(0.5) <= 2 && ratio(0.99) <= 5,
  }
}

async function succession(): Promise<Measured> {
  const took = await measureSuccession(WHOLE, 10)
  const worst = Math.max(...took)
  return {
    measured: `p50 ${quantile(took, 0.5).toFixed(0)} ms, worst of ${took.length} ${worst.toFixed(0)} ms`,
    good: worst <= 1_000,
  }
}

async function stops(): Promise<Measured> {
  const { stops: rounds, stopMs } = TIMES
  const tally = await inTheatre((theatre) => stopHolders(theatre, WHOLE, rounds, stopMs))
  const { doubled, ended, unanswered, slowestMs } = tally
  return {
    measured:
      `${doubled} in ${rounds} rounds, ${ended} holders ended well; ` +
      `whoever waited was answered after ${(slowestMs / 1_000).toFixed(1)} s at most`,
    good: doubled + unanswered === 0 && ended === rounds,
  }
}

async function falseLogouts(): Promise<Measured> {
  const { tried, falseLogouts } = await countFalseLogouts()
  return { measured: `${falseLogouts} of ${tried} answers`, good: falseLogouts === 0 }
}

async function damage(): Promise<Measured> {
  const { tried, takenForEmpty, overwritten } = await damageStore(printedSeed('mutations'))
  return {
    measured: `${tried} damaged records: ${takenForEmpty} taken for "not authorized", ${overwritten} overwritten`,
    good: takenForEmpty + overwritten === 0,
  }
}

const rows: { figure: string; target: string; measured: string; good: boolean }[] = []

/** A secret that is found breaks the run in which it was found: none was. */
async function secrets(): Promise<Measured> {
  const found = rows.filter(({ measured }) => measured.includes('holds a secret')).length
  const megabytes = (scanned.characters / 2 ** 20).toFixed(0)
  return {
    measured: `${found} in ${scanned.texts} outputs and files (${megabytes} MB)`,
    good: found === 0 && scanned.texts > 0,
  }
}

const FIGURES: Figure[] = [
  {
    figure: `8 processes × 25 calls, ${TIMES.rounds} rounds`,
    target: `${TIMES.rounds} requests, ${TIMES.rounds * 200} good answers`,
    measure: crowd,
  },
  {
    figure: 'last response byte → rename, against a bare write, fsync, rename, fsync in the same run',
    target: 'p50 ≤ 2 ×, p99 ≤ 5 ×',
    measure: window,
  },
  { figure: 'lock holder killed → the next one presents', target: '≤ 1 s', measure: succession },
  { figure: 'false logouts, over all codes and faults', target: '0', measure: falseLogouts },
  {
    figure: 'the record cut at every length and changed 1,000 times',
    target: '0 "not authorized", 0 overwrites',
    measure: damage,
  },
  {
    figure: `lock holders stopped for ${TIMES.stopMs / 1_000} s: double presentations`,
    target: `0 in ${TIMES.stops} rounds`,
    measure: stops,
  },
  {
    figure: 'SIGKILL at random in refresh and login loops',
    target: '0 unreadable stores, 0 lost grants outside the window that the ledger proves',
    measure: kills,
  },
  {
    figure: 'each system call of a refresh × 5 faults',
    target: 'all invariants hold; the control fails',
    measure: () => measureSweep(REFRESH_SWEEP, TIMES.every),
  },
  {
    figure: 'each system call of an authorization × 5 faults',
    target: 'all invariants hold; the control fails',
    measure: () => measureSweep(AUTHORIZE_SWEEP, TIMES.every),
  },
  { figure: 'secrets found in all of this, whole, in part or encoded', target: '0', measure: secrets },
]

for (const { figure, target, measure } of FIGURES) {
  const startedAt = performance.now()
  const { measured, good } = await measure().catch((error) => ({ measured: String(error), good: false }))
  rows.push({ figure, target, measured, good })
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  console.log(`${good ? 'ok  ' : 'FAIL'} ${figure}: ${measured} (${seconds} s)`)
}

const command = `npm run bench:reliability${SHORT ? ' -- --short' : ''}`
console.log(`\n${new Date().toISOString().slice(0, 10)}, \`${command}\`, Node ${process.versions.node}:\n`)
console.log('| figure | to reach | measured |\n| --- | --- | --- |')
for (const { figure, target, measured } of rows) console.log(`| ${figure} | ${target} | ${measured} |`)
const missed = rows.filter(({ good }) => !good)
if (missed.length > 0) console.log(`\nMISSED: ${missed.map(({ figure }) => figure).join('; ')}`)
process.exit(missed.length === 0 ? 0 : 1)
