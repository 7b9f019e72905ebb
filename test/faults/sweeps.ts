// The sweeps: a refresh, an authorization from its link to the stored tokens, deliveries, and commands.

import { setAuthorizeTrial } from './authorize-trial.ts'
import {
  setImportTrial,
  setKeyTrial,
  setLogoutTrial,
  setRenameTrial,
  setTokenTrial,
} from './command-trials.ts'
import { setFirstDelivery, setLaterDelivery } from './deliver-trial.ts'
import { setRefreshTrial } from './refresh-trial.ts'
import type { SweepSuite } from './sweep-suite.ts'
import { buildVariant, type Patch, WHOLE } from './variant.ts'

export type Sweep = Omit<SweepSuite, 'every'>

/** The program that is swept, or without a protection: the control. */
export async function sweptProgram({ name, eased }: Sweep, without?: Patch): Promise<string> {
  const patches = [...(eased ?? []), ...(without ? [without] : [])]
  if (patches.length === 0) return WHOLE
  return buildVariant(`${name.replaceAll(' ', '-')}-${without ? 'control' : 'eased'}`, patches)
}

const REFRESH_CONTROL: Sweep['control'] = {
  without: {
    file: 'src/store/files/locked-files.ts',
    from: 'if (this.#reserved) await this.#reserved.commit(bytes, compare)',
    to: "if (this.#reserved) (await import('node:fs')).writeFileSync(path, bytes)",
  },
  at: /^write .*default\.json #/,
}

export const REFRESH_SWEEP: Sweep = {
  name: 'a refresh',
  setTrial: setRefreshTrial,
  control: REFRESH_CONTROL,
}

export const AUTHORIZE_SWEEP: Sweep = {
  name: 'an authorization',
  setTrial: setAuthorizeTrial,
  // The test itself plays Feishu and the browser, beside fifteen other runs: on a busy machine both are late by seconds.
  eased: [
    { file: 'src/loopback/end-pages.ts', from: 'const FOLLOW_MS = 1_000', to: 'const FOLLOW_MS = 60_000' },
    {
      file: 'src/loopback/callback-server.ts',
      from: 'const REQUEST_DEADLINE_MS = 4_000',
      to: 'const REQUEST_DEADLINE_MS = 60_000',
    },
    {
      file: 'src/authorize/exchange.ts',
      from: 'const EXCHANGE_MS = 8_000',
      to: 'const EXCHANGE_MS = 60_000',
    },
    { file: 'src/app/user.ts', from: 'const DEADLINE_MS = 5_000', to: 'const DEADLINE_MS = 60_000' },
  ],
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
    file: 'src/delivery/replacement.ts',
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

export const COMMAND_SWEEPS: readonly Sweep[] = [
  { name: 'the command token', setTrial: setTokenTrial, control: REFRESH_CONTROL },
  {
    name: 'the command logout',
    setTrial: setLogoutTrial,
    control: {
      without: {
        file: 'src/profiles/logout.ts',
        from: 'await commit(deps, locked, { generation, tokenSet: marked }, generation)',
        to: 'void marked',
      },
      at: /^(p?write(64)?|rename) .*default\.json/,
    },
  },
  {
    name: 'the command key',
    setTrial: setKeyTrial,
    control: {
      without: {
        file: 'src/store/files/key-move.ts',
        from: 'ensureOwnDirectory(dirname(this.#notePath))',
        to: 'return',
      },
      at: /^unlink .*\.key/,
    },
  },
  {
    name: 'the command profile rename',
    setTrial: setRenameTrial,
    control: {
      without: {
        file: 'src/profiles/move.ts',
        from: 'if (!(await source.commit({ generation, tokenSet: marked }, generation, interrupted)))',
        to: 'if (!marked)',
      },
      at: /^unlink .*default\.json/,
    },
  },
  {
    name: 'the command import',
    setTrial: setImportTrial,
    control: {
      without: {
        file: 'src/store/files/locked-files.ts',
        from: 'await compare()\n        replaceFile(path, bytes)',
        to: "await compare()\n        ;(await import('node:fs')).writeFileSync(path, bytes)",
      },
      at: /^p?write(64)? .*default\.json #/,
    },
  },
]
