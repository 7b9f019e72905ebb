// The umask of the process that runs the tests.

import { isMainThread } from 'node:worker_threads'
import { onTestFinished } from 'vitest'

/** Sets it until the test ends. A worker thread, in which mutations are tried, may not: there it stays as it is. */
export function setUmask(mask: number): void {
  if (!isMainThread) return
  const before = process.umask(mask)
  onTestFinished(() => void process.umask(before))
}
