// Time as the verbs are handed it: two clocks, and waiting.

import { accessTokenRemainingMs, type TokenRecord } from '../oauth/token-set.ts'

/** The two clocks, and the remaining life of a token by whichever of them says less. */
export type Clock = {
  /** Wall clock, epoch milliseconds. */
  now(): number
  /** Monotonic clock, milliseconds since some instant. */
  elapsed(): number
  /** The remaining life of the access token in the record of profile `key`, milliseconds; 0: expired or none. */
  remainingMs(record: TokenRecord, key: string): number
  /** Resolves after `ms`, or as soon as `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Waits in real time. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resume) => {
    if (signal?.aborted) return resume()
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resume()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end)
  })
}

/**
 * Creates the clock. A wall clock that is set back would make a token live longer than it does: so from its first sight
 * in this process on, a token also ages by the monotonic clock.
 */
export function createClock(wall: () => number, monotonic: () => number): Clock {
  const firstSeen = new Map<string, { generation: number; endsAt: number }>()
  return {
    now: wall,
    elapsed: monotonic,
    sleep,
    remainingMs(record, key) {
      if (!record.tokenSet) return 0
      const byWall = accessTokenRemainingMs(record.tokenSet, wall())
      const seen = firstSeen.get(key)
      if (seen?.generation !== record.generation) {
        firstSeen.set(key, { generation: record.generation, endsAt: monotonic() + byWall })
        return byWall
      }
      return Math.max(0, Math.min(byWall, seen.endsAt - monotonic()))
    },
  }
}
