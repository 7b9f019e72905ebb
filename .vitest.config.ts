import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes, sockets and a slow machine: a test that waits for an event may take a while.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Half of the time is spent waiting for processes.
    maxWorkers: 2 * availableParallelism(),
  },
})
