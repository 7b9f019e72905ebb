import { defineConfig } from 'vitest/config'

/** `--mode faults` (minutes), `--mode soak` (long). */
export default defineConfig(({ mode }) => ({
  test: {
    include: [`test/faults/**/*.${mode}.ts`],
    // A hundred processes on a machine that others use too.
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // One after the other: each fills the machine by itself.
    fileParallelism: false,
    disableConsoleIntercept: true,
  },
}))
