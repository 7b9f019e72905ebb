// Mutation testing: each line of the rooms that decide about tokens is changed, and a test is to notice.
// npm run test:mutation [-- --mutate 'src/refresh/*.ts']

/** @type {import('@stryker-mutator/core').PartialStrykerOptions} */
export default {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'vitest.mutation.config.ts' },
  mutate: ['src/{oauth,refresh,authorize,store}/**/*.ts'],
  // Sentences are held by the tests of `chinese/` and of the documents, the names of kinds by the compiler.
  mutator: { excludedMutations: ['StringLiteral'] },
  coverageAnalysis: 'perTest',
  // The tests listen on real sockets and wait for real locks: each on its own.
  concurrency: 1,
  // It would be rewritten with an interface that the compiler of this project no longer has.
  tsconfigFile: 'none',
  tempDirName: '.stryker',
  reporters: ['clear-text', 'json', 'progress-append-only'],
  clearTextReporter: { logTests: false, allowColor: false },
  jsonReporter: { fileName: 'node_modules/.cache/mutation.json' },
}
