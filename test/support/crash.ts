// A process that is killed just before its nth change of the file system that counts: a rename or a removal.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Environment, type Run, run, type Stage } from './program.ts'

const PRELOAD = `
  import fs from 'node:fs'
  import { syncBuiltinESMExports } from 'node:module'
  let left = Number(process.env.CRASH_BEFORE)
  for (const name of ['renameSync', 'unlinkSync']) {
    const original = fs[name]
    fs[name] = (...args) => {
      left -= 1
      if (left === 0) process.kill(process.pid, 'SIGKILL')
      return original(...args)
    }
  }
  syncBuiltinESMExports()
`
/** No command changes as many files; one that does never ends. */
const MAX_CHANGES = 100

/** Runs a command over and over, killed before its 1st, 2nd, … change, and `between` after each, until it ends. */
export async function crashAtEveryChange(
  stage: Stage,
  args: string[],
  between: (crashes: number) => Promise<void>,
  env: Environment = {},
): Promise<{ crashes: number; last: Run }> {
  for (let change = 1; change <= MAX_CHANGES; change += 1) {
    const last = await crashBefore(stage, args, change, env)
    if (last.signal === null) return { crashes: change - 1, last }
    await between(change)
  }
  throw new Error(`killed ${MAX_CHANGES} times, and it did not end`)
}

/** Runs a command that is killed just before its nth change, if it makes as many. */
export async function crashBefore(
  stage: Stage,
  args: string[],
  change: number,
  env: Environment = {},
): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'crash-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const preload = join(folder, 'preload.mjs')
  writeFileSync(preload, PRELOAD)
  return run(stage, args, {
    env: { ...env, NODE_OPTIONS: `--import file://${preload}`, CRASH_BEFORE: String(change) },
  })
}
