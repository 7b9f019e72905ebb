import { parseArgs } from 'node:util'
import { errorAnswer, errorText } from '../answers.ts'
import type { Deps } from '../deps.ts'
import { CodedError, toCodedError, traceOf } from '../errors.ts'
import { PROFILE_NAME } from '../profile.ts'
import { type Sentence, say, series, shown } from '../sentence.ts'
import type { Cli, Command, Options, Terminal } from './io.ts'
import { speaking } from './speech.ts'
import { exitCode, isConnect, parsingProblem, usageError } from './usage.ts'

type Entry = {
  usage: string
  does: Sentence
  options: (keyof Options)[]
  load: () => Promise<Command>
  /** What runs where the settings cannot be used; without it they are an error. */
  loadWithoutSettings?: () => Promise<(cli: Cli, options: Options, problem: CodedError) => Promise<number>>
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  setup: {
    usage: 'setup [--app-id ID --app-secret-stdin [--brand feishu|lark] | --create-app] [--with-tools]',
    does: series(
      [
        say`keep the app's credentials, so that no client config needs them; asks step by step on a terminal;`,
        say`      --create-app: Feishu creates the app for you (Feishu's own way, but not in its public documentation);`,
        say`      --with-tools: the entry for your client brings Feishu's tools too (as connect)`,
      ],
      '\n',
    ),
    options: ['app-id', 'app-secret-stdin', 'brand', 'create-app', 'with-tools'],
    load: async () => (await import('./setup.ts')).setup,
  },
  login: {
    usage: 'login [--scope "a b"] [--no-browser] [--device] [--callback-url-stdin]',
    does: say`authorize in the browser and wait for the end`,
    options: ['scope', 'no-browser', 'device', 'callback-url-stdin'],
    load: async () => (await import('./login.ts')).login,
  },
  status: {
    usage: 'status [--verify]',
    does: say`show whether the token is valid and what to do next`,
    options: ['verify'],
    load: async () => (await import('./status.ts')).status,
  },
  refresh: {
    usage: 'refresh [--force] [--all]',
    does: say`refresh the token if it is due; --all: every profile that is due, for cron`,
    options: ['force', 'all'],
    load: async () => (await import('./refresh.ts')).refresh,
  },
  token: {
    usage: 'token',
    does: say`print a valid access token and nothing else, refreshing first if due`,
    options: [],
    load: async () => (await import('./token.ts')).token,
  },
  logout: {
    usage: 'logout',
    does: say`revoke the token at Feishu and delete it here`,
    options: [],
    load: async () => (await import('./logout.ts')).logoutCommand,
  },
  exec: {
    usage: 'exec [--no-gateway] [--for NAME] [--env NAME=VALUE]… -- CMD …',
    does: series(
      [
        say`run a command with a credential in its environment that never goes stale;`,
        say`      --for: the variables of lark-mcp, lark-cli or feishu-cli;`,
        say`      --env: one more, with {token}, {origin}, {open_apis}, {app_id} or {brand} filled in`,
      ],
      '\n',
    ),
    options: ['no-gateway', 'for', 'env'],
    load: async () => (await import('./exec.ts')).exec,
  },
  headers: {
    usage: 'headers [URL]',
    does: say`print the header with which an MCP server of Feishu takes the token, for hooks that ask for headers`,
    options: [],
    load: async () => (await import('./headers.ts')).headers,
  },
  gateway: {
    usage:
      'gateway [--listen HOST:PORT] [--allow-network] | gateway key new NAME | gateway key list | gateway key remove NAME',
    does: say`stand for Feishu, on 127.0.0.1:9001, for every program that has a key: /open-apis/… and /mcp`,
    options: ['listen', 'allow-network'],
    load: async () => (await import('./gateway.ts')).gateway,
  },
  connect: {
    usage: 'connect [URL] [--tools A,B,…] [--header NAME=VALUE]…',
    does: series(
      [
        say`serve MCP with Feishu's tools beside the login: of Feishu's hosted server, or of the one at URL;`,
        say`      --tools: these tools alone; --header: one more header, with {token} filled in;`,
        say`      [--for NAME] [--env NAME=VALUE]… -- CMD …: those of a program, which is run as by exec`,
      ],
      '\n',
    ),
    options: ['tools', 'header', 'for', 'env'],
    // The process serves it: what gets here asks for help, or has been refused.
    load: () => Promise.reject(new Error('unreachable')),
  },
  timer: {
    usage: 'timer install | timer remove | timer status',
    does: say`have the system refresh every day the tokens that are due, whether or not a client runs`,
    options: [],
    load: async () => (await import('./timer.ts')).timer,
  },
  deliver: {
    usage: 'deliver [--dry-run]',
    does: say`write the access token to the targets of FEISHU_DELIVER_TO now`,
    options: ['dry-run'],
    load: async () => (await import('./deliver.ts')).deliver,
  },
  import: {
    usage: 'import FILE [--force]',
    does: say`take over the token.json of the old script`,
    options: ['force'],
    load: async () => (await import('./import.ts')).importCommand,
  },
  profile: {
    usage: 'profile list | profile remove NAME [--force] | profile rename NAME NEW',
    does: say`list the accounts with their status, remove one, give one another name`,
    options: ['force'],
    load: async () => (await import('./profile.ts')).profile,
  },
  key: {
    usage: 'key --move-to keychain|file|env',
    does: say`move the key that the store is sealed with`,
    options: ['move-to'],
    load: async () => (await import('./key.ts')).key,
  },
  store: {
    usage: 'store init | store copy --from file|postgres|URL --to file|postgres|URL',
    does: say`prepare a PostgreSQL that several machines share; move profiles between stores`,
    options: ['from', 'to'],
    load: async () => (await import('./store.ts')).store,
  },
  doctor: {
    usage: 'doctor',
    does: say`check settings, store, network, app, port, token and targets, and say what to mend`,
    options: [],
    load: async () => (await import('./doctor.ts')).doctor,
    loadWithoutSettings: async () => (await import('./doctor.ts')).doctorOfSettings,
  },
}

export function help(command: string): Sentence {
  const rows = Object.values(COMMANDS).map(({ usage, does }) => say`  ${usage}\n${'      '}${does}`)
  const lines = [
    say`Usage: ${command} [COMMAND] [--profile NAME] [--json]`,
    '',
    say`Without a command: serve MCP on stdin and stdout.`,
    '',
    say`Commands:`,
    ...rows,
    '',
    say`Options of every command:`,
    say`${'  --profile NAME   '}${say`which of several accounts (FEISHU_PROFILE)`}`,
    say`${'  --json           '}${say`one JSON document on stdout`}`,
    '  --help, --version',
    '',
    say`Exit codes: 0 done, 1 try again, 2 usage or settings, 3 a person must authorize, 4 denied or not answered.`,
    '',
  ]
  return series(lines, '\n')
}

const BOOLEANS = [
  'json',
  'help',
  'version',
  'no-browser',
  'device',
  'callback-url-stdin',
  'verify',
  'force',
  'all',
  'app-secret-stdin',
  'create-app',
  'with-tools',
  'dry-run',
  'no-gateway',
  'allow-network',
] as const

const STRINGS = [
  'profile',
  'scope',
  'app-id',
  'brand',
  'move-to',
  'from',
  'to',
  'for',
  'listen',
  'tools',
] as const

/** Given as often as one likes. */
const LISTS = ['env', 'header'] as const

const SHARED: (keyof Options)[] = ['profile', 'json', 'help', 'version']

function parse(args: string[], command: string): { options: Options; operands: string[] } {
  const boolean = Object.fromEntries(BOOLEANS.map((name) => [name, { type: 'boolean' as const }]))
  const string = Object.fromEntries(STRINGS.map((name) => [name, { type: 'string' as const }]))
  const list = Object.fromEntries(LISTS.map((name) => [name, { type: 'string' as const, multiple: true }]))
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { ...boolean, ...string, ...list },
      allowPositionals: true,
    })
    return { options: values as Options, operands: positionals }
  } catch (error) {
    throw usageError(command, parsingProblem((error as Error).message))
  }
}

/** Runs one command of the command line; resolves to the exit code. */
export async function runCli(args: string[], terminal: Terminal): Promise<number> {
  const { cli, said } = speaking(terminal, profileOf(args))
  const end = args.indexOf('--')
  const json = args.slice(0, end === -1 ? args.length : end).includes('--json')
  try {
    return await Promise.race([dispatch(args, cli), cli.over])
  } catch (error) {
    const known = toCodedError(error)
    if (json) cli.stdout(`${JSON.stringify(errorAnswer(known), null, 2)}\n`)
    // Whoever stopped it knows why: one line is enough.
    cli.stderr(say`${cli.closing.aborted ? known.said : errorText(known)}\n`)
    const wantsTrace = cli.environment.FEISHU_LOG_LEVEL?.trim().toLowerCase() === 'debug'
    if (known !== error && wantsTrace) cli.stderr(say`${traceOf(error)}\n`)
    return exitCode(known)
  } finally {
    await said()
  }
}

/** The profile that the command line names, for the commands in an error's text. */
function profileOf(args: string[]): string | undefined {
  return /(?:^|\0)--profile[=\0]([^\0]+)/.exec(args.join('\0'))?.[1]
}

async function dispatch(args: string[], cli: Cli): Promise<number> {
  if (isConnect(args)) await (await import('./connect.ts')).readConnect(args, cli)
  const { options, operands } = parse(args, cli.command)
  const name = operands.shift()
  if (options.version) {
    cli.stdout(`${cli.version}\n`)
    return 0
  }
  if (options.help || name === 'help') {
    cli.show(help(cli.command))
    return 0
  }
  if (name === undefined) throw usageError(cli.command, say`An option needs a command before it`)
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!entry) throw usageError(cli.command, say`There is no command ${shown(name)}`)
  const stray = Object.keys(options).find(
    (option) => ![...SHARED, ...entry.options].includes(option as keyof Options),
  )
  if (stray) throw usageError(cli.command, say`The command ${name} has no option --${stray}`)
  if (options.profile !== undefined && !PROFILE_NAME.test(options.profile)) {
    throw usageError(cli.command, say`A profile is named by 1 to 64 of a-z, 0-9, ".", "_" and "-"`)
  }
  let deps: Deps
  try {
    deps = await cli.openDeps()
  } catch (error) {
    if (!entry.loadWithoutSettings || !(error instanceof CodedError)) throw error
    return (await entry.loadWithoutSettings())(cli, options, error)
  }
  const command = await entry.load()
  try {
    return await command({ cli, deps, profile: options.profile ?? deps.config.profile, options, operands })
  } finally {
    await cli.settle(deps)
  }
}
