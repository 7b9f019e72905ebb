// A session that is open already: what `token_status` costs beside a peer that reads a file of the size of our record,
// what more profiles add, and what twenty thousand calls leave behind.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { openTheatre, setScene, type Theatre } from '../test/faults/scene.ts'
import { storeIssued } from '../test/support/stored.ts'
import { type Course, type Figure, median, quantile } from './figure.ts'
import { installPeer } from './peers.ts'
import { memoryOf, openSession, type Session } from './process.ts'

/** In turns, so that whatever else the machine does meets all of them alike. */
const TURNS = { short: 20, full: 60 }
/** Not counted: until both servers' code is compiled. */
const WARM_UP_TURNS = 20
const CALLS_A_TURN = 50
/** A record with two tokens of Feishu's usual length. */
const RECORD_BYTES = 6_600
/** The first twenty are looked into, all others only named. */
const [SOME, MANY] = [20, 200]
const LONG_RUN = 20_000
/** Answers that are on their way at once, as of a client that does several things. */
const BATCH = 10
/** A name in two lists takes a fraction of what reading, unsealing and judging a record takes. */
const NAMING = 0.2
/** Garbage is collected when there is enough of it: less than this is not growth. */
const FLAT = 1.1

type Task = { call: () => Promise<unknown>; took: number[] }

async function openServer({ node }: Course, theatre: Theatre, profiles: number): Promise<Session> {
  const scene = await setScene(theatre)
  const { store } = await scene.open()
  const { sandbox } = theatre
  for (let count = 1; count < profiles; count += 1) {
    const id = { ...scene.id, profile: `profile-${count}` }
    await storeIssued(store, id, sandbox.issue(), sandbox.user, Date.now())
  }
  const session = await openSession([node, resolve('dist/main.js')], scene.env)
  // A record of calls to Feishu is there, as with everybody who has used it.
  await session.callTool('refresh_token', { force: true })
  return session
}

async function openPeer({ node }: Course, theatre: Theatre): Promise<Session | null> {
  const script = await installPeer('server-filesystem')
  if (script === null) return null
  const { env } = await setScene(theatre)
  return openSession([node, script, theatre.root], env)
}

const task = (session: Session | null, tool: string, args: object = {}): Task => ({
  call: async () => session?.callTool(tool, args),
  took: [],
})

async function takeTurns(tasks: Task[], turns: number): Promise<void> {
  for (let turn = -WARM_UP_TURNS; turn < turns; turn += 1) {
    for (const { call, took } of tasks) {
      for (let count = 0; count < CALLS_A_TURN; count += 1) {
        const startedAt = performance.now()
        await call()
        if (turn >= 0) took.push(performance.now() - startedAt)
      }
    }
  }
}

/** Memory held late in a long run, as a ratio to early in it; null where there is no /proc. */
async function measureGrowth(session: Session): Promise<number | null> {
  const held: number[] = []
  for (let calls = 0; calls < LONG_RUN; calls += BATCH) {
    await Promise.all(Array.from({ length: BATCH }, () => session.callTool('token_status')))
    held.push(memoryOf(session.pid, 'VmRSS') ?? Number.NaN)
  }
  // Of five parts the first is the heap's way to its size; the second is compared with the last.
  const part = held.length / 5
  // The low tenth of each is what is left when garbage has just been collected.
  const growth = quantile(held.slice(-part), 0.1) / quantile(held.slice(part, 2 * part), 0.1)
  return Number.isNaN(growth) ? null : growth
}

/** Measures calls over sessions that are open already. */
export async function benchLive(course: Course): Promise<Figure[]> {
  const theatre = await openTheatre()
  const sessions: Session[] = []
  try {
    for (const profiles of [1, SOME, MANY]) sessions.push(await openServer(course, theatre, profiles))
    const [one, some, many] = sessions as [Session, Session, Session]
    const record = join(theatre.root, 'record')
    writeFileSync(record, 'x'.repeat(RECORD_BYTES))
    const peer = await openPeer(course, theatre)
    if (peer) sessions.push(peer)
    const tasks = {
      one: task(one, 'token_status'),
      read: task(peer, 'read_text_file', { path: record }),
      some: task(some, 'token_status'),
      many: task(many, 'token_status'),
    }
    await takeTurns(Object.values(tasks), course.short ? TURNS.short : TURNS.full)
    const p50 = (name: keyof typeof tasks) => median(tasks[name].took)
    const lookedInto = (p50('some') - p50('one')) / (SOME - 1)
    const named = (p50('many') - p50('some')) / (MANY - SOME)
    const figures = [
      ratio('profile', 'each profile after the 20th in `token_status`', named / lookedInto, LOOKING, NAMING),
    ]
    if (peer) {
      const call = p50('one') / p50('read')
      const more = (p50('many') - p50('one')) / p50('read')
      figures.unshift(
        ratio('call', '`token_status` over a live session, p50', call, READING, 0.9),
        ratio('profiles', `what ${MANY - 1} more profiles add to it`, more, READING, 2),
      )
    }
    const growth = await measureGrowth(one)
    if (growth === null) process.stderr.write('SKIPPED: growth of memory, as there is no /proc here\n')
    else figures.push(ratio('growth', 'memory held after 20,000 calls', growth, '× after 4,000', FLAT))
    return figures
  } finally {
    await Promise.all(sessions.map((session) => session.close()))
    await theatre.close()
  }
}

const READING = "× server-filesystem's `read_text_file`"
const LOOKING = '× one that is looked into'

function ratio(key: string, figure: string, value: number, unit: string, atMost: number | null): Figure {
  return { key, figure, value, unit, target: atMost === null ? null : { atMost } }
}
