// A refresh, with every fault at every system call.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setRefreshTrial } from './refresh-trial.ts'
import { openTheatre, type Theatre } from './scene.ts'
import { discover, FAULTS, type Point, straceProblem } from './strace.ts'
import { report, sweep } from './sweep.ts'
import { buildVariant } from './variant.ts'

const problem = straceProblem()
if (problem) console.warn(`SKIPPED: the system call sweep of a refresh. ${problem}`)

describe.skipIf(problem)('a refresh', () => {
  let theatre: Theatre
  let main: string
  let points: Point[]
  beforeAll(async () => {
    theatre = await openTheatre()
    main = await buildVariant('whole')
    const { scene, program } = await setRefreshTrial(theatre, main)
    const found = await discover(program)
    expect(JSON.parse(found.ended.stdout)).toMatchObject({ status: 'refreshed', generation: 2 })
    points = found.points
    scene.close()
  })
  afterAll(() => theatre.close())

  test('flushes the file, renames it, flushes the folder, and only then answers', () => {
    const places = points.map((point) => point.where)
    const renamed = places.indexOf('rename /store/feishu-default.json.next → /store/feishu-default.json #1')
    const order = [
      places.findIndex((where) => where.startsWith('read socket')),
      places.indexOf('fsync /store/feishu-default.json.next #2'),
      renamed,
      places.findIndex((where, index) => index > renamed && where.startsWith('fsync /store #')),
      places.indexOf('write stdout #1'),
    ]
    expect(order).not.toContain(-1)
    expect(order).toEqual(order.toSorted((a, b) => a - b))
  })

  test.each(FAULTS)('keeps its promises with %s at each call', { timeout: 900_000 }, async (fault) => {
    const tally = await sweep(points, fault, () => setRefreshTrial(theatre, main))
    report(`refresh, ${fault}`, points, tally)
  })
})
