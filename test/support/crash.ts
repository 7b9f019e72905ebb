// A process that is killed just before its nth change of the file system that counts: a rename or a removal.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
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
      if (left === 0) {
        fs.writeFileSync(process.env.CRASH_MARK, '')
        process.kill(process.pid, 'SIGKILL')
      }
      return original(...args)
    }
  }
  syncBuiltinESMExports()
`
/** How a process ended; on Windows no signal tells that it was killed. */
type Crash = Run & { killed: boolean }

/** No command changes as many files; one that does never ends. */
const MAX_CHANGES = 100

/** Runs a command over and over, killed before its 1st, 2nd, … change, and `between` after each, until it ends. */
export async function crashAtEveryChange(
  stage: Stage,
  args: string[],
  between: (crashes: number) => Promise<void>,
  env: Environment = {},
): Promise<{ crashes: number; last: Crash }> {
  for (let change = 1; change <= MAX_CHANGES; change += 1) {
    const last = await crashBefore(stage, args, change, env)
    if (!last.killed) return { crashes: change - 1, last }
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
): Promise<Crash> {
  const folder = mkdtempSync(join(tmpdir(), 'crash-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const preload = join(folder, 'preload.mjs')
  writeFileSync(preload, PRELOAD)
  const mark = join(folder, 'killed')
  const how = { CRASH_BEFORE: String(change), CRASH_MARK: mark }
  const ended = await run(stage, args, {
    env: { ...env, ...how, NODE_OPTIONS: `--import ${pathToFileURL(preload)}` },
  })
  return { ...ended, killed: existsSync(mark) }
}
