// Every system call of a run, hit by a fault: SQLite's method in miniature.

import { inParallel, type Scene, type Theatre } from './scene.ts'
import { discover, type Ended, type Fault, inject, type Point, type Program, type Talk } from './strace.ts'

/** What was done to a run. */
export type Strike = {
  fault: Fault
  /** Where. */
  struck: string
  /** A crash there may take an answer with it: it had been asked for, and nothing was kept of it yet. */
  inWindow: boolean
}

/** A run that can be repeated: its scene, how it is started and spoken to, and what must hold when it is over. */
export type Trial = {
  scene: Scene
  program: Program
  talk?: Talk
  /** The last of the calls at which a crash may take the answer with it. */
  windowEnd: (places: readonly string[]) => number
  /** Throws where a promise is broken; resolves to whether an answer of Feishu's was lost. */
  judge: (ended: Ended, strike: Strike) => Promise<boolean>
}

export type SetTrial = (theatre: Theatre, main: string) => Promise<Trial>

/** A program under a sweep, and the calls that it makes. */
export type Swept = { theatre: Theatre; main: string; setTrial: SetTrial; points: readonly Point[] }

export type Tally = { struck: Set<string>; lost: Set<string>; broken: string[]; missed: string[] }

/** Runs at a time: delays cost no processor. */
const WIDTH: Record<Fault, number> = { SIGKILL: 6, EIO: 6, ENOSPC: 6, EACCES: 6, delay: 16 }
/** Runs without a fault that tell which calls there always are. */
const RUNS = 3
/** What a sweep may leave out: how often a socket is read depends on how the network cuts what it carries. */
const MAX_MISSED = 0.02

/** How far from its number in a run without a fault a call without a path is looked for. */
const REACH = 12

/** Wake-ups of other threads move calls without a path on their count: they are looked for nearby. */
function countsNear({ nth, path }: Point): number[] {
  const reach = path === null ? REACH : 0
  const steps = Array.from({ length: 2 * reach + 1 }, (_, step) => (step % 2 ? 1 : -1) * Math.ceil(step / 2))
  return steps.map((step) => nth + step).filter((count) => count > 0)
}

/** A pipe is neither a disk nor a network, and has no path to be found by. */
function isStrikable({ where, path }: Point): boolean {
  return !/^write (stdout|socket)/.test(where) || path !== null
}

/** The calls of a run without a fault, which must end well. */
async function callsOf(theatre: Theatre, main: string, setTrial: SetTrial): Promise<Point[]> {
  const { scene, program, talk, judge } = await setTrial(theatre, main)
  const { points, ended } = await discover(program, talk)
  await judge(ended, { fault: 'delay', struck: 'nowhere', inWindow: false })
  scene.close()
  return points.filter(isStrikable)
}

/** Takes note of the calls that a program makes in every run: some looks at a file depend on the clock. */
export async function prepareSweep(theatre: Theatre, main: string, setTrial: SetTrial): Promise<Swept> {
  let points = await callsOf(theatre, main, setTrial)
  for (let run = 1; run < RUNS; run += 1) {
    const again = new Set((await callsOf(theatre, main, setTrial)).map(({ where }) => where))
    points = points.filter(({ where }) => again.has(where))
  }
  return { theatre, main, setTrial, points }
}

/**
 * One run with a fault, wherever it struck; a run that it did not strike counts for nothing. Resolves to the number
 * that the point had in this run, if that is known.
 */
async function strike(swept: Swept, point: Point, fault: Fault, tally: Tally): Promise<number | null> {
  const trial = await swept.setTrial(swept.theatre, swept.main)
  let where = point.where
  try {
    const { struck, nth, ended } = await inject(trial.program, point, fault, trial.talk)
    if (struck === null) return nth
    where = struck
    tally.struck.add(struck)
    const places = swept.points.map((known) => known.where)
    const inWindow = places.indexOf(struck) <= trial.windowEnd(places)
    if (await trial.judge(ended, { fault, struck, inWindow })) tally.lost.add(struck)
    return nth
  } catch (error) {
    tally.broken.push(`${fault} at ${where}: ${String(error)}`)
    return null
  } finally {
    trial.scene.close()
  }
}

/** Strikes until the point is hit: by its number, then by the one that it had in the last run, or by one nearby. */
async function pursue(swept: Swept, point: Point, fault: Fault, tally: Tally): Promise<void> {
  const near = countsNear(point)
  let seen: number | null = null
  for (let run = 0; run < near.length && !tally.struck.has(point.where); run += 1) {
    const nth: number = seen ?? near[run] ?? point.nth
    const now = await strike(swept, { ...point, nth }, fault, tally)
    // Seen where it was struck at, and not struck: not by this number, then.
    seen = now === nth ? null : now
  }
  if (!tally.struck.has(point.where)) tally.missed.push(point.where)
}

/** Strikes each point with the fault. */
export async function sweep(swept: Swept, points: readonly Point[], fault: Fault): Promise<Tally> {
  const tally: Tally = { struck: new Set(), lost: new Set(), broken: [], missed: [] }
  await inParallel(points, WIDTH[fault], (point) => pursue(swept, point, fault, tally))
  return tally
}

/** Whether a sweep of so many calls is to be believed: hardly one was left out. */
export function isThorough(tally: Tally, calls: number): boolean {
  return tally.missed.length <= Math.max(2, Math.round(MAX_MISSED * calls))
}
