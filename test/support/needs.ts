// Tests of what not every machine has. One that is skipped says in its name what is missing; `skips.ts` sums that up.

import { describe, type TestContext, test } from 'vitest'

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
