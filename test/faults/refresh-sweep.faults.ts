// A refresh, with every fault at a sample of its system calls; at all of them in sweeps.soak.ts.

import { expect, test } from 'vitest'
import { openTheatre } from './scene.ts'
import { discover, straceProblem } from './strace.ts'
import { describeSweep } from './sweep-suite.ts'
import { REFRESH_SWEEP } from './sweeps.ts'
import { WHOLE } from './variant.ts'

const EVERY = 8

test.skipIf(straceProblem())(
  'a refresh flushes the file, renames it, flushes the folder, and only then answers',
  async () => {
    const theatre = await openTheatre()
    const { scene, program } = await REFRESH_SWEEP.setTrial(theatre, WHOLE)
    const places = (await discover(program)).points.map((point) => point.where)
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
    scene.close()
    await theatre.close()
  },
)

describeSweep({ ...REFRESH_SWEEP, every: EVERY })
