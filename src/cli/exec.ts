// `exec`: runs a program with a credential that does not go stale.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { toTime } from '../answers.ts'
import { resolveApp } from '../app/app.ts'
import { type Child, openChild, readChildWishes } from '../hand-over/child.ts'
import type { System } from '../machine/system.ts'
import { say } from '../sentence.ts'
import type { Cli, Command, Invocation } from './io.ts'
import { usageError } from './usage.ts'
import type { Start } from './windows-command.ts'

/** What a shell answers for a command that is not there, and for one that cannot be run. */
const NOT_FOUND = 127
const NOT_EXECUTABLE = 126
/** A terminal sends these to the child by itself. */
const FROM_TERMINAL: NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP']

/** Runs a command with a credential in its environment; its stdio, signals and exit status are its own. */
export const exec: Command = async (invocation) => {
  const { cli, deps, operands } = invocation
  const [command] = operands
  if (command === undefined) throw usageError(cli, say`exec needs a command: exec -- CMD …`)
  const { environment, gateway } = await open(invocation)
  try {
    const { file, args, verbatim } = await startOf([command, ...operands.slice(1)], {
      platform: cli.runtime.platform,
      environment: cli.environment,
      command: cli.command,
    })
    // It shares the terminal with its child.
    await cli.said()
    deps.closing.throwIfAborted()
    const options = { stdio: 'inherit', env: environment, windowsVerbatimArguments: verbatim } as const
    return await runChild(spawn(file, args, options), command, cli)
  } finally {
    await gateway?.close()
  }
}

async function open({ cli, deps, profile, options }: Invocation): Promise<Child> {
  const wishes = readChildWishes(deps, {
    for: options.for,
    env: options.env,
    noGateway: options['no-gateway'] ?? false,
    needsGateway: false,
  })
  const app = await resolveApp(deps, profile)
  if (!wishes.direct && !(await deps.store.read(app.id)).tokenSet) {
    const { notAuthorized } = await import('../refresh/reasons.ts')
    const { said } = await notAuthorized(deps, app)
    cli.stderr(say`${said} Its calls fail until someone logs in.\n`)
  }
  const child = await openChild(deps, { profile, inherited: cli.environment, wishes })
  if (options.for !== undefined && child.goodUntil !== null) {
    const { localTime } = await import('../moment.ts')
    const until = localTime(toTime(child.goodUntil))
    cli.stderr(say`${options.for} gets the access token itself, which is good until ${until}.\n`)
  }
  return child
}

/** How a command is started on this system. */
export async function startOf(
  words: [string, ...string[]],
  { platform, environment, command }: System & { command: string },
): Promise<Start> {
  const [file, ...args] = words
  if (platform !== 'win32') return { file, args, verbatim: false }
  const { windowsStart } = await import('./windows-command.ts')
  return windowsStart(words, { environment, exists: existsSync, program: command })
}

function runChild(child: ChildProcess, command: string, cli: Cli): Promise<number> {
  const giveBack = cli.passSignals((signal) => {
    // Asked only now: to ask opens stdin, which is the child's.
    const fromTerminal = FROM_TERMINAL.includes(signal) && cli.stdin.isTTY === true
    if (!fromTerminal) child.kill(signal)
  })
  const status = new Promise<number>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT'
      cli.stderr(
        say`${command}: ${missing ? say`command not found` : say`cannot be run (${error.code ?? ''})`}\n`,
      )
      resolve(missing ? NOT_FOUND : NOT_EXECUTABLE)
    })
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  })
  return status.finally(giveBack)
}
