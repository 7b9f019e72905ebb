// Whoever presents something that works once sees the answer through, whatever becomes of its streams: a server ends
// with its stdin or its stdout, a command only with what it does.

import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { buildVariant } from '../faults/variant.ts'
import {
  COMMANDS,
  type Entry,
  expectKept,
  recordOf,
  SERVERS,
  type Started,
  type Streams,
  strike,
} from '../support/presenters.ts'

/** Two ends of a TCP connection, as socat, inetd or systemd give one of them to a program. */
async function connected(): Promise<{ ours: Socket; theirs: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  // Paused, or this process would take what is for the other one.
  const theirs = createConnection({ port, host: '127.0.0.1' }).pause()
  const [[ours]] = await Promise.all([once(server, 'connection'), once(theirs, 'connect')])
  server.close()
  return { ours, theirs }
}

type Name = keyof Streams

/** What becomes of a stream while Feishu holds its answer. `socket`: the stream is one, and no pipe. */
const BLOWS: Record<
  string,
  { stream: Name; socket: boolean; strike: (started: Started, streams: Streams) => void }
> = {
  'the end of stdin': { stream: 'stdin', socket: false, strike: ({ child }) => child.stdin?.end() },
  'the end of a stdin that is a socket': {
    stream: 'stdin',
    socket: true,
    strike: (_, { stdin }) => stdin?.ours.end(),
  },
  'a stdin that is reset (ECONNRESET)': {
    stream: 'stdin',
    socket: true,
    strike: (_, { stdin }) => stdin?.ours.resetAndDestroy(),
  },
  'a stdout that nobody reads (EPIPE)': {
    stream: 'stdout',
    socket: false,
    strike: ({ child }) => child.stdout?.destroy(),
  },
  'a stdout that is reset (ECONNRESET)': {
    stream: 'stdout',
    socket: true,
    strike: (_, { stdout }) => stdout?.ours.resetAndDestroy(),
  },
  'a stderr that nobody reads (EPIPE)': {
    stream: 'stderr',
    socket: false,
    strike: ({ child }) => child.stderr?.destroy(),
  },
  'a stderr that is reset (ECONNRESET)': {
    stream: 'stderr',
    socket: true,
    strike: (_, { stderr }) => stderr?.ours.resetAndDestroy(),
  },
}

type Way = { name: string; entry: Entry; blow: string }

/** Strikes, then has the process told to end, if it needs that. */
async function struck(
  { entry, blow }: Pick<Way, 'entry' | 'blow'>,
  finish: (started: Started) => unknown = () => undefined,
  main?: string,
) {
  const { stream, socket, strike: act } = BLOWS[blow] as (typeof BLOWS)[string]
  const streams: Streams = socket ? { [stream]: await connected() } : {}
  const strikes = async (started: Started) => {
    act(started, streams)
    await finish(started)
  }
  return strike(entry, strikes, { streams, ...(main ? { main } : {}) })
}

const ways = (entries: Record<string, Entry>): Way[] =>
  Object.entries(entries).flatMap(([name, entry]) =>
    Object.keys(BLOWS).map((blow) => ({ name, entry, blow })),
  )

const QUIET = expect.not.stringMatching(/ECONNRESET|EPIPE/)

/** It stands until a signal comes. */
const STANDING = 'the standing gateway'

describe('a command keeps the answer, and does what it was called for, at', () => {
  test.each(ways(COMMANDS))('$blow: $name', async (way) => {
    const stands = way.name === STANDING
    const { stage, code, started } = await struck(way, ({ child }) => stands && child.kill('SIGTERM'))
    expect([code, started.text()]).toEqual([stands ? 143 : 0, QUIET])
    await way.entry.kept(stage)
  })
})

describe('a server keeps the answer, and ends with its stdin, at', () => {
  test.each(ways(SERVERS))('$blow: $name', async (way) => {
    const { stage, code, started } = await struck(way, ({ child }) => child.stdin?.end())
    expect([code, started.text()]).toEqual([0, QUIET])
    await way.entry.kept(stage)
  })
})

test.each(Object.keys(BLOWS).filter((blow) => blow.includes('stdout')))(
  'the server ends with %s',
  async (blow) => {
    const entry = SERVERS['the server'] as Entry
    const { stage, code } = await struck({ entry, blow })
    expect(code).toBe(0)
    await entry.kept(stage)
  },
)

test('the control: the answer is lost where what is under way is not seen through', async () => {
  const hasty = await buildVariant('seeing-through', [
    { file: 'src/wiring/under-way.ts', from: 'works.size > 0', to: 'works.size > 1_000' },
    { file: 'src/wiring/ending.ts', from: 'const TELL_MS = 1_000', to: 'const TELL_MS = 0' },
  ])
  for (const blow of ['the end of stdin', 'a stdin that is reset (ECONNRESET)']) {
    for (const entry of Object.values(SERVERS).filter(({ kept }) => kept === expectKept)) {
      const { stage } = await struck({ entry, blow }, ({ end }) => end, hasty)
      expect((await recordOf(stage)).record.generation).toBe(1)
    }
  }
})

test('the control: an error on stdin that is no end of it ends the server with a stack trace', async () => {
  const startled = await buildVariant('stdin-errors', [
    { file: 'src/wiring/ending.ts', from: "['end', 'close', 'error']", to: "['end']" },
  ])
  const entry = SERVERS['the server'] as Entry
  const blow = 'a stdin that is reset (ECONNRESET)'
  const { code, started } = await struck({ entry, blow }, ({ end }) => end, startled)
  expect([code, started.text()]).toEqual([1, expect.stringContaining('ECONNRESET')])
})
