// What a command is handed, and how it prints.

import type { Readable } from 'node:stream'
import type { Deps } from '../deps.ts'
import type { Environment } from '../machine/system.ts'
import type { Sentence } from '../sentence.ts'
import type { Options } from './argv.ts'
import type { Started } from './started.ts'

/** The process as it is handed in. */
export type Terminal = {
  version: string
  runtime: { node: string; platform: NodeJS.Platform; arch: string }
  /** The person's home directory; empty where the system knows none. */
  home: string
  /** How this program was started, for hints. */
  command: string
  /** The same for a client's config. */
  started: Started
  environment: Environment
  stdout: (text: string) => void
  stderr: (text: string) => void
  /** The columns of the terminal where a person looks on; null: there is none. */
  readonly width: { readonly stdout: number | null; readonly stderr: number | null }
  /** Opened when it is first asked for. */
  readonly stdin: Readable & { isTTY?: boolean }
  /** Throws `config_invalid`. */
  openDeps: () => Promise<Deps>
  settle: (deps: Deps) => Promise<void>
  /** Aborted when the process is told to end. */
  closing: AbortSignal
  /** Rejects with the reason of `closing` when what was under way then is settled. */
  over: Promise<never>
  /** Ctrl-C that came as a character. */
  interrupt: () => void
  /** For a command that serves its stdin: the process ends with it. */
  endWithInput: () => void
  /** Has the signals act on a child instead of ending this process, until the returned function is called. */
  passSignals: (act: (signal: NodeJS.Signals) => void) => () => void
}

/** What a command may use of the process. `stdout` is for programs; the other two are for people, in their language. */
export type Cli = Omit<Terminal, 'stderr'> & {
  /** Text for people that was asked for, on stdout. */
  show: (text: Sentence) => void
  stderr: (text: Sentence) => void
  /** Resolves when all that was said is out. */
  said: () => Promise<void>
  /** The command that was called. */
  called?: string
}

/** One call of a command. */
export type Invocation = { cli: Cli; deps: Deps; profile: string; options: Options; operands: string[] }

/** Runs a command; resolves to its exit code. Errors are thrown. */
export type Command = (invocation: Invocation) => Promise<number>

/** More than any secret or address that a person pastes. */
const MAX_LINE_BYTES = 65_536

/** The first line of stdin, without its end; null when there is none. */
export async function readLine(stdin: Readable): Promise<string | null> {
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.includes('\n') || text.length > MAX_LINE_BYTES) break
  }
  return text.split(/\r?\n/)[0]?.trim() || null
}

/** One JSON document on stdout, or text for people on stderr: stdout is for programs. */
export function print(cli: Cli, json: boolean | undefined, answer: object, text: Sentence): void {
  if (json) cli.stdout(`${JSON.stringify(answer, null, 2)}\n`)
  else cli.stderr(text)
}
