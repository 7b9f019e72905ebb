// The tools of the hosted server. It lists those that a header names, and none at all once the header names one that it
// does not know: so names are tried until a list comes.

import type { Json } from '../bridge/message.ts'

/** Those that Feishu documents. */
const DOCUMENTED = [
  'search-user',
  'get-user',
  'search-doc',
  'fetch-file',
  'create-doc',
  'fetch-doc',
  'update-doc',
  'list-docs',
  'get-comments',
  'add-comments',
]

/** Those that have been seen besides. */
const SEEN = [
  'fetch-file-v2',
  'list-docs-v2',
  'search-groups',
  'get-group-members',
  'get-messages',
  'get-thread-messages',
  'search-messages',
  'get-read-status',
]

export const KNOWN_TOOLS: readonly string[] = [...DOCUMENTED, ...SEEN]

export type Trial = {
  tools: Json[]
  /** The names with which the list came; null: with none. */
  allowed: string[] | null
  /** Names of the person's that the server does not know. */
  unknown: string[]
}

/**
 * Lists the tools of the hosted server.
 *
 * @param list asks for the list under these names
 * @param wanted the person's names: each of them or none, never another
 * @param worked the names that worked the last time
 */
export async function tryTools(
  list: (names: readonly string[]) => Promise<Json[]>,
  wanted: readonly string[] | null,
  worked: readonly string[] | null,
): Promise<Trial> {
  const tries = wanted ? [wanted] : [...(worked ? [worked] : []), KNOWN_TOOLS, DOCUMENTED]
  for (const names of tries) {
    const tools = await list(names)
    if (tools.length > 0) return { tools, allowed: [...names], unknown: [] }
  }
  const found: { name: string; tools: Json[] }[] = []
  const each = wanted ?? KNOWN_TOOLS
  for (const name of each) found.push({ name, tools: await list([name]) })
  const allowed = found.filter(({ tools }) => tools.length > 0).map(({ name }) => name)
  return {
    tools: found.flatMap(({ tools }) => tools),
    allowed: allowed.length > 0 ? allowed : null,
    unknown: wanted ? wanted.filter((name) => !allowed.includes(name)) : [],
  }
}
