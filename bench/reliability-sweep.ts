// Every system call of a run, struck by every fault, and the control in which the same sweep must find something.

import { openTheatre } from '../test/faults/scene.ts'
import { FAULTS, straceProblem } from '../test/faults/strace.ts'
import { isThorough, prepareSweep, sweep } from '../test/faults/sweep.ts'
import { type Sweep, sweptProgram } from '../test/faults/sweeps.ts'

/** Strikes every `every`th call with each fault. */
export async function measureSweep(
  suite: Sweep,
  every: number,
): Promise<{ measured: string; good: boolean }> {
  const { setTrial, control } = suite
  const problem = straceProblem()
  if (problem) return { measured: `not measured: ${problem}`, good: false }
  const theatre = await openTheatre()
  try {
    const swept = await prepareSweep(theatre, await sweptProgram(suite), setTrial)
    let tried = 0
    let missed = 0
    let lost = 0
    let thorough = true
    const broken: string[] = []
    for (const [index, fault] of FAULTS.entries()) {
      const points = swept.points.filter((_, call) => call % every === index % every)
      const tally = await sweep(swept, points, fault)
      tried += points.length
      missed += tally.missed.length
      lost += tally.lost.size
      thorough &&= isThorough(tally, points.length)
      broken.push(...tally.broken)
    }
    for (const promise of broken) console.log(`     ${promise}`)
    const main = await sweptProgram(suite, control.without)
    const weak = await prepareSweep(theatre, main, setTrial)
    const shown = weak.points.filter(({ where }) => control.at.test(where))
    const caught = (await sweep(weak, shown, 'SIGKILL')).broken.length
    const secret = broken.some((promise) => promise.includes('holds a secret')) ? ', one holds a secret' : ''
    return {
      measured:
        `${tried - missed} of ${tried} struck (${swept.points.length} calls × ${FAULTS.length} faults): ` +
        `${broken.length} broken promises${secret}; ${lost} lost an answer inside the window; control: ${caught} broken`,
      good: broken.length === 0 && thorough && caught > 0,
    }
  } finally {
    await theatre.close()
  }
}
