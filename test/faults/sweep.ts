// Every system call of a run, hit by a fault: SQLite's method in miniature.

import { expect } from 'vitest'
import { inParallel, type Scene } from './scene.ts'
import { type Ended, type Fault, inject, type Point, type Program, type Talk } from './strace.ts'

/** A run that can be repeated: its scene, how it is started and spoken to, and what must hold when it is over. */
export type Trial = {
  scene: Scene
  program: Program
  talk?: Talk
  /** Throws where a promise is broken; resolves to whether an answer of Feishu's was lost. */
  judge: (ended: Ended, fault: Fault, struck: string) => Promise<boolean>
}

export type Tally = { struck: Set<string>; lost: Set<string>; broken: string[]; missed: string[] }

/** Runs at a time: delays cost no processor. */
const WIDTH: Record<Fault, number> = { SIGKILL: 4, EIO: 4, ENOSPC: 4, EACCES: 4, delay: 16 }

/** Wake-ups of other threads move calls without a path on their count: they are looked for nearby. */
function countsNear({ syscall, nth, path }: Point): number[] {
  const reach = path !== null ? 0 : /^(read|write)$/.test(syscall) ? 20 : 6
  const steps = Array.from({ length: 2 * reach + 1 }, (_, step) => (step % 2 ? 1 : -1) * Math.ceil(step / 2))
  return steps.map((step) => nth + step).filter((count) => count > 0)
}

/** One run with a fault, wherever it struck; a run that it did not strike counts for nothing. */
async function strike(trial: Trial, point: Point, fault: Fault, tally: Tally): Promise<void> {
  let where = point.where
  try {
    const { struck, ended } = await inject(trial.program, point, fault, trial.talk)
    if (struck === null) return
    where = struck
    tally.struck.add(struck)
    if (await trial.judge(ended, fault, struck)) tally.lost.add(struck)
  } catch (error) {
    tally.broken.push(`${fault} at ${where}: ${String(error)}`)
  } finally {
    trial.scene.close()
  }
}

/** Strikes each point with the fault. */
export async function sweep(
  points: readonly Point[],
  fault: Fault,
  setUp: () => Promise<Trial>,
): Promise<Tally> {
  const tally: Tally = { struck: new Set(), lost: new Set(), broken: [], missed: [] }
  await inParallel(points, WIDTH[fault], async (point) => {
    for (const nth of countsNear(point)) {
      if (tally.struck.has(point.where)) return
      await strike(await setUp(), { ...point, nth }, fault, tally)
    }
    if (!tally.struck.has(point.where)) tally.missed.push(point.where)
  })
  return tally
}

/** Prints what a sweep has come to, and fails where a promise was broken or calls were left out. */
export function report(name: string, points: readonly Point[], tally: Tally): void {
  console.log(`${name}: ${points.length - tally.missed.length} of ${points.length} calls struck`)
  for (const where of tally.lost) console.log(`  the answer was lost: ${where}`)
  for (const where of tally.missed) console.log(`  not struck: ${where}`)
  expect(tally.broken).toEqual([])
  expect(tally.missed.length).toBeLessThanOrEqual(2)
}
