// The tools of the hosted server. It lists those that a header names, and none at all once the header names one that it
// does not know: so names are tried until a list comes.

import type { Json } from '../bridge/message.ts'
import { DOCUMENTED_TOOLS, HOSTED_TOOLS } from '../oauth/hosted-mcp.ts'

export type Trial = {
  tools: Json[]
  /** The names with which the list came; null: with none. */
  allowed: string[] | null
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
  const tries = wanted ? [wanted] : [...(worked ? [worked] : []), HOSTED_TOOLS, DOCUMENTED_TOOLS]
  for (const names of tries) {
    const tools = await list(names)
    if (tools.length > 0) return { tools, allowed: [...names] }
  }
  const found: { name: string; tools: Json[] }[] = []
  const each = wanted ?? HOSTED_TOOLS
  for (const name of each) found.push({ name, tools: await list([name]) })
  const allowed = found.filter(({ tools }) => tools.length > 0).map(({ name }) => name)
  return {
    tools: found.flatMap(({ tools }) => tools),
    allowed: allowed.length > 0 ? allowed : null,
  }
}
