import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that the system gives to clients: a test that runs at the same time would be given ours. */
const [FIRST_PORT, LAST_PORT] = [20_000, 29_999]

/** A port that was free a moment ago on every loopback address. */
export async function freePort(): Promise<number> {
  const port = randomInt(FIRST_PORT, LAST_PORT + 1)
  return (await isTaken('127.0.0.1', port)) || (await isTaken('::1', port)) ? freePort() : port
}

async function isTaken(host: string, port: number): Promise<boolean> {
  const server = createServer().listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  }
  server.close()
  await once(server, 'close')
  return false
}
