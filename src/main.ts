#!/usr/bin/env node
// The composition root: hands the process in. Loads the command line or the MCP server, not both.

import type { ChildProcess } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createVoice, inLanguage } from './chinese/voice.ts'
import { type Argv, readArgv } from './cli/argv.ts'
import type { openConnect as OpenConnect } from './cli/connect.ts'
import { type Started, startedAs } from './cli/started.ts'
import type { LogLevel } from './config/config.ts'
import { languageOf } from './config/language.ts'
import type { Deps, Log } from './deps.ts'
import { CodedError, describeError, traceOf } from './errors.ts'
import { environment } from './process/environment.ts'
import {
  flushed,
  isTerminal,
  openOutput,
  output,
  STREAMS,
  terminalWidth,
  writeError,
} from './process/streams.ts'
import { say } from './sentence.ts'
import { createEnding } from './wiring/ending.ts'
import { settle } from './wiring/settle.ts'

declare const VERSION: string

type Connect = ReturnType<typeof OpenConnect>

/** `exec` passes these on to its child too; while there is none they do what they do to any process. */
const PASSED_ON: readonly NodeJS.Signals[] = ['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT']

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug']

/** Background work begins this long after the handshake: some clients start a copy only to probe it. */
const BACKGROUND_DELAY_MS = 5_000

const started: Started = {
  platform: process.platform,
  environment,
  node: process.execPath,
  script: process.argv[1] ?? '',
}

/** How this process was started, for hints that name a command. */
const command = startedAs(started)

const language = () => languageOf(environment)

/** The log, in the language of whoever reads stderr; what is to be called next is named as tools. */
const voice = createVoice(language, null, writeError, () => terminalWidth('stderr'))

function createLog(level: LogLevel): Log {
  return (of, message) => {
    if (LEVELS.indexOf(of) <= LEVELS.indexOf(level)) voice.say(say`${`feishu-token-mcp ${of}: `}${message}\n`)
  }
}

/** The level before the settings are read, and where they cannot be used. */
function wantedLevel(): LogLevel {
  const wanted = environment.FEISHU_LOG_LEVEL?.trim().toLowerCase()
  return LEVELS.find((level) => level === wanted) ?? 'info'
}

/** Node throws for a user whom the system does not know, as in a container, unless HOME is set. */
function homeDirectory(): string {
  try {
    return homedir()
  } catch {
    return ''
  }
}

/** Settings that the command line implies. */
let implied: Record<string, string> = {}

/** Where the person sits: a client started the server and `connect`, a person at a terminal the other commands. */
const SEAT: Deps['seat'] = [undefined, 'connect'].includes(process.argv[2]) ? 'assistant' : 'terminal'

/** What this process works with, once something has asked for it. */
let opening: Promise<Deps> | null = null

const ending = createEnding({
  on: (signal, act) => process.on(signal, act),
  heard: (signal) => createLog(wantedLevel())('debug', say`${signal}: finishing what was sent`),
  settle: async () => opening?.then(settle, () => undefined),
  exit: (code) => process.exit(code),
})

/** Throws `config_invalid`. */
function getDeps(): Promise<Deps> {
  opening ??= openDeps()
  return opening
}

async function openDeps(): Promise<Deps> {
  const { openDeps } = await import('./wiring/open-deps.ts')
  return openDeps({
    machine: { platform: process.platform, environment: { ...environment, ...implied } },
    home: homeDirectory(),
    keychain: {
      platform: process.platform,
      environment: process.env,
      usualBus: process.getuid ? `/run/user/${process.getuid()}/bus` : null,
      node: process.execPath,
      child: join(import.meta.dirname, 'keychain-child.js'),
    },
    now: Date.now,
    // Not `performance`: Node loads a module for it.
    elapsed: () => Number(process.hrtime.bigint()) / 1e6,
    log: createLog,
    command,
    seat: SEAT,
    timerHost: {
      platform: process.platform,
      environment,
      helpers: process.env,
      home: homeDirectory(),
      uid: process.getuid?.() ?? null,
      node: process.execPath,
      script: join(import.meta.dirname, 'main.js'),
    },
    closing: ending.closing,
    launcher: {
      open: async (url) => (await import('open')).default(url),
      run: startProgram,
    },
  })
}

/** Starts a program that goes on without us. */
async function startProgram(program: string, args: string[]): Promise<ChildProcess> {
  const { spawn } = await import('node:child_process')
  return spawn(program, args, { stdio: 'ignore', detached: true })
}

async function serveMcp(connect: Connect | null): Promise<number> {
  const { serveStdio } = await import('./mcp/stdio.ts')
  const log = createLog(wantedLevel())
  let stopBackground: () => void = () => undefined
  const connection = await serveStdio(process.stdin, process.stdout, {
    version: VERSION,
    forPerson: (sentence) => inLanguage(language(), sentence, null),
    withTools: connect !== null,
    through: connect?.through,
    getDeps,
    log: (error) => {
      log('warn', describeError(error))
      if (!(error instanceof CodedError)) log('debug', say`${traceOf(error)}`)
    },
    onInitialized: () => {
      const timer = setTimeout(async () => {
        try {
          const { startBackground } = await import('./wiring/background.ts')
          stopBackground = startBackground(await getDeps())
        } catch {
          // The settings cannot be used, or the program was removed: every tool call says so.
        }
      }, BACKGROUND_DELAY_MS).unref()
      stopBackground = () => clearTimeout(timer)
    },
  })
  ending.endWith(process.stdin, process.stdout)
  let disconnected: Promise<void> | undefined
  ending.closing.addEventListener('abort', () => {
    stopBackground()
    disconnected = connect?.close()
  })
  await ending.settled
  await disconnected
  await connection.close()
  return 0
}

/** The bridge that the command line asks for; null: it asks for something else, or cannot be used. */
async function openConnect(argv: Argv): Promise<Connect | null> {
  if (argv.name !== 'connect') return null
  const [{ openConnect }, { readConnect, settingsOf }] = await Promise.all([
    import('./cli/connect.ts'),
    import('./cli/connect-wish.ts'),
  ])
  const host = { command, environment, platform: process.platform }
  try {
    const wish = await readConnect(argv, host)
    if (!wish) return null
    implied = settingsOf(wish, environment)
    return openConnect(wish, { ...host, getDeps, stderr: writeError, kill: killGroup })
  } catch {
    // Told by the command line, as for every other command.
    return null
  }
}

/** Signals a process and all that it has started, where the system has groups. */
function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal)
  } catch {
    // It has ended by itself.
  }
}

async function runCommand(argv: Argv): Promise<number> {
  const { runCli } = await import('./cli/run.ts')
  const { writeAtOnce } = await import('./cli/output.ts')
  return runCli(argv, {
    version: VERSION,
    runtime: { node: process.versions.node, platform: process.platform, arch: process.arch },
    home: homeDirectory(),
    command,
    started,
    environment,
    stdout: (text) => {
      const rest = output.stream ? text : writeAtOnce(STREAMS.stdout, text)
      if (rest.length > 0) openOutput().write(rest)
    },
    stderr: writeError,
    width: {
      get stdout() {
        return terminalWidth('stdout')
      },
      get stderr() {
        return terminalWidth('stderr')
      },
    },
    get stdin() {
      return process.stdin
    },
    openDeps: getDeps,
    settle,
    closing: ending.closing,
    over: ending.over,
    interrupt: () => ending.signal('SIGINT'),
    endWithInput: () => ending.endWith(process.stdin, openOutput()),
    passSignals: (act) => {
      for (const signal of PASSED_ON) process.on(signal, act)
      const takeBack = ending.handOver(act)
      return () => {
        for (const signal of PASSED_ON) process.off(signal, act)
        takeBack()
      }
    },
  })
}

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const argv = args.length === 0 ? null : readArgv(args)
  const connect = argv && (await openConnect(argv))
  const serves = argv === null || connect !== null
  if (serves) openOutput()
  if (serves && isTerminal('stdin')) {
    voice.say(
      say`This serves MCP, for a client that starts it; press Ctrl-C to end it. For people: \`${command} --help\`.\n`,
    )
  }
  const code = serves ? await serveMcp(connect) : await runCommand(argv)
  if (output.stream) await flushed(output.stream)
  const exitCode = code === 0 && !serves && isLoss(output.lost) ? 1 : code
  await voice.said()
  process.exit(ending.code() ?? exitCode)
}

/** A reader that has gone has what it wanted; a full disk has not. */
function isLoss(error: NodeJS.ErrnoException | null): boolean {
  if (!error || error.code === 'EPIPE') return false
  createLog('error')('error', say`the answer could not be written to stdout (${error.code ?? ''})`)
  return true
}

void main()
