// The program as processes that can be stopped and killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Scene } from './scene.ts'
import type { Ended, Talk } from './strace.ts'

export type Running = { pid: number; kill: (signal: NodeJS.Signals) => void; end: Promise<Ended> }

/** Starts a command in a scene's environment. */
export function start(
  scene: Scene,
  command: string[],
  options: { env?: Record<string, string>; talk?: Talk } = {},
): Running {
  const [file = '', ...args] = command
  const child: ChildProcess = spawn(file, args, { env: { ...scene.env, ...options.env } })
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdin?.on('error', () => undefined)
  if (options.talk) options.talk(child)
  else child.stdin?.end()
  const end = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }))
  return { pid: child.pid ?? 0, kill: (signal) => child.kill(signal), end }
}

/** The command line that refreshes. */
export function refreshing(main: string, ...more: string[]): string[] {
  return [process.execPath, main, 'refresh', '--json', ...more]
}

/** Random numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The seed of FEISHU_TEST_SEED, else a new one; printed, so that a run can be repeated. */
export function printedSeed(name: string): number {
  const seed = Number(process.env.FEISHU_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`${name}: FEISHU_TEST_SEED=${seed}`)
  return seed
}
