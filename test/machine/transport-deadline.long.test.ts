import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { ask, bodyOf } from './transport-peers.ts'

test.each([2_150, 2_900])(
  'a deadline does not fire before what arrived while the process stood still for %d ms is read',
  async (ms) => {
    // A server of its own, which answers while this thread does nothing at all.
    const answered = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads')
     const answer = 'HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok'
     const server = require('node:net').createServer((socket) => socket.once('data', () =>
       socket.end(answer, () => { Atomics.store(workerData, 0, 1); Atomics.notify(workerData, 0) })))
     server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`,
      { eval: true, workerData: answered },
    )
    onTestFinished(async () => void (await worker.terminate()))
    const [port] = await once(worker, 'message')
    const stand = () => {
      Atomics.wait(answered, 0, 0)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    }
    const onSend = () => void setImmediate(stand)
    expect(bodyOf(await ask(`http://127.0.0.1:${port}/`, { deadlineMs: 2_000, onSend }))).toBe('ok')
  },
)
