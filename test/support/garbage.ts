// What a process holds, without what waits for the garbage collector: how long that waits is each Node's own choice.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** The mebibytes that this process holds in V8's heap and in buffers outside it, after its garbage was collected. */
export async function heldMebibytes(): Promise<number> {
  // What this turn of the event loop has in hand is garbage in the next; buffers are freed by the collection after.
  for (let turn = 0; turn < 2; turn += 1) {
    await new Promise((resume) => setImmediate(resume))
    collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1_048_576
}
