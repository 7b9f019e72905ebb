// The one table of the commands: what the help says of each, what it takes, and where it is.

import type { CodedError } from '../errors.ts'
import { type Sentence, say } from '../sentence.ts'
import type { OptionName, Options } from './argv.ts'
import type { CONNECT_OPTIONS } from './connect-wish.ts'
import type { Cli, Command } from './io.ts'

export type CommandEntry = {
  /** The ways to write it, without the program. */
  forms: readonly string[]
  does: Sentence
  /** What it takes beside the options of every command. */
  options: Partial<Record<OptionName, Sentence>>
  /** What stands behind the program in a good example. */
  example: string
  /** The exit codes that matter; null: those of every command that needs a login. */
  exits: Sentence | null
  load: () => Promise<Command>
  /** What runs where the settings cannot be used; without it they are an error. */
  loadWithoutSettings?: () => Promise<(cli: Cli, options: Options, problem: CodedError) => Promise<number>>
}

const DONE_OR_NOT = say`0 done, 1 try again, 2 usage or settings`

const CHILD = {
  for: say`the variables of lark-mcp, lark-cli or feishu-cli`,
  env: say`one more variable, with {token}, {origin}, {open_apis}, {app_id} or {brand} filled in`,
} as const

const CONNECT: Record<(typeof CONNECT_OPTIONS)[number], Sentence> = {
  tools: say`these tools alone`,
  header: say`one more header, with {token} filled in`,
  for: say`the variables of lark-mcp or feishu-cli`,
  env: CHILD.env,
}

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  setup: {
    forms: [
      'setup [--app-id ID --app-secret-stdin [--brand feishu|lark] | --create-app] [--with-tools]',
      'setup --adopt [--yes]',
    ],
    does: say`Keep the app's credentials, so that no client config needs them; on a terminal it asks step by step`,
    options: {
      'app-id': say`the App ID, from the developer console`,
      'app-secret-stdin': say`read the App Secret from stdin`,
      brand: say`feishu (feishu.cn) or lark (larksuite.com)`,
      'create-app': say`have Feishu create the app (Feishu's own way, but not in its public documentation)`,
      'with-tools': say`write an entry for the client that brings Feishu's tools too (connect)`,
      adopt: say`only turn entries of your clients that hold a token into connect, each after a yes`,
      yes: say`with --adopt: yes to all of them`,
    },
    example: 'setup --app-id cli_a1b2c3 --app-secret-stdin <secret.txt',
    exits: DONE_OR_NOT,
    load: async () => (await import('./setup.ts')).setup,
  },
  login: {
    forms: ['login [--scope "a b"] [--no-browser] [--device] [--callback-url-stdin]'],
    does: say`Log in with the browser and wait until that is done`,
    options: {
      scope: say`ask for these scopes, not those of FEISHU_SCOPES`,
      'no-browser': say`only show the link`,
      device: say`show a code for another device, with no redirect to this one`,
      'callback-url-stdin': say`read from stdin the address that the browser ended on`,
    },
    example: 'login --device',
    exits: say`0 logged in, 1 try again, 2 usage or settings, 3 it failed: log in again, 4 denied or not answered`,
    load: async () => (await import('./login.ts')).login,
  },
  status: {
    forms: ['status [--verify]'],
    does: say`Show whether the token is valid, and what to do next`,
    options: { verify: say`ask Feishu whether it takes the token` },
    example: 'status --json',
    exits: say`0 valid or due for a refresh, 1 the store cannot be read, 2 no app is configured, 3 log in`,
    load: async () => (await import('./status.ts')).status,
  },
  refresh: {
    forms: ['refresh [--force] [--all]'],
    does: say`Refresh the token if it is due`,
    options: {
      force: say`refresh it even if it is not due`,
      all: say`refresh every profile that is due, for cron`,
    },
    example: 'refresh --all',
    exits: null,
    load: async () => (await import('./refresh.ts')).refresh,
  },
  token: {
    forms: ['token'],
    does: say`Print a valid access token and nothing else, refreshing first if due`,
    options: {},
    example: 'token --profile work',
    exits: null,
    load: async () => (await import('./token.ts')).token,
  },
  logout: {
    forms: ['logout [--force]'],
    does: say`Revoke the token at Feishu and delete it here`,
    options: { force: say`also one that an interrupted move left here, even if it is in force elsewhere` },
    example: 'logout --profile work',
    exits: DONE_OR_NOT,
    load: async () => (await import('./logout.ts')).logoutCommand,
  },
  exec: {
    forms: ['exec [--no-gateway] [--for NAME] [--env NAME=VALUE]… -- CMD …'],
    does: say`Run a command with a credential in its environment that never goes stale`,
    options: { 'no-gateway': say`give the access token itself, which ends after some two hours`, ...CHILD },
    example: 'exec --for feishu-cli -- feishu-cli doc list',
    exits: say`those of the command; 126 it cannot be run, 127 it was not found, 128+n ended by signal n`,
    load: async () => (await import('./exec.ts')).exec,
  },
  headers: {
    forms: ['headers [URL]'],
    does: say`Print the header that carries the token to Feishu's MCP servers, for clients that get headers from a command`,
    options: {},
    example: 'headers https://mcp.feishu.cn/mcp',
    exits: null,
    load: async () => (await import('./headers.ts')).headers,
  },
  gateway: {
    forms: [
      'gateway [--listen HOST:PORT] [--allow-network]',
      'gateway key new NAME',
      'gateway key list',
      'gateway key remove NAME',
    ],
    does: say`Serve Feishu on 127.0.0.1:9001 to every program that has a key: /open-apis/… and /mcp`,
    options: {
      listen: say`where to listen`,
      'allow-network': say`let other machines in, where a key is enough to act as you`,
    },
    example: 'gateway key new nightly-report',
    exits: DONE_OR_NOT,
    load: async () => (await import('./gateway.ts')).gateway,
  },
  connect: {
    forms: [
      'connect [URL] [--tools A,B,…] [--header NAME=VALUE]…',
      'connect [--for NAME] [--env NAME=VALUE]… -- CMD …',
    ],
    does: say`Serve MCP with Feishu's tools and the login in one: the tools of Feishu's hosted server, of the one at URL, or of a program`,
    options: CONNECT,
    example: 'connect --tools fetch-doc,search-doc',
    exits: say`0 the client has left, 2 usage or settings`,
    // The process serves it: what gets here asks for help, or has been refused.
    load: () => Promise.reject(new Error('unreachable')),
  },
  timer: {
    forms: ['timer install', 'timer remove', 'timer status'],
    does: say`Have the system refresh due tokens every day, whether or not a client runs`,
    options: {},
    example: 'timer install',
    exits: DONE_OR_NOT,
    load: async () => (await import('./timer.ts')).timer,
  },
  deliver: {
    forms: ['deliver [--dry-run] [--force]'],
    does: say`Write the access token to the targets of FEISHU_DELIVER_TO now`,
    options: {
      'dry-run': say`show what would change, and write nothing`,
      force: say`replace a value that someone has changed since, too`,
    },
    example: 'deliver --dry-run',
    exits: say`0 all written or unchanged, 1 at least one was not written, 2 usage or settings, 3 log in`,
    load: async () => (await import('./deliver.ts')).deliver,
  },
  import: {
    forms: ['import FILE [--force]'],
    does: say`Import the tokens of another script from its token.json`,
    options: { force: say`replace the token that is stored` },
    example: 'import ~/feishu/token.json',
    exits: DONE_OR_NOT,
    load: async () => (await import('./import.ts')).importCommand,
  },
  profile: {
    forms: ['profile list', 'profile remove NAME [--force]', 'profile rename NAME NEW'],
    does: say`List the accounts with their status, remove one or rename one`,
    options: { force: say`remove it although it holds a token, or its app is used by others` },
    example: 'profile rename default work',
    exits: DONE_OR_NOT,
    load: async () => (await import('./profile.ts')).profile,
  },
  key: {
    forms: ['key --move-to keychain|file|env'],
    does: say`Move the key that encrypts the store`,
    options: { 'move-to': say`where the key goes: the system's keychain, a file, or FEISHU_TOKEN_KEY (env)` },
    example: 'key --move-to file',
    exits: say`0 done, 1 something was left with the old key, 2 usage or settings`,
    load: async () => (await import('./key.ts')).key,
  },
  store: {
    forms: ['store init', 'store copy --from file|postgres|URL --to file|postgres|URL'],
    does: say`Prepare a PostgreSQL that several machines share; move profiles between stores`,
    options: { from: say`the store to move from`, to: say`the store to move to` },
    example: 'store copy --from file --to postgres',
    exits: say`0 done, 1 a profile was not moved, 2 usage or settings`,
    load: async () => (await import('./store.ts')).store,
  },
  doctor: {
    forms: ['doctor'],
    does: say`Check settings, store, network, app, port, token and targets, and say what to do`,
    options: {},
    example: 'doctor --json',
    exits: say`0 nothing failed, 1 a check failed, 2 no app is configured`,
    load: async () => (await import('./doctor.ts')).doctor,
    loadWithoutSettings: async () => (await import('./doctor.ts')).doctorOfSettings,
  },
}
