import { availableParallelism, tmpdir } from 'node:os'
import { defineConfig } from 'vitest/config'
import { HANGS_MS } from './test/support/patience.ts'

export default defineConfig({
  test: {
    testTimeout: HANGS_MS,
    hookTimeout: HANGS_MS,
    // What never comes is told as such, not as a test that ran out of time.
    expect: { poll: { timeout: HANGS_MS / 2, interval: 20 } },
    maxWorkers: availableParallelism(),
    // On Windows a folder outside one's own is closed by the system's programs, for seconds: where tests make theirs is within.
    env: process.platform === 'win32' ? { USERPROFILE: tmpdir() } : {},
    reporters: ['default', './test/support/skips.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'suite',
          include: ['test/**/*.test.ts'],
          exclude: ['**/*.long.test.ts'],
          // A process for each file takes a fifth of the time. What a test changes in its process, it sets back.
          isolate: false,
        },
      },
      // Crowds, sweeps, long waits, databases that fail, packages, other people's programs: what would make `npm test` take minutes more.
      { extends: true, test: { name: 'long', include: ['test/**/*.long.test.ts'] } },
      // Minutes: each fault at a sample of the calls.
      { extends: true, test: { name: 'faults', include: ['test/faults/*.faults.ts'], testTimeout: 300_000 } },
      // Long: each fault at every call. Its figures are to be its own, so one file at a time.
      {
        extends: true,
        test: {
          name: 'soak',
          include: ['test/faults/*.soak.ts'],
          testTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
