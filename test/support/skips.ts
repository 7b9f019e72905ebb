// What was not tried, and what it lacks: the last lines of a run.

import type { Reporter, TestModule } from 'vitest/node'

/** A reason in the name of a test or of its group, as `needs.ts` puts it there. */
const IN_NAME = /\(SKIPPED: (.+?)\)( >|$)/

export default class Skips implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = new Map<string, number>()
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result()
        const note = result.state === 'skipped' ? result.note : undefined
        // What `-t` or `.only` leaves out lacks nothing.
        const reason = note ?? IN_NAME.exec(test.fullName)?.[1]
        if (reason) counts.set(reason, (counts.get(reason) ?? 0) + 1)
      }
    }
    for (const [reason, count] of counts) {
      process.stdout.write(`SKIPPED: ${count} ${count === 1 ? 'test' : 'tests'}: ${reason}\n`)
    }
  }
}
