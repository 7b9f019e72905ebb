import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import type { Figure } from './figure.ts'

// Many programs at once, each on a connection of its own, for as long as it takes to see whether anything grows.

const CONNECTIONS = 200

/** The long run is what is promised. */
const SECONDS = { short: 4, full: 10 }

type Peer = { origin: string; key: string; memory: () => Promise<number> }

/** Sends small calls over 200 connections at once; counts what fails, and watches the memory. */
export async function benchCrowd(peer: Peer, short: boolean): Promise<Figure[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  let failed = 0
  let open = true
  const program = async () => {
    while (open) await callOnce(peer, agent).catch(() => (failed += 1))
  }
  const programs = Array.from({ length: CONNECTIONS }, program)
  const memory: number[] = []
  const samples = (short ? SECONDS.short : SECONDS.full) * 2
  for (let sample = 0; sample < samples; sample++) {
    await new Promise((resolve) => setTimeout(resolve, 500))
    memory.push(await peer.memory())
  }
  open = false
  await Promise.all(programs)
  agent.destroy()
  const half = memory.length / 2
  // What is left when garbage has just been collected: the low of each half.
  const growth = Math.min(...memory.slice(half)) / Math.min(...memory.slice(2, half))
  return [
    {
      key: 'standing-crowd',
      figure: `failed calls of ${CONNECTIONS} connections at the standing gateway`,
      value: failed,
      unit: 'calls',
      target: { atMost: 0 },
      exact: true,
    },
    {
      key: 'standing-growth',
      figure: 'memory of the standing gateway, second half of the crowd',
      value: growth,
      unit: '× first half',
      target: { atMost: 1.1 },
    },
  ]
}

async function callOnce({ origin, key }: Peer, agent: Agent): Promise<void> {
  const headers = { authorization: `Bearer ${key}` }
  const sent = request(`${origin}/open-apis/small`, { agent, headers }).end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.resume()
  await once(answer, 'end')
  if (answer.statusCode !== 200) throw new Error(`HTTP ${answer.statusCode}`)
}
