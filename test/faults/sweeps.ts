// The sweeps: a refresh, an authorization from its link to the stored tokens, and deliveries.

import { setAuthorizeTrial } from './authorize-trial.ts'
import { setFirstDelivery, setLaterDelivery } from './deliver-trial.ts'
import { setRefreshTrial } from './refresh-trial.ts'
import type { SweepSuite } from './sweep-suite.ts'

export type Sweep = Omit<SweepSuite, 'every'>

export const REFRESH_SWEEP: Sweep = {
  name: 'a refresh',
  setTrial: setRefreshTrial,
  control: {
    without: {
      file: 'src/store/files/locked-files.ts',
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
      file: 'src/authorize/finish.ts',
      from: 'await locked.writePending(encodePending(exchanged)).catch(',
      to: 'await Promise.resolve(exchanged).catch(',
    },
    at: /^(connect socket #2|(pwrite64|rename) .*default\.json)/,
  },
}

const DELIVER_CONTROL: Sweep['control'] = {
  without: {
    file: 'src/delivery/shared-file.ts',
    from: 'if (!tryExchange(exchange, temporary, path)) {',
    to: `(await import('node:fs')).writeFileSync(path, next)
    if (next.length > 0) {
      removeFile(temporary)
      return true
    }
    if (!tryExchange(exchange, temporary, path)) {`,
  },
  at: /^(p?write(64)?|close) \/mcp\.json #/,
}

export const DELIVER_SWEEPS: readonly Sweep[] = [
  { name: 'the first delivery', setTrial: setFirstDelivery, control: DELIVER_CONTROL },
  { name: 'a later delivery', setTrial: setLaterDelivery, control: DELIVER_CONTROL },
]
