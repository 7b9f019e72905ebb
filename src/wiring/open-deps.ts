// The world as the verbs see it, put together from the settings and what the process hands in.

import { join } from 'node:path'
import { type Config, readConfig } from '../config/config.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Deps, Log } from '../deps.ts'
import { createActivityLog, recorded } from '../machine/activity.ts'
import { createBrowser, isRemote, type Launcher } from '../machine/browser.ts'
import { createClock } from '../machine/clock.ts'
import { createExposure, type Exposure } from '../machine/closed-folder.ts'
import type { System } from '../machine/system.ts'
import type { Transport } from '../machine/transport.ts'
import type { HttpRequest } from '../oauth/http.ts'
import type { Secret } from '../secret.ts'
import { createFileStore } from '../store/files/file-store.ts'
import { createKeys } from '../store/key.ts'
import type { Keychain, KeychainOptions } from '../store/keychain.ts'
import type { TokenStore } from '../store/token-store.ts'
import { createUnderWay, seenThrough } from './under-way.ts'

/** What a process has: its environment, its clocks, its ways to people. */
export type Host = Pick<Deps, 'command' | 'closing' | 'timerHost'> & {
  machine: System
  home: string
  keychain: KeychainOptions
  /** Epoch milliseconds. */
  now: () => number
  /** Monotonic milliseconds. */
  elapsed: () => number
  /** Makes the log of a level. */
  log: (level: Config['logLevel']) => Log
  seat: Deps['seat']
  launcher: Launcher
}

/** Reads the settings and puts the dependencies together. Throws `config_invalid`. */
export async function openDeps(host: Host): Promise<Deps> {
  const config = readConfig(host.machine.environment, host.home, host.machine.platform)
  const clock = createClock(host.now, host.elapsed)
  const activity = createActivityLog(config.tokenDir, join(config.tokenDir, 'activity.jsonl'))
  const transport = openTransport(config)
  const keys = createKeys({
    directory: join(config.tokenDir, 'key'),
    source: config.keySource,
    environmentKey: config.key,
    keychain: openKeychain(host.keychain),
  })
  const underWay = createUnderWay()
  const openStore = async (address: Secret | null): Promise<TokenStore> => {
    if (!address)
      return seenThrough(createFileStore({ directory: config.tokenDir, keys, now: clock.now }), underWay)
    const [{ openSharedStore }, { withPassword }] = await Promise.all([
      import('./shared-store.ts'),
      import('../store/postgres/address.ts'),
    ])
    // `pg` would read it by itself, but no helper program of ours is to inherit it.
    const password = host.machine.environment.PGPASSWORD
    const shared = openSharedStore(config, withPassword(address, password), {
      keys,
      now: clock.now,
      command: host.command,
    })
    return seenThrough(shared, underWay)
  }
  let deliveries: Delivery[] = []
  /** Made when it is first asked: most starts ask nothing. */
  let exposure: Exposure | null = null
  return {
    config,
    store: await openStore(config.store),
    openStore,
    request: recorded(transport.request, activity, clock),
    upstream: transport.upstream,
    activity,
    exposure: () => {
      if (host.machine.platform !== 'win32') return null
      exposure ??= createExposure(config.tokenDir, host.home, host.machine.environment)
      return exposure()
    },
    clock,
    log: host.log(config.logLevel),
    command: host.command,
    remarks: new Map(),
    timerHost: host.timerHost,
    underWay,
    closing: host.closing,
    openBrowser: createBrowser(host.machine, host.launcher),
    remote: isRemote(host.machine),
    seat: host.seat,
    lastDeliveries: () => deliveries,
    async deliver(id, tokenSet) {
      if (config.deliverTo.length === 0 || id.profile !== config.profile) return []
      const { deliverCopies } = await import('../hand-over/deliver.ts')
      deliveries = await deliverCopies(config, tokenSet, { now: clock.now(), byHand: false, dryRun: false })
      return deliveries
    },
  }
}

/** The transport, loaded with the first request: a valid token needs none. */
function openTransport({ proxy, noProxy }: Config): Transport {
  let opened: Promise<Transport> | null = null
  const open = () => {
    opened ??= import('../machine/transport.ts').then(({ createTransport }) =>
      createTransport({ proxy, noProxy }),
    )
    return opened
  }
  return {
    request: async (options: HttpRequest) => (await open()).request(options),
    upstream: async (url) => (await open()).upstream(url),
  }
}

/** The keychain, loaded when a key in it is first asked for: one in a file needs none. */
function openKeychain(options: KeychainOptions): Keychain {
  let opened: Promise<Keychain> | null = null
  const open = () => {
    opened ??= import('../store/keychain.ts').then(({ createKeychain }) => createKeychain(options))
    return opened
  }
  return {
    mayExist: async () => (await open()).mayExist(),
    read: async (name) => (await open()).read(name),
    keep: async (name, value) => (await open()).keep(name, value),
    remove: async (name) => (await open()).remove(name),
  }
}
