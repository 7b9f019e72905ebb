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
/** Wake-ups of other threads move calls without a path on their count: they are looked for nearby. */
function countsNear({ syscall, nth, path }: Point): number[] {
  const reach = path !== null ? 0 : syscall === 'read' ? 20 : 6
  const steps = Array.from({ length: 2 * reach + 1 }, (_, step) => (step % 2 ? 1 : -1) * Math.ceil(step / 2))
  return steps.map((step) => nth + step).filter((count) => count > 0)
}
/** Runs at a time: delays cost no processor. */
const WIDTH: Record<Fault, number> = { SIGKILL: 4, EIO: 4, ENOSPC: 4, EACCES: 4, delay: 16 }

type Tally = { struck: Set<string>; lost: Set<string>; broken: string[] }

/** One run with a fault, wherever it struck. */
async function strike(
  theatre: Theatre,
  main: string,
  point: Point,
  fault: Fault,
  tally: Tally,
): Promise<void> {
  const scene = await setScene(theatre)
  try {
    const { struck, ended } = await inject(scene.program(main, ARGS), point, fault)
    if (struck === null) return
    tally.struck.add(struck)
    checkOutputs(scene, ended)
    const killed = ended.signal === 'SIGKILL'
    if (!killed) checkAnswer(ended.stdout, fault, struck)
    const sent = presentationsOf(scene)
    const { next, lost } = await checkAftermath(scene, 1)
    if (lost) tally.lost.add(struck)
    checkNext(next, lost, killed, struck)
    if (!killed && !lost && sent > 1)
      throw new Error(`presented ${sent} times although the answer was definitive`)
  } catch (error) {
    tally.broken.push(`${fault} at ${point.where}: ${String(error)}`)
  } finally {
    scene.close()
  }
}

/** A process that lives answers with one document: the token set, or a code that names what is wrong. */
function checkAnswer(stdout: string, fault: Fault, where: string): void {
  if (where.startsWith('write stdout')) return
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

function checkNext(next: unknown, lost: boolean, killed: boolean, where: string): void {
  if (lost) {
    const inWindow = killed || where.includes('socket')
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
      const tally: Tally = { struck: new Set(), lost: new Set(), broken: [] }
      await inParallel(points, WIDTH[fault], async (point) => {
        for (const nth of countsNear(point)) {
          if (tally.struck.has(point.where)) return
          await strike(theatre, main, { ...point, nth }, fault, tally)
        }
      })
      const missed = points.filter((point) => !tally.struck.has(point.where)).map((point) => point.where)
      console.log(`${fault}: ${points.length - missed.length} of ${points.length} calls struck`)
      for (const where of tally.lost) console.log(`  the answer was lost: ${where}`)
      for (const where of missed) console.log(`  not struck: ${where}`)
      expect(tally.broken).toEqual([])
      expect(missed.length).toBeLessThanOrEqual(2)
    },
  )
})
