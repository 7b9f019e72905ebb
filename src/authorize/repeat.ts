// Asking again, at a pace that Feishu sets, until there is an answer.

import type { Deps } from '../deps.ts'
import { describeError } from '../errors.ts'
import { say } from '../sentence.ts'

/**
 * Takes a step again and again, first after a pause; each says how long to pause before the next, or null at the end.
 * A step that fails is taken again. `close` waits for a step under way: what it brings may come only once.
 */
export function repeat(
  deps: Deps,
  firstPauseMs: number,
  step: () => Promise<number | null>,
): { close(): Promise<void> } {
  let closed = false
  let pauseMs: number | null = firstPauseMs
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout

  async function run(): Promise<void> {
    try {
      pauseMs = await step()
    } catch (error) {
      deps.log('warn', say`authorization: ${describeError(error)}`)
    }
    schedule()
  }

  function schedule(): void {
    if (closed || pauseMs === null) return
    timer = setTimeout(() => {
      running = run()
    }, pauseMs)
  }

  schedule()
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}
