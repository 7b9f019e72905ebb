// The part of `setup` that writes the server's entry into the MCP clients' configs, each after a yes of its own.

import { join } from 'node:path'
import { laidOut } from '../chinese/fold.ts'
import { type Client, findClients, planEntry, writeEntry } from '../delivery/client-config.ts'
import { CodedError } from '../errors.ts'
import type { Machine } from '../machine/system.ts'
import { say } from '../sentence.ts'
import type { Invocation } from './io.ts'
import { adoptEntries } from './setup-adopt.ts'
import { asConfig, lackingText, type NewEntry } from './setup-entry.ts'
import { confirm, type Dialogue } from './terminal.ts'

/** Offers to change the entries that hold a token, then the new one to each client that has none of them. */
export async function offerClients(
  invocation: Invocation,
  dialogue: Dialogue,
  entry: NewEntry,
): Promise<void> {
  const { cli } = invocation
  const adopted = await adoptEntries(invocation, dialogue)
  const machine: Machine = { platform: cli.runtime.platform, home: cli.home, environment: cli.environment }
  const clients = findClients(machine, entry.name, entry.entry)
  if (clients.length === 0) {
    dialogue.say(say`\nNo MCP client was found here. The entry for its config:\n`)
    dialogue.say(laidOut(say`${JSON.stringify(asConfig(entry), null, 2)}\n`))
  }
  const lacking = lackingText(entry)
  if (lacking) dialogue.say(say`\n${lacking}\n`)
  for (const client of clients) {
    // What was changed into connect is all that this client needs.
    const changed = adopted.some(
      ({ client: label, status }) => label === client.label && status === 'changed',
    )
    if (!changed) await offerClient(invocation, dialogue, client)
  }
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
  dialogue.say(laidOut(say`\n${diff}\n`))
  if (!(await confirm(dialogue, say`Write this into the config of ${label}?`))) return
  const memoryDir = join(deps.config.tokenDir, 'deliveries')
  const problem = await writeEntry(client, { memoryDir, now: deps.clock.now() }).catch((error: unknown) =>
    error instanceof CodedError ? error.said : say`${(error as Error).message}`,
  )
  dialogue.say(problem ? say`Not written: ${problem}.\n` : say`${say`Written.`} ${target.restart.hint}\n`)
}
