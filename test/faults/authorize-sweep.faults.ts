// The end of an authorization by a pasted address, with every fault at every system call.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerOf } from './authorization.ts'
import { setAuthorizeTrial, strikable } from './authorize-trial.ts'
import { openTheatre, type Theatre } from './scene.ts'
import { discover, FAULTS, type Point, straceProblem } from './strace.ts'
import { report, sweep } from './sweep.ts'
import { buildVariant } from './variant.ts'

const problem = straceProblem()
if (problem) console.warn(`SKIPPED: the system call sweep of an authorization. ${problem}`)

describe.skipIf(problem)('the end of an authorization', () => {
  let theatre: Theatre
  let main: string
  let points: Point[]
  beforeAll(async () => {
    theatre = await openTheatre()
    main = await buildVariant('whole')
    const { scene, program, talk } = await setAuthorizeTrial(theatre, main)
    const found = await discover(program, talk)
    expect(answerOf(found.ended.stdout)?.isError, found.ended.stdout).toBeUndefined()
    points = strikable(found.points)
    scene.close()
  })
  afterAll(() => theatre.close())

  test.each(FAULTS)('keeps its promises with %s at each call', { timeout: 900_000 }, async (fault) => {
    const tally = await sweep(points, fault, () => setAuthorizeTrial(theatre, main))
    report(`authorization, ${fault}`, points, tally)
  })
})
