import { defineConfig } from 'vitest/config'
import { HANGS_MS } from './test/support/patience.ts'

/** What judges a mutant: the tests of the mutated rooms that run in process. */
export default defineConfig({
  test: {
    include: ['test/{oauth,refresh,authorize,store}/**/*.test.ts'],
    // A refresh for each form of an answer: what is read from it is held by `test/oauth/`, in a hundredth of the time.
    exclude: ['test/refresh/refresh-{answers,lost,lost.long,response}.test.ts'],
    testTimeout: HANGS_MS,
    hookTimeout: HANGS_MS,
    expect: { poll: { timeout: HANGS_MS / 2, interval: 20 } },
  },
})
