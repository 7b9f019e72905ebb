// What the command line of `connect` wishes for, checked before anything is served.

import { larkMcpAmong } from '../delivery/mcp-entry.ts'
import type { Deps } from '../deps.ts'
import { type Remote, readRemote } from '../hand-over/connect-destination.ts'
import { readMcpUrl } from '../hand-over/hosted.ts'
import type { Environment } from '../machine/system.ts'
import { type Sentence, say } from '../sentence.ts'
import type { Argv } from './argv.ts'
import { expectOptions, usageError } from './usage.ts'

/** The process as `connect` uses it. */
export type ConnectHost = {
  command: string
  environment: Environment
  platform: NodeJS.Platform
  getDeps: () => Promise<Deps>
  stderr: (text: string) => void
  /** Signals a child and all that it has started. */
  kill: (pid: number, signal: NodeJS.Signals) => void
}

export type ProgramWish = { words: [string, ...string[]]; for: string | undefined; env: string[] }

/** What the command line says, checked. */
export type ConnectWish = {
  profile: string | null
  tools: string[] | null
  /** A program, with its options; else the address, and null for Feishu's hosted server. */
  program: ProgramWish | null
  remote: Remote | null
}

/** What it takes beside the options of every command. */
export const CONNECT_OPTIONS = ['tools', 'header', 'for', 'env'] as const

/** Reads the command line of `connect`; null: it asks for help or the version. Throws usage errors. */
export async function readConnect(
  argv: Argv,
  host: Pick<ConnectHost, 'command' | 'environment'>,
): Promise<ConnectWish | null> {
  const { options, operands, behind } = argv
  if (options.help || options.version) return null
  const caller = { command: host.command, called: 'connect' }
  const refuse = (message: Sentence) => usageError(caller, message)
  expectOptions(caller, argv, CONNECT_OPTIONS)
  const { profile = null, header = [], env = [] } = options
  const tools =
    options.tools
      ?.split(',')
      .map((name) => name.trim())
      .filter(Boolean) ?? null
  if (tools?.length === 0) throw refuse(say`--tools names tools, separated by commas`)
  const [address, ...more] = operands
  if (more.length > 0) throw refuse(say`connect takes one address`)
  if (!behind) {
    if (options.for !== undefined || env.length > 0)
      throw refuse(say`--for and --env are for a program: connect -- CMD …`)
    return { profile, tools, program: null, remote: readWanted(address, header, host) }
  }
  const [file, ...rest] = behind
  if (file === undefined) throw refuse(say`connect needs a program behind --: connect -- CMD …`)
  if (address !== undefined) throw refuse(say`connect takes an address or a program, not both`)
  if (header.length > 0) throw refuse(say`--header is for an address`)
  const program = { words: [file, ...rest] as [string, ...string[]], for: options.for, env }
  if (options.for !== undefined || env.length > 0) {
    const { readChildWishes } = await import('../hand-over/child.ts')
    readChildWishes(host, wishesOf(program))
  }
  return { profile, tools, program, remote: null }
}

/** What the program's environment is made of; it outlives a token. */
export function wishesOf(
  program: Pick<ProgramWish, 'for' | 'env'>,
): Parameters<typeof import('../hand-over/child.ts').readChildWishes>[1] {
  return { for: program.for, env: program.env, noGateway: false, needsGateway: true }
}

/** The address that is wanted; null: that of the brand, which the settings know. */
function readWanted(
  address: string | undefined,
  headers: readonly string[],
  { command, environment }: Pick<ConnectHost, 'command' | 'environment'>,
): Remote | null {
  const setting = environment.FEISHU_MCP_URL?.trim() || null
  const wanted = address ?? setting
  const mcpUrl = setting !== null && URL.canParse(setting) ? setting : null
  // A header is checked even where the address is still to come.
  const checked = readRemote(command, readMcpUrl(wanted ?? 'https://mcp.feishu.cn/mcp'), {
    headers,
    mcpUrl,
  })
  return wanted === null && headers.length === 0 ? null : { ...checked, byBrand: wanted === null }
}

/** Settings that come with the wish: its profile, and the scopes that the other side's tools need, where none are set. */
export function settingsOf(wish: ConnectWish, environment: Environment): Record<string, string> {
  const { profile } = wish
  const scopes = environment.FEISHU_SCOPES?.trim() ? null : scopesOf(wish)
  return {
    ...(profile !== null && { FEISHU_PROFILE: profile }),
    ...(scopes !== null && { FEISHU_SCOPES: scopes }),
  }
}

/** Options of lark-mcp that choose other tools than its usual ones: what those need, nobody here knows. */
const OTHER_TOOLS = /^(?:-t|--tools|--config)/

/** What the tools of the other side need; null: it is not known. */
function scopesOf({ program, remote }: ConnectWish): string | null {
  if (!program) return remote === null || remote.hosted ? '@hosted-mcp' : null
  const at = larkMcpAmong(program.words)
  const isUsual = at !== -1 && !program.words.slice(at + 1).some((word) => OTHER_TOOLS.test(word))
  return isUsual ? '@lark-mcp' : null
}
