import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes, sockets and a slow machine: a test that waits for an event may take a while.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Most of the time is spent waiting for processes: two at a time, on two cores too.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
