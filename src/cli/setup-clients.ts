// The part of `setup` that writes the server's entry into the MCP clients' configs, each after a yes of its own.

import { join } from 'node:path'
import type { ServerEntry } from '../delivery/add-entry.ts'
import { type Client, findClients, planEntry, writeEntry } from '../delivery/client-config.ts'
import type { Machine } from '../delivery/targets.ts'
import { CodedError } from '../errors.ts'
import { DEFAULT_PROFILE } from '../profile.ts'
import { say } from '../sentence.ts'
import type { Invocation } from './io.ts'
import { clientEntry } from './setup-steps.ts'
import { confirm, type Dialogue } from './terminal.ts'

/** Settings of this shell that the server needs too; what is secret stays out of clients' configs. */
const CARRIED = [
  'FEISHU_TOKEN_DIR',
  'FEISHU_TOKEN_KEY_SOURCE',
  'FEISHU_REDIRECT_URI',
  'FEISHU_CALLBACK_LISTEN',
  'FEISHU_TLS_CERT_FILE',
  'FEISHU_TLS_KEY_FILE',
  'FEISHU_SCOPES',
  'FEISHU_ACCOUNTS_URL',
  'FEISHU_OPEN_URL',
  'FEISHU_TOKEN_ENDPOINT',
  'FEISHU_LANG',
]
/** How a client starts this server, with the settings of this shell that it would not have otherwise. */
function baseEntry({ cli, profile }: Invocation): ServerEntry {
  const started = clientEntry(cli.command)
  // On Windows, npx and installed programs are scripts that only the shell starts.
  const wrapped = cli.runtime.platform === 'win32' && started.command !== 'node'
  const entry = wrapped
    ? { command: 'cmd', args: ['/c', started.command, ...started.args] }
    : { command: started.command, args: started.args }
  const env: Record<string, string> = {}
  for (const name of CARRIED) {
    const value = cli.environment[name]?.trim()
    if (value) env[name] = value
  }
  if (profile !== DEFAULT_PROFILE) env.FEISHU_PROFILE = profile
  return Object.keys(env).length > 0 ? { ...entry, env } : entry
}

/** Offers the entry to each client that is found, with the diff; without any it is shown. */
export async function offerClients(invocation: Invocation, dialogue: Dialogue): Promise<void> {
  const { cli, profile } = invocation
  const machine: Machine = { platform: cli.runtime.platform, home: cli.home, env: cli.environment }
  const name = profile === DEFAULT_PROFILE ? 'feishu-token' : `feishu-token-${profile}`
  const base = baseEntry(invocation)
  const clients = findClients(machine, name, base)
  if (clients.length === 0) {
    const entry = { mcpServers: { [name]: base } }
    dialogue.say(
      say`\nNo MCP client was found here. The entry for its config:\n${JSON.stringify(entry, null, 2)}\n`,
    )
  }
  for (const client of clients) await offerClient(invocation, dialogue, client)
}

async function offerClient({ deps }: Invocation, dialogue: Dialogue, client: Client): Promise<void> {
  const { label, target } = client
  const { path, insertion, diff } = await planEntry(client)
  if (insertion.kind === 'present') {
    dialogue.say(say`\n${label}: ${path} has an entry "${target.entry}" already; it was left alone.\n`)
    return
  }
  if (insertion.kind === 'refused') {
    dialogue.say(say`\n${label}: ${path} was left alone: ${insertion.why}.\n`)
    return
  }
  dialogue.say(say`\n${diff}\n`)
  if (!(await confirm(dialogue, say`Write this into the config of ${label}?`))) return
  const memoryDir = join(deps.config.tokenDir, 'deliveries')
  const problem = await writeEntry(client, { memoryDir, now: deps.clock.now() }).catch((error: unknown) =>
    error instanceof CodedError ? error.said : say`${(error as Error).message}`,
  )
  dialogue.say(problem ? say`Not written: ${problem}.\n` : say`${say`Written.`} ${target.restart.hint}\n`)
}
