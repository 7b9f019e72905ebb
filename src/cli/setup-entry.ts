// The entry with which a client starts this program: the same one for a person who is asked and for a script.

import type { ServerEntry } from '../delivery/add-entry.ts'
import { HANDED_ON } from '../machine/proxy.ts'
import { splitScopes } from '../oauth/scope-presets.ts'
import { DEFAULT_PROFILE, profileOption } from '../profile.ts'
import { type Sentence, say } from '../sentence.ts'
import type { Invocation } from './io.ts'
import { startLine } from './started.ts'

/** Settings of this shell that the server needs too; what is secret stays out of clients' configs. */
const CARRIED = [
  'FEISHU_TOKEN_KEY_SOURCE',
  'FEISHU_REDIRECT_URI',
  'FEISHU_CALLBACK_LISTEN',
  'FEISHU_TLS_CERT_FILE',
  'FEISHU_TLS_KEY_FILE',
  'FEISHU_SCOPES',
  'FEISHU_MCP_URL',
  'FEISHU_ACCOUNTS_URL',
  'FEISHU_OPEN_URL',
  'FEISHU_TOKEN_ENDPOINT',
  'FEISHU_LANG',
  ...HANDED_ON,
]

/** What `connect` asks for where no one names scopes. */
const TOOLS_SCOPES = '@hosted-mcp'

/** An entry and the name that it stands under. */
export type NewEntry = {
  name: string
  entry: ServerEntry
  /** What this shell has set and the entry is without, because it holds a secret. */
  lacking: string[]
}

/** How a client starts this server, with the settings of this shell that it would not have otherwise. */
export function newEntry({ cli, deps, profile }: Invocation, withTools: boolean): NewEntry {
  const { command, args, env } = startLine(cli.started)
  const words = [...args, ...(withTools ? ['connect'] : [])]
  // On Windows, npx and installed programs are scripts that only the shell starts.
  const wrapped = cli.started.platform === 'win32' && !/(?:^|\\)node(?:\.exe)?$/i.test(command)
  const carried: Record<string, string> = { ...env }
  if (cli.environment.FEISHU_TOKEN_DIR?.trim()) carried.FEISHU_TOKEN_DIR = deps.config.tokenDir
  const { key, store } = deps.config
  const lacking = [...(key ? ['FEISHU_TOKEN_KEY'] : []), ...(store ? ['FEISHU_TOKEN_STORE'] : [])]
  for (const name of CARRIED) {
    const value = cli.environment[name]?.trim()
    if (!value) continue
    // The password of a proxy is a secret.
    if (HANDED_ON.includes(name) && value.includes('@')) lacking.push(name)
    else carried[name] = value
  }
  if (profile !== DEFAULT_PROFILE) carried.FEISHU_PROFILE = profile
  const line = wrapped ? { command: 'cmd', args: ['/c', command, ...words] } : { command, args: words }
  const name = withTools ? 'feishu' : 'feishu-token'
  return {
    name: profile === DEFAULT_PROFILE ? name : `${name}-${profile}`,
    entry: Object.keys(carried).length > 0 ? { ...line, env: carried } : line,
    lacking,
  }
}

/** What a person must set elsewhere, a line of its own; null: nothing. */
export function lackingText({ lacking }: NewEntry): Sentence | null {
  if (lacking.length === 0) return null
  return say`No secret stands in the entry: set ${lacking.join(', ')} where the client is started.`
}

/** The entry as most clients' configs have it. */
export function asConfig({ name, entry }: NewEntry): { mcpServers: Record<string, ServerEntry> } {
  return { mcpServers: { [name]: entry } }
}

/** Whether the scopes are those of Feishu's tools: no one has named others. */
function takesToolsScopes({ cli }: Invocation, withTools: boolean): boolean {
  return withTools && !cli.environment.FEISHU_SCOPES?.trim()
}

/** The same call with the scopes that the entry's server will ask for. */
export function withScopes(invocation: Invocation, withTools: boolean): Invocation {
  if (!takesToolsScopes(invocation, withTools)) return invocation
  const { deps } = invocation
  return { ...invocation, deps: { ...deps, config: { ...deps.config, scopes: splitScopes(TOOLS_SCOPES) } } }
}

/** The command that logs in the profile for which this was set up. */
export function loginLine(invocation: Invocation, withTools: boolean): string {
  const { cli, profile } = invocation
  const scopes = takesToolsScopes(invocation, withTools) ? ` --scope "${TOOLS_SCOPES}"` : ''
  return `${cli.command} login${profileOption(profile)}${scopes}`
}
