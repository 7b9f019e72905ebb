// How a process comes to its end: the one place that knows of signals.
//
// The first SIGINT, SIGTERM or SIGHUP aborts `closing`; for a server the end of its input does too, or an error on it.
// That is all that a verb knows: before it sends or begins something it asks `closing.throwIfAborted()`, and whoever
// waits for a person, a clock or a child stops waiting when it is aborted. Only the second presentation of a refresh
// token whose answer was lost still goes out: it belongs to the first. What is under way (under-way.ts) is seen
// through and settled, for as long as a refresh may take; then the process ends with 128+n. A second signal changes
// nothing: a host signals the whole group, and npx hands on what it gets itself. A third ends at once.

import { CodedError } from '../errors.ts'
import { say } from '../sentence.ts'

export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** As a shell tells them (128+n); of Node's own table the numbers differ by system, these three do not. */
const NUMBERS: Readonly<Record<EndSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }

/** Any refresh is over by then: its network in 26 s (`CALL_MS` in refresh/presentation.ts), then storing. */
const BOUND_MS = 30_000
/** What was seen through is told in this time; whoever waits for something else by then waits in vain. */
const TELL_MS = 1_000
/** The signal that ends at once. */
const LAST_SIGNAL = 3

export type Ending = {
  /** Aborted when the process is told to end; its reason is what a call that has not begun fails with. */
  closing: AbortSignal
  /** Resolves once the process was told to end and what was under way is settled. */
  settled: Promise<void>
  /** Rejects with the reason of `closing` when there was time to tell what was seen through. */
  over: Promise<never>
  /** 128+n of the first signal; null: none came. */
  code(): number | null
  /** As if the signal had come: a terminal in raw mode gives Ctrl-C as a character. */
  signal(signal: EndSignal): void
  /** The process ends with this input, and with an output that no one reads. */
  endWith(stdin: NodeJS.ReadableStream, stdout: NodeJS.WritableStream): void
  /** Gives the signals to someone else, until the returned function is called. */
  handOver(act: (signal: EndSignal) => void): () => void
}

/** Listens for the signals. `settle` ends what is under way; `exit` ends the process at once. */
export function createEnding(host: {
  on(signal: EndSignal, act: () => void): unknown
  heard(signal: EndSignal): void
  settle(): Promise<void>
  exit(code: number): void
}): Ending {
  const closing = new AbortController()
  let first: EndSignal | null = null
  let signals = 0
  let heir: ((signal: EndSignal) => void) | null = null

  const told = new Promise<void>((resolve) => closing.signal.addEventListener('abort', () => resolve()))
  const settled = told.then(async () => {
    // Those who hear of it may have something to end first: a login that waits for its person cancels it.
    await new Promise((resume) => setImmediate(resume))
    await host.settle()
  })
  const over = settled.then(async () => {
    await new Promise((resume) => setTimeout(resume, TELL_MS).unref())
    throw closing.signal.reason
  })
  over.catch(() => undefined)

  function end(): void {
    if (closing.signal.aborted) return
    setTimeout(() => host.exit(first ? 128 + NUMBERS[first] : 0), BOUND_MS)
    closing.abort(stopped())
  }

  function signal(name: EndSignal): void {
    if (heir) {
      heir(name)
      return
    }
    signals += 1
    host.heard(name)
    if (signals >= LAST_SIGNAL) host.exit(128 + NUMBERS[name])
    if (!closing.signal.aborted) first = name
    end()
  }

  for (const name of Object.keys(NUMBERS) as EndSignal[]) host.on(name, () => signal(name))
  return {
    closing: closing.signal,
    settled,
    over,
    code: () => first && 128 + NUMBERS[first],
    signal,
    endWith(stdin, stdout) {
      for (const event of ['end', 'close', 'error']) stdin.on(event, end)
      stdout.on('error', end)
    },
    handOver(act) {
      heir = act
      return () => {
        heir = null
      }
    },
  }
}

function stopped(): CodedError {
  return new CodedError('temporarily_unavailable', say`Stopped before it was done.`, {
    nextStep: say`Start it again.`,
  })
}
