// Records that could not be written yet: in memory, their locks still held, and tried again until they are written.

import type { CodedError } from '../errors.ts'
import type { TokenRecord } from '../oauth/token-set.ts'

/** Between attempts. */
const SAVE_AGAIN_MS = 1_000
/** How often, and how long, it is tried before the process leaves: together under two seconds, unless one hangs. */
const LAST_ATTEMPTS = 8
const LAST_ATTEMPTS_MS = 2_000
const LAST_ATTEMPT_PAUSE_MS = 200

/** Writes what could not be written before; null when it is written, else why not. */
export type Save = () => CodedError | null | Promise<CodedError | null>

export class Unsaved {
  readonly #kept = new Map<string, { record: TokenRecord; save: () => Promise<CodedError | null> }>()

  /** Keeps a record by its path. */
  keep(path: string, record: TokenRecord, save: Save): void {
    let running: Promise<CodedError | null> | null = null
    const attempt = async () => {
      const problem = await save()
      running = null
      if (problem !== null) return problem
      clearInterval(timer)
      this.#kept.delete(path)
      return null
    }
    const saveOnce = () => {
      running ??= attempt()
      return running
    }
    const timer = setInterval(() => void saveOnce(), SAVE_AGAIN_MS).unref()
    this.#kept.set(path, { record, save: saveOnce })
  }

  recordAt(path: string): TokenRecord | null {
    return this.#kept.get(path)?.record ?? null
  }

  /** Before anything else is done to it. Throws where it still cannot be written. */
  async saveFirst(path: string): Promise<void> {
    const problem = await this.#kept.get(path)?.save()
    if (problem) throw problem
  }

  /** The last attempts; resolves to whether all is written. */
  async flush(): Promise<boolean> {
    // Node loads modules for `performance`: the usual end needs none.
    if (this.#kept.size === 0) return true
    const giveUpAt = performance.now() + LAST_ATTEMPTS_MS
    for (let attempt = 0; this.#kept.size > 0 && attempt < LAST_ATTEMPTS; attempt += 1) {
      if (performance.now() > giveUpAt) break
      if (attempt > 0) await new Promise((resume) => setTimeout(resume, LAST_ATTEMPT_PAUSE_MS))
      await Promise.all([...this.#kept.values()].map(({ save }) => save()))
    }
    return this.#kept.size === 0
  }
}
