// A sweep as tests: each fault at the chosen calls, and a control that the sweep must find broken.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { printedSeed, seededRandom } from './process.ts'
import { openTheatre, type Theatre } from './scene.ts'
import { FAULTS, type Point, straceProblem } from './strace.ts'
import { isThorough, prepareSweep, type SetTrial, type Swept, sweep } from './sweep.ts'
import { sweptProgram } from './sweeps.ts'
import type { Patch } from './variant.ts'

export type SweepSuite = {
  name: string
  setTrial: SetTrial
  /** What is changed in the program for the sweep's sake, and breaks no promise. */
  eased?: readonly Patch[]
  /** Every how manieth call is struck; 1: all. Each fault begins at another one, by a seed that is printed. */
  every: number
  /** A protection that is taken out, and the calls at which a kill shows it. */
  control: { without: Patch; at: RegExp }
}

const HALF_AN_HOUR = 1_800_000

/** A sample leaves those out that are hard to find again: how often a socket is read depends on the network. */
function sample(points: readonly Point[], every: number, random: () => number): Point[] {
  if (every === 1) return [...points]
  const first = Math.floor(random() * every)
  const steady = points.filter(({ where }) => !/^(read|close) socket/.test(where))
  return steady.filter((_, index) => index % every === first)
}

/** Declares the tests of a sweep. */
export function describeSweep(suite: SweepSuite): void {
  const { name, setTrial, every, control } = suite

  const problem = straceProblem()
  if (problem) console.warn(`SKIPPED: the system call sweep of ${name}. ${problem}`)

  describe.skipIf(problem)(name, () => {
    let theatre: Theatre
    let swept: Swept
    let random: () => number
    beforeAll(async () => {
      theatre = await openTheatre()
      swept = await prepareSweep(theatre, await sweptProgram(suite), setTrial)
      random = every > 1 ? seededRandom(printedSeed(`sweep of ${name}`)) : () => 0
    })
    afterAll(() => theatre.close())

    test.each(FAULTS)('keeps its promises with %s', { timeout: HALF_AN_HOUR }, async (fault) => {
      const points = sample(swept.points, every, random)
      const tally = await sweep(swept, points, fault)
      const struck = points.length - tally.missed.length
      console.log(
        `${name}, ${fault}: ${struck} of ${points.length} calls struck (${swept.points.length} in all)`,
      )
      for (const where of tally.lost) console.log(`  the answer was lost: ${where}`)
      for (const where of tally.missed) console.log(`  not struck: ${where}`)
      expect(tally.broken).toEqual([])
      expect(isThorough(tally, points.length)).toBe(true)
    })

    test('breaks them without a protection: the control', { timeout: HALF_AN_HOUR }, async () => {
      const main = await sweptProgram(suite, control.without)
      const weak = await prepareSweep(theatre, main, setTrial)
      const points = weak.points.filter(({ where }) => control.at.test(where))
      expect((await sweep(weak, points, 'SIGKILL')).broken).not.toEqual([])
    })
  })
}
