import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** Below those that the system gives to clients: a test that runs at the same time would be given ours. */
const FIRST_PORT = 20_000
/** The ports from one that a process of tests holds to the next one that another may hold: those between are its own. */
const BLOCK = 50
const BLOCKS = 200

let block: Promise<number> | null = null
let given = 0

/** A port that was free a moment ago on every loopback address, and that no other process of tests is given. */
export async function freePort(): Promise<number> {
  block ??= holdBlock()
  const port = (await block) + 1 + (given++ % (BLOCK - 1))
  return (await isTaken('127.0.0.1', port)) || (await isTaken('::1', port)) ? freePort() : port
}

async function holdBlock(): Promise<number> {
  const first = FIRST_PORT + BLOCK * randomInt(BLOCKS)
  const held = await listen('127.0.0.1', first)
  if (held === 'taken' || held === null) return holdBlock()
  held.unref()
  return first
}

async function isTaken(host: string, port: number): Promise<boolean> {
  const held = await listen(host, port)
  if (held === 'taken' || held === null) return held === 'taken'
  held.close()
  await once(held, 'close')
  return false
}

/** null: this machine has no such address. */
async function listen(host: string, port: number): Promise<Server | 'taken' | null> {
  const server = createServer().listen({ host, port })
  try {
    await once(server, 'listening')
    return server
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'taken' : null
  }
}
