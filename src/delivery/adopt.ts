// The entries of the clients' configs that hold a token: found, shown as `connect`'s, and written when someone said yes.

import { isDeepStrictEqual } from 'node:util'
import type { Machine } from '../machine/system.ts'
import { type Sentence, say } from '../sentence.ts'
import type { Insertion, ServerEntry } from './add-entry.ts'
import { adoptBridged } from './adopt-bridged.ts'
import { adoptHosted } from './adopt-hosted.ts'
import { adoptProgram } from './adopt-program.ts'
import type { Adoption, AdoptionResult, ConnectStart } from './adoption.ts'
import { backupOf, type Keeping } from './backup.ts'
import {
  type Client,
  findConfigs,
  type Plan,
  planEdit,
  readClientConfig,
  writeEdit,
} from './client-config.ts'
import { readTree, rewriteAt, textAt, valueAt } from './rewrite.ts'
import { isTable } from './text-style.ts'

/** No entry that holds a token is without one of these. */
const MARKS = /x-lark-mcp-uat|lark-(?:openapi-)?mcp/i
/** Shorter ones are placeholders, and parts of words. */
const MIN_SECRET = 8

/** An entry that holds a token: the way to it, and what becomes of it. */
type Holding = { way: string[]; verdict: NonNullable<AdoptionResult> }

/** The same with the client whose it is. */
export type Adoptable = Holding & {
  client: Client
  start: ConnectStart
  path: string
  /** The entry's place for people. */
  title: string
}

/** What becomes of an entry; null: it holds no token of Feishu's. */
function adoptEntry(entry: unknown, start: ConnectStart): AdoptionResult {
  return isTable(entry)
    ? (adoptProgram(entry, start) ?? adoptHosted(entry, start) ?? adoptBridged(entry, start))
    : null
}

/** Where servers stand: below a key of the client, and in Claude Code for each project too. */
function placesOf(data: unknown, topKeys: readonly string[]): string[][] {
  const ways = topKeys.map((key) => [key])
  const projects = valueAt(data, ['projects'])
  const ofProjects = isTable(projects) ? Object.keys(projects) : []
  return [...ways, ...ofProjects.flatMap((project) => ways.map((way) => ['projects', project, ...way]))]
}

/** The entries that hold a token; null: the text is not of its format. */
async function findHoldings(
  text: string,
  config: { format: string; topKeys: readonly string[] },
  start: ConnectStart,
): Promise<Holding[] | null> {
  // `~/.claude.json` may have many megabytes, and most configs hold no token.
  if (!MARKS.test(text)) return []
  const tree = await readTree(text, config.format)
  if (!tree) return null
  return placesOf(tree.data, config.topKeys).flatMap((place) => {
    const servers = valueAt(tree.data, place)
    return Object.entries(isTable(servers) ? servers : {}).flatMap(([name, entry]) => {
      const verdict = adoptEntry(entry, start)
      return verdict ? [{ way: [...place, name], verdict }] : []
    })
  })
}

/** A config of which it is not known what its entries hold. */
type Unread = { label: string; path: string; why: Sentence }

/** The entries of this machine's clients that hold a token, and the configs of which that is not known. */
export async function findAdoptable(
  machine: Machine,
  base: ServerEntry,
  connect: Omit<ConnectStart, 'entry'>,
): Promise<{ found: Adoptable[]; unread: Unread[] }> {
  const found: Adoptable[] = []
  const unread: Unread[] = []
  for (const client of findConfigs(machine, base)) {
    const start = { ...connect, entry: client.entry }
    const config = readClientConfig(client.target)
    const { path } = config
    const holdings = 'why' in config ? null : await findHoldings(config.text, client.target, start)
    if (holdings === null) {
      const why =
        'why' in config
          ? config.why
          : client.target.format === 'toml'
            ? say`it is not valid TOML`
            : say`it is not valid JSON`
      unread.push({ label: client.label, path, why })
    }
    for (const holding of holdings ?? []) {
      found.push({ ...holding, client, start, path, title: titleOf(holding.way) })
    }
  }
  return { found, unread }
}

/** A server's name; with the way to it where another one may have the same. */
function titleOf(way: readonly string[]): string {
  return way.length === 2 ? (way[1] ?? '') : way.join(' › ')
}

/** Secrets that are long enough to be told from words. */
function knownSecrets({ verdict }: Adoptable): string[] {
  return verdict.kind === 'adopt' ? verdict.adoption.secrets.filter(({ length }) => length >= MIN_SECRET) : []
}

/** What the change of an entry would do to its config. Writes nothing. */
export function planAdoption(one: Adoptable): Promise<Plan> {
  return planEdit(one.client.target, (text) => changeOne(text, one), one.way.at(-1) ?? '', knownSecrets(one))
}

/** Changes an entry. Resolves to why it was left alone; null: it was changed. */
export function writeAdoption(one: Adoptable, keeping: Keeping): Promise<Sentence | null> {
  return writeEdit(one.client.target, (text) => changeOne(text, one), {
    ...keeping,
    known: knownSecrets(one),
  })
}

/** Where what stood in a config is kept, without its secrets. */
export function keptAt({ path }: Adoptable, keeping: Keeping): string {
  return backupOf(path, keeping)
}

async function changeOne(text: string, { client, way, verdict, start }: Adoptable): Promise<Insertion> {
  if (verdict.kind === 'refused') return verdict
  const now = await findHoldings(text, client.target, start)
  const same = now?.find((holding) => isDeepStrictEqual(holding.way, way))
  if (now && !same) return { kind: 'present' }
  // What was shown is what is written.
  if (!isDeepStrictEqual(same?.verdict, verdict))
    return { kind: 'refused', why: say`it was changed meanwhile` }
  return adoptIn(text, client.target.format, way, verdict.adoption)
}

async function adoptIn(
  text: string,
  format: string,
  way: readonly string[],
  { entry, secrets }: Adoption,
): Promise<Insertion> {
  const written = await rewriteAt(text, { format, way, after: entry })
  if (written === null) {
    return { kind: 'refused', why: say`its entry could not be changed without changing something else` }
  }
  const rest = await textAt(written, format, way)
  if (secrets.some((secret) => secret.length >= MIN_SECRET && rest.includes(secret))) {
    return {
      kind: 'refused',
      why: say`its token or App Secret is in it once more, in a comment or under another name`,
    }
  }
  return { kind: 'insert', text: written }
}
