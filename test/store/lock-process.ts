// Takes a lock, says so, and holds it until it is told to let go or dies. Usage: PATH DEADLINE-MS

import { acquireLock } from '../../src/store/lock.ts'

const [path = '', deadlineMs = '0'] = process.argv.slice(2)
const lock = await acquireLock(path, Number(deadlineMs), Date.now)
if (lock?.kind !== 'held') {
  process.send?.({ busy: lock })
  process.disconnect()
} else {
  lock.describe({ generation: 41 })
  process.on('message', (note: Record<string, unknown> | 'release') => {
    if (note === 'release') {
      lock.release()
      process.disconnect()
    } else {
      lock.describe(note)
      process.send?.({ described: true })
    }
  })
  process.send?.({ held: true, left: lock.left })
}
