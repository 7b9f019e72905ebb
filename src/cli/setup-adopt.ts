// The part of `setup` that finds entries with a token in the MCP clients' configs and has them become `connect`'s, each
// after a yes of its own.

import { join } from 'node:path'
import { laidOut } from '../chinese/fold.ts'
import { type Adoptable, findAdoptable, keptAt, planAdoption, writeAdoption } from '../delivery/adopt.ts'
import type { Keeping } from '../delivery/backup.ts'
import { isOwnHeader } from '../hand-over/connect-destination.ts'
import { readMcpUrl, takesToken } from '../hand-over/hosted.ts'
import { hostedMcpUrl } from '../oauth/feishu.ts'
import { profileOption } from '../profile.ts'
import { type Sentence, say, unended } from '../sentence.ts'
import { tokenStatus } from '../status/status.ts'
import { type Invocation, print } from './io.ts'
import { type Answers, keepAppOf, otherBrand, problemOf } from './setup-adopt-app.ts'
import { lackingText, newEntry } from './setup-entry.ts'
import { confirm, createDialogue } from './terminal.ts'
import { usageError } from './usage.ts'

/** What became of an entry, as `--json` tells it. */
export type Adopted = {
  client: string
  path: string
  entry: string
  status: 'changed' | 'left_alone' | 'failed'
  detail: Sentence | null
}

/** `setup --adopt`. */
export async function adoptAlone(invocation: Invocation): Promise<number> {
  const { cli, deps, profile, options } = invocation
  const others = ['app-id', 'app-secret-stdin', 'brand', 'create-app', 'with-tools'] as const
  const other = others.find((name) => options[name] !== undefined)
  if (other) throw usageError(cli, say`--adopt takes no --${other}`)
  const answers = options.yes ? 'yes' : cli.stdin.isTTY ? createDialogue(cli) : 'nobody'
  const adopted = await adoptEntries(invocation, answers)
  if (adopted.length === 0) cli.stderr(say`No entry of an MCP client was found that holds a Feishu token.\n`)
  else if (answers === 'nobody') {
    cli.stderr(
      say`\nNothing was changed: run \`${cli.command} setup --adopt${profileOption(profile)}\` at a terminal, or with --yes to change them all.\n`,
    )
  }
  const lacking =
    adopted.some(({ status }) => status === 'changed') && lackingText(newEntry(invocation, true))
  if (lacking) cli.stderr(say`${lacking}\n`)
  const status = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  if (options.json) print(cli, true, { ...status, adopted: adopted.map(inAnswer) }, say``)
  return adopted.some(({ status }) => status === 'failed') ? 1 : 0
}

function inAnswer({ detail, ...rest }: Adopted): object {
  return { ...rest, detail: detail && String(detail) }
}

/** Offers each entry that holds a token for change, with the diff. */
export async function adoptEntries(invocation: Invocation, answers: Answers): Promise<Adopted[]> {
  const { cli, deps } = invocation
  const machine = { platform: cli.runtime.platform, home: cli.home, environment: cli.environment }
  const base = newEntry(invocation, true).entry
  const { found, unread } = await findAdoptable(machine, base, {
    wordsFor: (url) => wordsFor(invocation, url),
    setsHeader: isOwnHeader,
  })
  const keeping = { memoryDir: join(deps.config.tokenDir, 'deliveries'), now: deps.clock.now(), apart: true }
  const adopted: Adopted[] = []
  for (const { label, path, why } of unread)
    cli.stderr(say`\n${label}: ${path} is left alone, whatever its entries hold: ${why}.\n`)
  for (const one of found) {
    cli.stderr(say`\n${one.client.label}: ${one.path}: "${one.title}" holds a Feishu token.\n`)
    const [status, detail] = await adoptOne(invocation, answers, one, keeping)
    if (detail)
      cli.stderr(
        status === 'failed'
          ? say`Not changed: ${unended(detail)}.\n`
          : say`It was left alone: ${unended(detail)}.\n`,
      )
    adopted.push({ client: one.client.label, path: one.path, entry: one.title, status, detail })
  }
  return adopted
}

type Result = [status: Adopted['status'], detail: Sentence | null]

async function adoptOne(
  invocation: Invocation,
  answers: Answers,
  one: Adoptable,
  keeping: Keeping,
): Promise<Result> {
  const { cli, deps } = invocation
  const { verdict, client } = one
  const { insertion, diff } = await planAdoption(one)
  if (verdict.kind === 'refused') return ['left_alone', verdict.why]
  if (insertion.kind === 'refused') return ['left_alone', insertion.why]
  const { adoption } = verdict
  const mismatch = adoption.app ? null : await otherBrand(invocation, adoption)
  if (mismatch) return ['left_alone', mismatch]
  cli.stderr(laidOut(say`${diff}\n`))
  const { exposed } = adoption
  if (exposed.length > 0) {
    cli.stderr(
      say`What looks like a secret of another service would be in the argument list, which other users of this machine can read: ${exposed.join(', ')}.\n`,
    )
  }
  if (answers === 'nobody') return ['left_alone', null]
  if (answers === 'yes' && exposed.length > 0)
    return ['left_alone', say`whether that may be is for a person to say`]
  const appProblem = await keepAppOf(invocation, answers, adoption)
  if (appProblem) return ['failed', appProblem]
  // The entry's own app was not wanted in the place of another one.
  const declined = await otherBrand(invocation, adoption)
  if (declined) return ['left_alone', declined]
  const isWanted =
    answers === 'yes' || (await confirm(answers, say`Change this entry of ${client.label} into connect?`))
  if (!isWanted) return ['left_alone', null]
  const problem = await writeAdoption(one, keeping).catch(problemOf)
  if (problem) return ['failed', problem]
  cli.stderr(say`${say`Changed.`} ${client.target.restart.hint}\n`)
  cli.stderr(
    say`What stood there is kept, without the secrets, in ${keptAt(one, keeping)}: to take the change back, put that entry in its place again.\n`,
  )
  const delivered = deps.config.deliverTo.find(
    ({ paths, entry }) => entry === one.way.at(-1) && paths.includes(one.client.target.paths[0] ?? ''),
  )
  if (delivered)
    cli.stderr(
      say`FEISHU_DELIVER_TO names this entry, which needs no token any more: take ${delivered.name} out of it.\n`,
    )
  return ['changed', null]
}

/** What `connect` needs to lead to an address; null: the token does not go there. */
function wordsFor({ cli, deps }: Invocation, address: string): string[] | null {
  const { brand, mcpUrl } = deps.config
  try {
    const url = readMcpUrl(address)
    if (!takesToken(url, mcpUrl)) return null
    // The client knows neither this shell's brand nor its other settings.
    const isUsual = brand === 'feishu' && !cli.environment.FEISHU_MCP_URL?.trim()
    return isUsual && url.href === hostedMcpUrl(brand, null) ? [] : [address]
  } catch {
    // An address that connect does not take.
    return null
  }
}
