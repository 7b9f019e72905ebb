// Whose a name is. Ours keep theirs; one of the other server that is also ours is shown with a prefix.

import type { Call, ListMethod, Lists, RpcObject } from './message.ts'

const PREFIX = 'remote_'

/** What a request names, and in which list that stands. */
const NAMED: Readonly<Record<string, ListMethod>> = {
  'tools/call': 'tools/list',
  'prompts/get': 'prompts/list',
}
const BY_URI = ['resources/read', 'resources/subscribe', 'resources/unsubscribe']

export type Names = {
  /** Both lists in one. */
  list: (method: ListMethod) => Promise<RpcObject[]>
  /** The request as the other server knows it; null: it is for ours. */
  lead: (call: Call) => Promise<Call | null>
}

/** Knows the names of both servers. */
export function createNames(
  ownList: (method: ListMethod) => Promise<RpcObject[]>,
  farLists: () => Promise<Lists>,
): Names {
  /** Shown name → the other server's own. */
  async function shownNames(method: ListMethod): Promise<Map<string, RpcObject>> {
    const taken = new Set((await ownList(method)).map(({ name }) => name))
    const items = (await farLists())[method]
    const shown = new Map<string, RpcObject>()
    for (const item of items) {
      let name = String(item.name)
      while (taken.has(name)) name = PREFIX + name
      taken.add(name)
      shown.set(name, item)
    }
    return shown
  }

  async function farName(method: ListMethod, shown: string): Promise<string | null> {
    if ((await ownList(method)).some(({ name }) => name === shown)) return null
    const known = (await shownNames(method)).get(shown)
    if (known) return String(known.name)
    // Its list may not be known yet.
    const bare = shown.startsWith(PREFIX) ? shown.slice(PREFIX.length) : null
    return (await ownList(method)).some(({ name }) => name === bare) ? bare : shown
  }

  return {
    async list(method) {
      const own = await ownList(method)
      if (method === 'resources/list') {
        const uris = own.map(({ uri }) => uri)
        return [...own, ...(await farLists())[method].filter(({ uri }) => !uris.includes(uri))]
      }
      if (method === 'resources/templates/list') return [...own, ...(await farLists())[method]]
      const shown = await shownNames(method)
      return [...own, ...[...shown].map(([name, item]) => (item.name === name ? item : { ...item, name }))]
    },
    async lead(call) {
      const { method, params } = call
      const list = NAMED[method]
      if (list) {
        const name = await farName(list, String(params?.name))
        return name === null ? null : { ...call, params: { ...params, name } }
      }
      if (BY_URI.includes(method)) {
        const own = await ownList('resources/list')
        return own.some(({ uri }) => uri === params?.uri) ? null : call
      }
      const ref = params?.ref as { type?: string; name?: string } | undefined
      if (method === 'completion/complete' && ref?.type === 'ref/prompt') {
        const name = await farName('prompts/list', String(ref.name))
        return name === null ? null : { ...call, params: { ...params, ref: { ...ref, name } } }
      }
      return method === 'initialize' || method === 'ping' ? null : call
    },
  }
}
