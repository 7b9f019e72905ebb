// Refreshes ahead of time: when a token is due by FEISHU_REFRESH_MARGIN, as `nextStep` of oauth/token-set.ts decides.
// Short wake-ups compared with the wall clock, because a long timer lies after a suspend.

import { resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError, describeError } from '../errors.ts'
import { canRefresh, type TokenRecord } from '../oauth/token-set.ts'
import { say } from '../sentence.ts'
import { refreshToken } from './refresh.ts'

/** After a suspend the token is looked at within this time. */
const MAX_SLEEP_MS = 60_000
/** A token of a few seconds must not make a busy loop. */
const MIN_SLEEP_MS = 500
/** Copies that were started together shall not wake together: each sleeps up to this part shorter. */
const JITTER = 0.1
/** After failures the pause doubles from one wake-up to this: a wrong secret must not be tried every minute for ever. */
const MAX_BACKOFF_MS = 900_000

/** How long until auto-refresh renews the record; null: it will not. */
export function dueInMs(record: TokenRecord, remainingMs: number, marginMs: number): number | null {
  const { tokenSet } = record
  if (!tokenSet || !canRefresh(tokenSet)) return null
  const lifetimeMs = tokenSet.accessTokenLifetimeMs
  // A token whose whole life lies inside the margin is renewed at half of its life.
  return Math.max(0, remainingMs - (lifetimeMs <= marginMs ? lifetimeMs / 2 : marginMs))
}

/** Keeps the process's own profile fresh until the returned function is called. `afterTick` runs at each wake-up. */
export function startAutoRefresh(deps: Deps, afterTick: () => Promise<void>): () => void {
  const { profile } = deps.config
  const stopped = new AbortController()
  let failures = 0

  async function tick(): Promise<number> {
    const app = await resolveApp(deps, profile)
    const record = await deps.store.read(app.id)
    const dueMs = dueInMs(record, deps.clock.remainingMs(record, app.key), deps.config.refreshMarginMs)
    if (dueMs === null) return MAX_SLEEP_MS
    if (dueMs > 0) return dueMs
    const result = await refreshToken(deps, { profile, force: false })
    const { refreshMarginMs } = deps.config
    return dueInMs(result.record, result.remainingMs, refreshMarginMs) ?? MAX_SLEEP_MS
  }

  /** That nothing is configured is no news to anyone. */
  function report(what: string, error: unknown): void {
    const known = error instanceof CodedError
    if (known && error.code === 'not_configured') return
    deps.log('warn', say`${what}: ${known ? error.said : describeError(error)}`)
  }

  /** Resolves to how long to sleep then. */
  async function wake(): Promise<number> {
    try {
      const dueMs = deps.config.autoRefresh ? await tick() : MAX_SLEEP_MS
      failures = 0
      return Math.min(MAX_SLEEP_MS, Math.max(MIN_SLEEP_MS, dueMs))
    } catch (error) {
      report('auto-refresh', error)
      return Math.min(MAX_SLEEP_MS * 2 ** failures++, MAX_BACKOFF_MS)
    }
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      const sleepMs = await wake()
      await afterTick().catch((error) => report('background', error))
      await deps.clock.sleep(sleepMs * (1 - Math.random() * JITTER), stopped.signal)
    }
  }

  void run()
  return () => stopped.abort()
}
