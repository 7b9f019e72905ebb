import { defineConfig } from 'vitest/config'

/** `--mode faults` (minutes), `--mode soak` (long). */
export default defineConfig(({ mode }) => ({
  test: {
    include: [`test/faults/**/*.${mode}.ts`],
    // A hundred processes on a machine that others use too.
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // Faults wait for processes half of the time; the figures of a soak are to be its own.
    maxWorkers: mode === 'faults' ? 2 : 1,
    disableConsoleIntercept: true,
  },
}))
