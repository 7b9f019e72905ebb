// Tests of what not every machine has. One that is skipped says in its name what is missing; `skips.ts` sums that up.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'vitest'

const WINDOWS = process.platform === 'win32'

export const NO_MODES: string | null = WINDOWS ? 'Windows has no modes' : null
export const NO_SIGNALS: string | null = WINDOWS ? 'Windows has no signals but the end of a process' : null
export const NO_SPECIAL_FILES: string | null = WINDOWS
  ? 'Windows has no FIFOs, sockets and devices in folders'
  : null
/** What is started by `#!`, or finds its way by paths that begin with a slash. */
export const NO_POSIX: string | null = WINDOWS ? 'Windows has no programs and paths of POSIX' : null

/** Names that can be taken from files while somebody has these open. */
export const NO_POSIX_FILES: string | null = WINDOWS ? 'Windows keeps the names of files that are open' : null

/** Windows lets administrators and developers alone make them; Wine 8 makes none. */
export const NO_LINKS: string | null = linksAreMissing() ? 'no symbolic links' : null
export const NO_GIT: string | null = gitIsMissing() ? 'no git: install it' : null

/** The modes of what is for its owner alone. Windows says of everything that it may be read and written. */
export const OWN_FILE: number = WINDOWS ? 0o666 : 0o600
export const OWN_FOLDER: number = WINDOWS ? 0o666 : 0o700

function linksAreMissing(): boolean {
  if (!WINDOWS) return false
  const folder = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-'))
  try {
    symlinkSync(folder, join(folder, 'link'))
    return !existsSync(join(folder, 'link'))
  } catch {
    return true
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function gitIsMissing(): boolean {
  try {
    execFileSync('git', ['--version'], { stdio: 'ignore' })
    return false
  } catch {
    return true
  }
}

type Body = (context: TestContext) => unknown

/** `describe`, skipped where something is missing. */
export function describeIf(missing: string | null): (name: string, tests: () => void) => void {
  if (missing === null) return describe
  return (name, tests) => describe.skip(`${name} (SKIPPED: ${missing})`, tests)
}

/** `test`, skipped where something is missing. */
export function testIf(missing: string | null): (name: string, body: Body, timeoutMs?: number) => void {
  if (missing === null) return test
  return (name, body) => test.skip(`${name} (SKIPPED: ${missing})`, body)
}

/** For a row of a table: ends the test there. */
export function skipIf(missing: string | null, context: TestContext): void {
  if (missing !== null) context.skip(missing)
}
