// Every system call of a refresh, hit by every fault (SQLite's method in miniature).

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AuthError } from '../../src/errors.ts'
import {
  checkAftermath,
  checkOutputs,
  inParallel,
  openTheatre,
  presentationsOf,
  setScene,
  type Theatre,
} from './scene.ts'
import { discover, FAULTS, type Fault, inject, type Point, straceProblem } from './strace.ts'
import { buildVariant } from './variant.ts'

const problem = straceProblem()
if (problem) console.warn(`SKIPPED: the system call sweep. ${problem}`)

const ARGS = ['refresh', '--force', '--json']
/** A wake-up of another thread moves a call on its count: it is looked for nearby. */
const NEARBY = [0, 1, -1, 2, -2, 3, -3, 4]
/** Runs at a time: delays cost no processor. */
const WIDTH: Record<Fault, number> = { SIGKILL: 4, EIO: 4, ENOSPC: 4, EACCES: 4, delay: 16 }

type Tally = { runs: number; lost: string[]; missed: string[]; broken: string[] }

/** One run with a fault; resolves to whether it struck where it was meant to. */
async function strike(
  theatre: Theatre,
  main: string,
  point: Point,
  fault: Fault,
  tally: Tally,
): Promise<boolean> {
  const scene = await setScene(theatre)
  try {
    const { struck, ended } = await inject(scene.program(main, ARGS), point, fault)
    if (struck !== point.where) return false
    tally.runs += 1
    checkOutputs(scene, ended)
    const killed = ended.signal === 'SIGKILL'
    if (!killed) checkAnswer(ended.stdout, fault, point)
    const sent = presentationsOf(scene)
    const { next, lost } = await checkAftermath(scene, 1)
    if (lost) tally.lost.push(`${fault} ${point.where}`)
    checkNext(next, lost, killed, point)
    if (!killed && !lost && sent > 1)
      throw new Error(`presented ${sent} times although the answer was definitive`)
    return true
  } catch (error) {
    tally.broken.push(`${fault} ${point.where}: ${String(error)}`)
    return true
  } finally {
    scene.close()
  }
}

/** A process that lives answers with one document: the token set, or a code that names what is wrong. */
function checkAnswer(stdout: string, fault: Fault, point: Point): void {
  if (point.where.startsWith('write stdout')) return
  const answer = JSON.parse(stdout)
  if (fault === 'delay' || answer.status === 'refreshed') {
    if (answer.status !== 'refreshed') throw new Error(`a delay failed it: ${stdout}`)
    return
  }
  const known = [
    'store_not_writable',
    'store_unreadable',
    'network_error',
    'key_unavailable',
    'refresh_uncertain',
  ]
  if (!known.includes(answer.error.code)) throw new Error(`an error that explains nothing: ${stdout}`)
}

function checkNext(next: unknown, lost: boolean, killed: boolean, point: Point): void {
  if (lost) {
    const inWindow = killed || /socket/.test(point.where)
    if (!inWindow) throw new Error('a process that lived lost an answer that had arrived')
    if (!(next instanceof AuthError) || next.code !== 'refresh_uncertain') throw next
    if (!/^The refresh of 20\S+Z was interrupted and its answer lost/.test(next.message)) throw next
    return
  }
  if (next instanceof AuthError) throw next
}

describe.skipIf(problem)('a refresh', () => {
  let theatre: Theatre
  let main: string
  let points: Point[]
  beforeAll(async () => {
    theatre = await openTheatre()
    main = await buildVariant('whole')
    const scene = await setScene(theatre)
    const found = await discover(scene.program(main, ARGS))
    expect(JSON.parse(found.ended.stdout)).toMatchObject({ status: 'refreshed', generation: 2 })
    points = found.points
    scene.close()
  })
  afterAll(() => theatre.close())

  test('flushes the file, renames it, flushes the folder, and only then answers', () => {
    const at = (where: string) => points.findIndex((point) => point.where.startsWith(where))
    const order = [
      at('read socket'),
      at('fsync /store/feishu-default.json.next #2'),
      at('rename /store/feishu-default.json.next → /store/feishu-default.json #1'),
      points.findIndex(
        (point, index) =>
          index > at('rename /store/feishu-default.json.next') && point.where.startsWith('fsync /store #'),
      ),
      at('write stdout'),
    ]
    expect(order).not.toContain(-1)
    expect(order).toEqual([...order].sort((a, b) => a - b))
  })

  test.each(FAULTS)(
    'keeps its promises with %s at each of its calls',
    { timeout: 900_000 },
    async (fault) => {
      const tally: Tally = { runs: 0, lost: [], missed: [], broken: [] }
      await inParallel(points, WIDTH[fault], async (point) => {
        for (const offset of NEARBY) {
          if (await strike(theatre, main, { ...point, nth: point.nth + offset }, fault, tally)) return
        }
        tally.missed.push(point.where)
      })
      console.log(
        `${fault}: ${tally.runs} of ${points.length} calls hit; answers lost inside the window: ${tally.lost.length}`,
      )
      for (const line of [...tally.lost, ...tally.missed.map((where) => `not hit: ${where}`)])
        console.log(`  ${line}`)
      expect(tally.broken).toEqual([])
      expect(tally.runs / points.length).toBeGreaterThan(0.97)
    },
  )
})
