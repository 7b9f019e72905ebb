import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { type App, resolveApp } from '../app/app.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { notAuthorized } from '../refresh/refresh.ts'
import type { Cli, Command, Invocation } from './io.ts'
import { usageError } from './usage.ts'
import type { Start } from './windows-command.ts'

/** What a shell answers for a command that is not there, and for one that cannot be run. */
const NOT_FOUND = 127
const NOT_EXECUTABLE = 126
/** Passed on to the child. */
const SIGNALS: NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT']
/** A terminal sends these to the child by itself. */
const FROM_TERMINAL: NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP']

/** Runs a command with a credential in its environment; its stdio, signals and exit status are its own. */
export const exec: Command = async (invocation) => {
  const { cli, operands } = invocation
  const [command] = operands
  if (command === undefined) throw usageError(cli.command, 'exec needs a command: exec -- CMD …')
  const { environment, gateway } = await childEnvironment(invocation)
  try {
    const { file, args, verbatim } = await startOf(cli, [command, ...operands.slice(1)])
    const options = { stdio: 'inherit', env: environment, windowsVerbatimArguments: verbatim } as const
    return await runChild(spawn(file, args, options), command, cli)
  } finally {
    await gateway?.close()
  }
}

async function childEnvironment({
  cli,
  deps,
  profile,
  options,
}: Invocation): Promise<{ environment: NodeJS.ProcessEnv; gateway: Gateway | null }> {
  const app = await resolveApp(deps, profile)
  const { FEISHU_TOKEN_KEY: _, ...inherited } = cli.environment
  const shared = { ...inherited, ...missingCredentials(app, inherited) }
  if (options['no-gateway']) {
    const { pullRecord, revealAccessToken } = await import('../hand-over/pull.ts')
    const accessToken = revealAccessToken((await pullRecord(deps, profile)).record)
    return { environment: { ...shared, ...credential(accessToken) }, gateway: null }
  }
  const stored = await deps.store.read(app.id)
  if (!stored.tokenSet)
    cli.stderr(`${(await notAuthorized(deps, app)).message} Its calls fail until somebody authorizes.\n`)
  const { openGateway } = await import('../hand-over/gateway.ts')
  const gateway = await openGateway(deps, profile)
  const environment = {
    ...shared,
    ...credential(gateway.key),
    LARK_DOMAIN: gateway.origin,
    FEISHU_OPEN_URL: gateway.origin,
    FEISHU_TOKEN_GATEWAY: app.endpoints.open,
  }
  return { environment, gateway }
}

function credential(value: string): Record<string, string> {
  return { USER_ACCESS_TOKEN: value, FEISHU_USER_ACCESS_TOKEN: value }
}

/** APP_ID and APP_SECRET as many programs name them; never a secret beside the id of another app. */
function missingCredentials(app: App, inherited: NodeJS.ProcessEnv): Record<string, string> {
  const { appId, appSecret } = app.client
  if (inherited.APP_ID && inherited.APP_ID !== appId) return {}
  const credentials: Record<string, string> = {}
  if (!inherited.APP_ID) credentials.APP_ID = appId
  if (!inherited.APP_SECRET) credentials.APP_SECRET = appSecret.reveal()
  return credentials
}

async function startOf(cli: Cli, words: [string, ...string[]]): Promise<Start> {
  const [file, ...args] = words
  if (cli.runtime.platform !== 'win32') return { file, args, verbatim: false }
  const { windowsStart } = await import('./windows-command.ts')
  return windowsStart(words, { environment: cli.environment, exists: existsSync, program: cli.command })
}

function runChild(child: ChildProcess, command: string, cli: Cli): Promise<number> {
  cli.onSignal(SIGNALS, (signal) => {
    // Asked only now: to ask opens stdin, which is the child's.
    const fromTerminal = FROM_TERMINAL.includes(signal) && cli.stdin.isTTY === true
    if (!fromTerminal) child.kill(signal)
  })
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT'
      cli.stderr(`${command}: ${missing ? 'command not found' : `cannot be run (${error.code})`}\n`)
      resolve(missing ? NOT_FOUND : NOT_EXECUTABLE)
    })
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  })
}
