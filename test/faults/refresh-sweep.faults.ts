// A refresh, with every fault at every system call.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AuthError } from '../../src/errors.ts'
import {
  checkAftermath,
  checkOutputs,
  openTheatre,
  presentationsOf,
  setScene,
  type Theatre,
} from './scene.ts'
import { discover, FAULTS, type Fault, type Point, straceProblem } from './strace.ts'
import { report, sweep, type Trial } from './sweep.ts'
import { buildVariant } from './variant.ts'

const problem = straceProblem()
if (problem) console.warn(`SKIPPED: the system call sweep of a refresh. ${problem}`)

/** What a process may say when a call of the system fails; each names the path or the host. */
const EXPLAINED = [
  'store_not_writable',
  'store_unreadable',
  'network_error',
  'key_unavailable',
  'refresh_uncertain',
]

/** A process that lives answers with one document: the token set, or what is wrong. */
function checkAnswer(stdout: string, fault: Fault, struck: string): void {
  if (struck.startsWith('write stdout') && fault !== 'delay') return
  const answer = JSON.parse(stdout)
  if (answer.status === 'refreshed') return
  if (fault === 'delay' || !EXPLAINED.includes(answer.error?.code)) throw new Error(stdout)
}

/** A process that died may have taken an answer with it, one that could not read its socket too; else none is lost. */
function checkNext(next: unknown, lost: boolean, mayLose: boolean): void {
  if (!lost && next instanceof AuthError) throw next
  if (!lost) return
  if (!mayLose) throw new Error('an answer that had arrived was lost')
  if (!(next instanceof AuthError) || next.code !== 'refresh_uncertain') throw next
  if (!/^The refresh of 20\S+Z was interrupted and its answer lost/.test(next.message)) throw next
}

async function setTrial(theatre: Theatre, main: string): Promise<Trial> {
  const scene = await setScene(theatre)
  return {
    scene,
    program: scene.program(main, ['refresh', '--force', '--json']),
    async judge(ended, fault, struck) {
      checkOutputs(scene, ended)
      const killed = ended.signal === 'SIGKILL'
      if (!killed) checkAnswer(ended.stdout, fault, struck)
      const sent = presentationsOf(scene)
      const { next, lost } = await checkAftermath(scene, 1)
      checkNext(next, lost, killed || struck.includes('socket'))
      if (!killed && !lost && sent > 1) throw new Error(`presented ${sent} times although it was answered`)
      return lost
    },
  }
}

describe.skipIf(problem)('a refresh', () => {
  let theatre: Theatre
  let main: string
  let points: Point[]
  beforeAll(async () => {
    theatre = await openTheatre()
    main = await buildVariant('whole')
    const { scene, program } = await setTrial(theatre, main)
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
    const tally = await sweep(points, fault, () => setTrial(theatre, main))
    report(`refresh, ${fault}`, points, tally)
  })
})
