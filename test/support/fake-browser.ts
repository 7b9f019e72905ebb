// Stand-ins for what opens a page on a person's machine. They note what they were given.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Environment, Stage } from './program.ts'

export type FakeBrowser = {
  env: Environment
  /** Its arguments, once it was started. */
  argv: () => Promise<string[]>
  inherited: () => string
  wasStarted: () => boolean
}

/** A shell script that notes its environment and then, all at once, its arguments. */
export function noteTaker(path: string, seen: string, afterwards = ''): void {
  const script = `#!/bin/sh\nenv >'${seen}.env'\nprintf '%s\\0' "$@" >'${seen}.new'\nmv '${seen}.new' '${seen}'\n${afterwards}\n`
  writeFileSync(path, script)
  chmodSync(path, 0o755)
}

/** The arguments that a note taker was given. */
export async function argumentsIn(seen: string): Promise<string[]> {
  await expect.poll(() => existsSync(seen)).toBe(true)
  return readFileSync(seen, 'utf8').split('\0').slice(0, -1)
}

/** An `xdg-open` that is first in PATH, on a machine with a display. */
export function fakeBrowser(stage: Stage): FakeBrowser {
  const folder = join(stage.home, 'bin')
  const seen = join(stage.home, 'seen')
  mkdirSync(folder)
  noteTaker(join(folder, 'xdg-open'), seen)
  return {
    env: { PATH: `${folder}:${stage.env.PATH}`, DISPLAY: ':77' },
    argv: () => argumentsIn(seen),
    inherited: () => readFileSync(`${seen}.env`, 'utf8'),
    wasStarted: () => existsSync(seen),
  }
}
