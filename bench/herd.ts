// The herd: P processes, each with 25 calls at once, on one expired token. One request is sent; how long do the others
// wait beyond what Feishu itself takes?

import { resolve } from 'node:path'
import { openTheatre, setScene } from '../test/faults/scene.ts'
import { presentationsByToken } from '../test/support/invariants.ts'
import { age } from '../test/support/stored.ts'
import { type Course, type Figure, median, quantile } from './figure.ts'
import { openSession, type Session } from './process.ts'

const PROCESSES = [1, 2, 4, 8] as const
const CALLS = 25
const ROUNDS = { short: 5, full: 25 }
/** As a token endpoint on the other side of a continent: the others really wait. */
const UPSTREAM_MS = 200

type Round = {
  requests: number
  waits: number[]
  /** The same calls when nothing is due: what the machine itself takes. */
  idle: number[]
}

async function call(session: Session, due: boolean): Promise<number> {
  const startedAt = performance.now()
  const { structuredContent } = await session.callTool('refresh_token')
  const { status } = structuredContent as { status: string }
  if ((status !== 'still_valid') !== due) throw new Error(`the token was ${status}`)
  return performance.now() - startedAt - (due ? UPSTREAM_MS : 0)
}

/** Measures the herd of each size, round after round, on one store. */
export async function benchHerd({ node, short }: Course): Promise<Figure[]> {
  const theatre = await openTheatre()
  const sessions: Session[] = []
  try {
    const { sandbox } = theatre
    const scene = await setScene(theatre)
    const { store } = await scene.open()
    sandbox.knobs.latencyMs = UPSTREAM_MS
    const main = resolve('dist/main.js')
    for (let count = 0; count < 8; count += 1) sessions.push(await openSession([node, main], scene.env))
    const presented = () => [...presentationsByToken(sandbox.ledger).values()].flat().length
    const rounds = new Map<number, Round[]>(PROCESSES.map((processes) => [processes, []]))
    // The first round loads what a first refresh loads, and is not counted.
    for (let round = -1; round < (short ? ROUNDS.short : ROUNDS.full); round += 1) {
      for (const processes of PROCESSES) {
        await age(store, scene.id)
        const before = presented()
        const herd = sessions.slice(0, processes).flatMap((session) => Array<Session>(CALLS).fill(session))
        const waits = await Promise.all(herd.map((session) => call(session, true)))
        const idle = await Promise.all(herd.map((session) => call(session, false)))
        if (round >= 0) rounds.get(processes)?.push({ requests: presented() - before, waits, idle })
      }
    }
    return figuresOf(rounds)
  } finally {
    await Promise.all(sessions.map((session) => session.close()))
    await theatre.close()
  }
}

function figuresOf(rounds: Map<number, Round[]>): Figure[] {
  const p95 = (processes: number, which: 'waits' | 'idle' = 'waits') =>
    median((rounds.get(processes) ?? []).map((round) => quantile(round[which], 0.95)))
  const all = [...rounds.values()].flat()
  const unit = 'ms'
  return [
    {
      key: 'herd-requests',
      figure: `requests of a herd of 1, 2, 4 or 8 processes × ${CALLS} calls`,
      value: Math.max(...all.map(({ requests }) => requests)),
      unit: 'at most in a round',
      target: { atMost: 1 },
      exact: true,
    },
    ...PROCESSES.map((processes): Figure => {
      const figure = `herd of ${processes} × ${CALLS}: wait beyond Feishu's own time, p95`
      const target = processes === 8 ? { atMost: 100 } : null
      const peers = [{ name: 'nothing due', value: p95(processes, 'idle') }]
      return { key: `herd-${processes}`, figure, value: p95(processes), unit, target, peers }
    }),
    {
      key: 'herd-growth',
      figure: 'that wait with 8 processes',
      value: p95(8) / p95(1),
      unit: '× with 1',
      target: null,
    },
  ]
}
