// The entries of a client's config that hold a token, and the text in which one of them is `connect`'s.

import { type Sentence, say } from '../sentence.ts'
import { adoptHosted } from './adopt-hosted.ts'
import { adoptProgram } from './adopt-program.ts'
import { type Adoption, isTable, type Start, type Verdict } from './adoption.ts'
import { readTree, rewriteAt, textAt, valueAt } from './rewrite.ts'

/** Shorter ones are placeholders, and parts of words. */
const MIN_SECRET = 8

/** An entry that holds a token: the way to it, and what becomes of it. */
export type Holding = { way: string[]; verdict: NonNullable<Verdict> }

/** What becomes of an entry; null: it holds no token of Feishu's. */
function adoptEntry(entry: unknown, start: Start): Verdict {
  return isTable(entry) ? (adoptProgram(entry, start) ?? adoptHosted(entry, start)) : null
}

/** Where servers stand: below a key of the client, and in Claude Code for each project too. */
function placesOf(data: unknown, topKeys: readonly string[]): string[][] {
  const ways = topKeys.map((key) => [key])
  const projects = valueAt(data, ['projects'])
  const ofProjects = isTable(projects) ? Object.keys(projects) : []
  return [...ways, ...ofProjects.flatMap((project) => ways.map((way) => ['projects', project, ...way]))]
}

/** The entries that hold a token; null: the text is not of its format. */
export async function findHoldings(
  text: string,
  config: { format: string; topKeys: readonly string[] },
  start: Start,
): Promise<Holding[] | null> {
  if (text.trim() === '') return []
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

/** The text with `connect`'s entry; or why there is none. */
export async function adoptIn(
  text: string,
  { format, way, adoption }: { format: string; way: readonly string[]; adoption: Adoption },
): Promise<{ text: string } | { why: Sentence }> {
  const written = await rewriteAt(text, { format, way, after: adoption.entry })
  if (written === null) return { why: say`its entry could not be changed without changing something else` }
  const rest = await textAt(written, format, way)
  if (adoption.secrets.some((secret) => secret.length >= MIN_SECRET && rest.includes(secret))) {
    return { why: say`its token or App Secret stands in it once more, in a comment or under another name` }
  }
  return { text: written }
}
