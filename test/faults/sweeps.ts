// The two sweeps: a refresh, and an authorization from its link to the stored tokens.

import { setAuthorizeTrial } from './authorize-trial.ts'
import { setRefreshTrial } from './refresh-trial.ts'
import type { SweepSuite } from './sweep-suite.ts'

export type Sweep = Omit<SweepSuite, 'every'>

export const REFRESH_SWEEP: Sweep = {
  name: 'a refresh',
  setTrial: setRefreshTrial,
  control: {
    without: {
      file: 'src/store/locked-files.ts',
      from: 'if (this.#reserved) await this.#reserved.commit(bytes, compare)',
      to: "if (this.#reserved) (await import('node:fs')).writeFileSync(path, bytes)",
    },
    at: /^write .*default\.json #/,
  },
}

export const AUTHORIZE_SWEEP: Sweep = {
  name: 'an authorization',
  setTrial: setAuthorizeTrial,
  control: {
    without: {
      file: 'src/exchange.ts',
      from: 'await locked.writePending(encodePending(exchanged)).catch(',
      to: 'await Promise.resolve(exchanged).catch(',
    },
    at: /^(connect socket #2|(pwrite64|rename) .*default\.json)/,
  },
}
