import { onTestFinished, vi } from 'vitest'

/** Lets the timers of the program under test stand still; `vi.advanceTimersByTimeAsync` moves them on. */
export function holdTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
}
