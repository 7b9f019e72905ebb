// What the program promises about faults, crashes and crowds, as measured: `npm run bench:reliability [-- --long]`.
// The short form takes minutes; the long one tries everything as often as the figures ask for.

import { setAuthorizeTrial, strikable } from '../test/faults/authorize-trial.ts'
import { killLogins, killRefreshes } from '../test/faults/kills.ts'
import { printedSeed, seededRandom } from '../test/faults/process.ts'
import { setRefreshTrial } from '../test/faults/refresh-trial.ts'
import { openTheatre, type Theatre } from '../test/faults/scene.ts'
import { stopHolders } from '../test/faults/stops.ts'
import { discover, FAULTS, type Fault, straceProblem } from '../test/faults/strace.ts'
import { sweep, type Trial } from '../test/faults/sweep.ts'
import { buildVariant } from '../test/faults/variant.ts'
import { scanned } from '../test/support/invariants.ts'
import { measureCrowd, measureSuccession } from './reliability-crowd.ts'
import { countFalseLogouts, damageStore } from './reliability-verdicts.ts'
import { measureWindow, quantile } from './reliability-window.ts'

const LONG = process.argv.includes('--long')
/** How often what is tried: as the figures ask for, or often enough to see that nothing is broken. */
const TIMES = LONG
  ? { rounds: 50, refreshKills: 600, loginKills: 400, stops: 25, batches: 4, stopMs: 60_000, window: 1_000 }
  : { rounds: 5, refreshKills: 60, loginKills: 40, stops: 5, batches: 1, stopMs: 17_000, window: 300 }
const SWEPT: readonly Fault[] = LONG ? FAULTS : ['SIGKILL']

type Row = { figure: string; measured: string; good: boolean }

const rows: Row[] = []

async function row(
  figure: string,
  measure: () => Promise<{ measured: string; good: boolean }>,
): Promise<void> {
  const startedAt = performance.now()
  const { measured, good } = await measure().catch((error) => ({ measured: String(error), good: false }))
  rows.push({ figure, measured, good })
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  console.log(`${good ? 'ok  ' : 'FAIL'} ${figure}: ${measured} (${seconds} s)`)
}

async function inTheatre<T>(work: (theatre: Theatre) => Promise<T>): Promise<T> {
  const theatre = await openTheatre()
  try {
    return await work(theatre)
  } finally {
    await theatre.close()
  }
}

async function crowd(main: string) {
  const { rounds, requests, calls, good } = await measureCrowd(main, TIMES.rounds)
  return {
    measured: `${requests} requests, ${good} of ${calls} good answers`,
    good: requests === rounds && good === calls,
  }
}

async function kills(main: string) {
  const random = seededRandom(printedSeed('kills'))
  const refreshes = await inTheatre((theatre) => killRefreshes(theatre, main, TIMES.refreshKills, random))
  const logins = await inTheatre((theatre) => killLogins(theatre, main, TIMES.loginKills, random))
  const unreadable = refreshes.unreadable + logins.unreadable
  const lost = `${refreshes.lost + logins.lost} answers lost inside the window, each told`
  const total = refreshes.kills + logins.kills
  return {
    measured: `${total} kills: ${unreadable} unreadable stores, ${lost}`,
    good: unreadable + refreshes.slow === 0,
  }
}

async function swept(main: string, setUp: (theatre: Theatre, main: string) => Promise<Trial>) {
  const problem = straceProblem()
  if (problem) return { measured: `not measured: ${problem}`, good: false }
  return inTheatre(async (theatre) => {
    const { scene, program, talk } = await setUp(theatre, main)
    const points = strikable((await discover(program, talk)).points)
    scene.close()
    let struck = 0
    const broken: string[] = []
    for (const fault of SWEPT) {
      const tally = await sweep(points, fault, () => setUp(theatre, main))
      struck += points.length - tally.missed.length
      broken.push(...tally.broken)
    }
    for (const promise of broken) console.log(`     ${promise}`)
    const tried = points.length * SWEPT.length
    const secret = broken.some((promise) => promise.includes('holds a secret')) ? ', one holds a secret' : ''
    const measured = `${struck} of ${tried} (${points.length} calls × ${SWEPT.join(', ')}): ${broken.length} broken promises${secret}`
    return { measured, good: broken.length === 0 && struck / tried > 0.98 }
  })
}

async function window() {
  const { ours, bare } = await measureWindow(TIMES.window)
  const ratio = (part: number) => quantile(ours, part) / quantile(bare, part)
  const ms = (part: number) => `${quantile(ours, part).toFixed(2)} ms = ${ratio(part).toFixed(2)} ×`
  return { measured: `p50 ${ms(0.5)}, p99 ${ms(0.99)}`, good: ratio(0.5) <= 2 && ratio(0.99) <= 5 }
}

async function succession(main: string) {
  const took = await measureSuccession(main, 10)
  const worst = Math.max(...took)
  return {
    measured: `p50 ${quantile(took, 0.5).toFixed(0)} ms, worst ${worst.toFixed(0)} ms`,
    good: worst <= 1_000,
  }
}

async function stops(main: string) {
  let doubled = 0
  let ended = 0
  let slowest = 0
  for (let batch = 0; batch < TIMES.batches; batch += 1) {
    const tally = await inTheatre((theatre) => stopHolders(theatre, main, TIMES.stops, TIMES.stopMs))
    doubled += tally.doubled
    ended += tally.ended
    slowest = Math.max(slowest, tally.slowestMs)
  }
  const rounds = TIMES.stops * TIMES.batches
  const measured = `${doubled} double presentations in ${rounds} rounds of ${TIMES.stopMs / 1_000} s; others answered after ${(slowest / 1_000).toFixed(1)} s at most`
  return { measured, good: doubled === 0 && ended === rounds }
}

async function falseLogouts() {
  const { tried, falseLogouts } = await countFalseLogouts()
  return { measured: `${falseLogouts} of ${tried} answers`, good: falseLogouts === 0 }
}

/** A secret that is found breaks the run in which it was found: none was. */
async function secrets() {
  const broken = rows.filter(({ measured }) => measured.includes('holds a secret')).length
  const megabytes = (scanned.characters / 2 ** 20).toFixed(0)
  return {
    measured: `${broken} in ${scanned.texts} outputs and files (${megabytes} MB), whole, in part and encoded`,
    good: broken === 0,
  }
}

async function damage() {
  const { tried, takenForEmpty, overwritten } = await damageStore(printedSeed('mutations'))
  const measured = `${tried} damaged records: ${takenForEmpty} taken for "not authorized", ${overwritten} overwritten`
  return { measured, good: takenForEmpty + overwritten === 0 }
}

const main = await buildVariant('whole')
await row(`8 processes × 25 calls, ${TIMES.rounds} rounds`, () => crowd(main))
await row('last response byte → rename, against a bare write, fsync, rename, fsync', window)
await row('lock holder killed → next one presents', () => succession(main))
await row('logins declared dead that live, over all codes and faults', falseLogouts)
await row('truncation at every length, 1,000 mutations', damage)
await row('SIGKILL at random moments of refreshes and logins', () => kills(main))
await row('lock holder stopped', () => stops(main))
await row('system call sweep, refresh', () => swept(main, setRefreshTrial))
await row('system call sweep, authorization', () => swept(main, setAuthorizeTrial))
await row('secrets found', secrets)

console.log('\n| figure | measured |\n| --- | --- |')
for (const { figure, measured } of rows) console.log(`| ${figure} | ${measured} |`)
process.exit(rows.every((entry) => entry.good) ? 0 : 1)
