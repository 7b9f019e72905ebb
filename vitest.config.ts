import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Real processes, sockets and a slow machine: a limit only ends what hangs, it judges nothing. */
const HANGS_MS = 120_000

export default defineConfig({
  test: {
    testTimeout: HANGS_MS,
    hookTimeout: HANGS_MS,
    maxWorkers: availableParallelism(),
    projects: [
      { extends: true, test: { name: 'suite', include: ['test/**/*.test.ts'] } },
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
