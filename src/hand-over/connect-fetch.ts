// Fetching what the other server has: every page of its lists, and of the hosted server the tools that it takes.

import {
  type Call,
  LISTED,
  type ListMethod,
  METHOD_NOT_FOUND,
  namedItems,
  type Reply,
  type RpcObject,
} from '../bridge/message.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { DOCUMENTED_TOOLS, HOSTED_TOOLS } from '../oauth/hosted-mcp.ts'
import { call, say } from '../sentence.ts'
import type { Destination } from './connect-destination.ts'
import { isRefusal } from './connect-errors.ts'
import type { Kept } from './connect-lists.ts'

/** No server has that many pages; one that goes on for ever must end. */
const MAX_PAGES = 100

/** Sends a request; at the hosted server under these names of tools. */
export type Send = (
  call: Call,
  names: readonly string[] | null,
) => Promise<{ reply: Reply; capabilities: RpcObject }>

type All = (method: ListMethod, names: readonly string[] | null) => Promise<RpcObject[]>
type Opened = { deps: Deps; destination: Destination }

function listFailure(method: string, reply: Reply): CodedError {
  const answered = say`${method} answered ${reply.error?.code ?? reply.status ?? 0}.`
  if (isRefusal(reply)) {
    return new CodedError('invalid_grant', answered, { nextStep: say`${call('start_authorization')}.` })
  }
  return new CodedError('unexpected_response', answered, { nextStep: say`It is tried again by itself.` })
}

/** All pages of a list, nothing where the server has none; and what it says that it can do. */
async function allPages(
  send: Send,
  method: ListMethod,
  names: readonly string[] | null,
): Promise<{ items: RpcObject[]; capabilities: RpcObject }> {
  const items: RpcObject[] = []
  let capabilities: RpcObject = {}
  let cursor: unknown
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const params = cursor === undefined ? undefined : { cursor }
    const { reply, capabilities: given } = await send({ method, params }, names)
    capabilities = given
    if (!reply.result) {
      if (reply.error?.code === METHOD_NOT_FOUND) break
      throw listFailure(method, reply)
    }
    items.push(...namedItems(method, reply.result[LISTED[method]]))
    cursor = reply.result.nextCursor
    if (typeof cursor !== 'string' || cursor === '') break
  }
  return { items, capabilities }
}

type Trial = {
  tools: RpcObject[]
  /** The names with which the list came; null: with none. */
  allowed: string[] | null
}

/**
 * Lists the tools of the hosted server. It lists those that a header names, and none at all once the header names one that
 * it does not know: so names are tried until a list comes.
 *
 * @param list asks for the list under these names
 * @param wanted the person's names: each of them or none, never another
 * @param worked the names that worked the last time
 */
async function tryTools(
  list: (names: readonly string[]) => Promise<RpcObject[]>,
  wanted: readonly string[] | null,
  worked: readonly string[] | null,
): Promise<Trial> {
  const tries = wanted ? [wanted] : [...(worked ? [worked] : []), HOSTED_TOOLS, DOCUMENTED_TOOLS]
  for (const names of tries) {
    const tools = await list(names)
    if (tools.length > 0) return { tools, allowed: [...names] }
  }
  const found: { name: string; tools: RpcObject[] }[] = []
  const each = wanted ?? HOSTED_TOOLS
  for (const name of each) found.push({ name, tools: await list([name]) })
  const allowed = found.filter(({ tools }) => tools.length > 0).map(({ name }) => name)
  return {
    tools: found.flatMap(({ tools }) => tools),
    allowed: allowed.length > 0 ? allowed : null,
  }
}

type Tools = Pick<Kept, 'asked' | 'allowed'> & { list: RpcObject[] }

async function fetchTools(
  opened: Opened,
  { all, tools, known }: { all: All; tools: string[] | null; known: Kept },
): Promise<Tools> {
  const { deps, destination } = opened
  const asked = tools ?? [...HOSTED_TOOLS]
  const isHosted = destination.remote?.hosted === true
  const worked = known.asked.join() === asked.join() ? known.allowed : null
  const found = isHosted
    ? await tryTools((names) => all('tools/list', names), tools, worked)
    : { tools: await all('tools/list', null), allowed: null }
  // A server that knows nothing of the header lists all that it has.
  const list = tools ? found.tools.filter(({ name }) => tools.includes(String(name))) : found.tools
  const unknown = tools?.filter((name) => !list.some((tool) => tool.name === name)) ?? []
  if (unknown.length > 0) {
    deps.log('warn', say`${destination.name} does not know these tools: ${unknown.join(', ')}`)
  }
  if (isHosted) tellIfEmpty(opened, list)
  // An empty list with a valid token is a fault of the server: what was seen before is still worth a try.
  if (isHosted && list.length === 0) return { list: known.lists['tools/list'], asked, allowed: known.allowed }
  return { list, asked, allowed: found.allowed }
}

function tellIfEmpty({ deps, destination }: Opened, list: RpcObject[]): void {
  const text = say`${destination.name} lists no tools although the token is valid: see whether the app may use it, and whether its tools have other names by now.`
  if (list.length > 0) return void deps.remarks.delete(destination.name)
  if (!deps.remarks.has(destination.name)) deps.log('warn', text)
  deps.remarks.set(destination.name, text)
}

/**
 * All that the other server has by now. `tools`: the only ones that are wanted; `known`: what it had the last time, which
 * stays for a list that cannot be had: `problem` says why, and the others are none the less there.
 */
export async function fetchLists(
  opened: Opened,
  { send, tools, known }: { send: Send; tools: string[] | null; known: Kept },
): Promise<{ fetched: Kept; problem: unknown }> {
  let capabilities: RpcObject = {}
  let problem: unknown = null
  const all: All = async (method, names) => {
    const pages = await allPages(send, method, names)
    capabilities = pages.capabilities
    return pages.items
  }
  const { list, asked, allowed } = await fetchTools(opened, { all, tools, known })
  const other = async (name: string, method: ListMethod) => {
    if (!capabilities[name]) return []
    return all(method, null).catch((error: unknown) => {
      problem ??= error
      return known.lists[method]
    })
  }
  const lists = {
    'tools/list': list,
    'prompts/list': await other('prompts', 'prompts/list'),
    'resources/list': await other('resources', 'resources/list'),
    'resources/templates/list': await other('resources', 'resources/templates/list'),
  }
  return { fetched: { lists, asked, allowed }, problem }
}
