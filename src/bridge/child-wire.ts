// A program on stdio as a wire. What it writes that is no message is passed on to whoever reads our stderr.

import type { ChildProcess } from 'node:child_process'
import { CodedError, errnoOf } from '../errors.ts'
import { say } from '../sentence.ts'
import { createLines } from './lines.ts'
import type { Link, Wire } from './link.ts'
import { type Message, readMessage } from './message.ts'

/** For each step of the end; two of them and the third's own time stay within the five seconds that we have. */
const STEP_MS = 2_000

/** A pipe that is not empty by then belongs to someone else. */
const LAST_WORDS_MS = 300

export type ChildOptions = {
  /** How people know it. */
  name: string
  /** Starts it, its stdin and stdout piped. */
  spawn: () => Promise<ChildProcess>
  /** Ends it in a way that it can or cannot refuse, with all that it has started. */
  kill: (child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL') => void
  /** A line that is no message. */
  stray: (line: string) => void
}

function parse(line: string): Message | null {
  try {
    return readMessage(JSON.parse(line))
  } catch {
    return null
  }
}

/** Starts the program; throws where it cannot be started. */
export async function openChildWire(
  { name, spawn, kill, stray }: ChildOptions,
  link: () => Link,
): Promise<Wire & { closed: Promise<unknown> }> {
  const child = await spawn()
  const closed = endOf(child)
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    // Also later: one that cannot be signalled any more says so here, and `close` has said it all.
    child.on('error', (error) => reject(notStarted(name, error)))
  })
  const read = createLines((line) => {
    const message = parse(line)
    if (message) link().receive(message)
    else if (line.trim() !== '') stray(line)
  })
  child.stdout?.on('data', read)
  // That it is gone tells `close`.
  child.stdin?.on('error', () => undefined)
  void closed.then(() => link().fail(null, ended(child)))
  return {
    closed,
    async send(message) {
      if (child.exitCode !== null || child.signalCode !== null) throw ended(child)
      child.stdin?.write(`${JSON.stringify(message)}\n`)
    },
    async close() {
      child.stdin?.end()
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        if (await isOver(closed)) return
        kill(child, signal)
      }
      await isOver(closed)
    },
  }
}

/** The end of the program; what it had still to say has been read, unless something that it started holds the pipe. */
function endOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => {
    child.once('close', resolve)
    child.once('exit', () => setTimeout(resolve, LAST_WORDS_MS))
  })
}

/** Whether it ended within a step. */
async function isOver(closed: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), STEP_MS)
  })
  return Promise.race([closed.then(() => true), late]).finally(() => clearTimeout(timer))
}

function notStarted(name: string, error: unknown): CodedError {
  return new CodedError(
    'config_invalid',
    say`${name} cannot be started (${errnoOf(error) ?? 'unknown error'}).`,
    {
      nextStep: say`Correct the command behind "--" in the entry of the MCP client, then start the server again.`,
    },
  )
}

function ended({ exitCode, signalCode }: ChildProcess): CodedError {
  return new CodedError(
    'network_error',
    say`The program behind these tools has ended (${signalCode ?? exitCode ?? 'unknown'}).`,
    { nextStep: say`Call again: it will be restarted; what it wrote before it ended is on stderr.` },
  )
}
