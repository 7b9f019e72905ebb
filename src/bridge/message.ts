// What goes between the two ends, as it came: nothing of a message is read but what is needed to lead it.

export type RpcObject = Record<string, unknown>

export type Call = { method: string; params?: RpcObject | undefined }

export type RpcError = { code: number; message: string; data?: unknown }

/** How a request ended, as JSON-RPC has it. */
export type Answer = { result: RpcObject } | { error: RpcError }

/** The same from the other server, with what HTTP said where that was not a success. */
export type Reply = Partial<{ result: RpcObject; error: RpcError }> & {
  status?: number
  /** The session that it was sent in is gone. */
  lost?: boolean
}

export type Message = RpcObject & {
  id?: string | number | undefined
  method?: string | undefined
  params?: RpcObject | undefined
}

/** Lists that both servers have, by the request for them: where the items stand. */
export const LISTED = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
} as const

export type ListMethod = keyof typeof LISTED
export type Lists = Record<ListMethod, RpcObject[]>

/** JSON-RPC 2.0 §5.1. */
export const METHOD_NOT_FOUND = -32601
export const INTERNAL_ERROR = -32603

const isText = (value: unknown) => typeof value === 'string'

/** Reads what came as a message; null: it is none, or its members are of kinds that none of ours can be led by. */
export function readMessage(value: unknown): Message | null {
  const { jsonrpc, id, method, error } = (value ?? {}) as Record<string, unknown>
  if (jsonrpc !== '2.0' || (method !== undefined && !isText(method))) return null
  if (id !== undefined && !isText(id) && typeof id !== 'number') return null
  if (method === undefined && id === undefined) return null
  if (error === undefined) return value as Message
  const { code, message } = (error ?? {}) as Partial<Record<keyof RpcError, unknown>>
  if (Number.isInteger(code) && isText(message)) return value as Message
  const said = {
    code: Number.isInteger(code) ? code : INTERNAL_ERROR,
    message: isText(message) ? message : '',
  }
  return { ...(value as Message), error: said }
}

/** What names an item of each list. */
const NAMED_BY: Readonly<Record<ListMethod, string>> = {
  'tools/list': 'name',
  'prompts/list': 'name',
  'resources/list': 'uri',
  'resources/templates/list': 'uriTemplate',
}

/** The items of a list that have a name: the others could not be asked for. */
export function namedItems(method: ListMethod, items: unknown): RpcObject[] {
  if (!Array.isArray(items)) return []
  return items.filter((item: RpcObject | null) => isText(item?.[NAMED_BY[method]]))
}

/** Words of a key that name a credential; the shorter ones only by themselves: "state" names none. */
const CREDENTIAL = /authorization|token|secret|cookie|password|apikey/
const SHORT_CREDENTIAL = ['uat', 'tat']

function namesCredential(key: string): boolean {
  if (key === 'progressToken') return false
  const words = key
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  return CREDENTIAL.test(words.join('')) || words.some((word) => SHORT_CREDENTIAL.includes(word))
}

function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strip)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key]) => !namesCredential(key))
  return Object.fromEntries(kept.map(([key, inner]) => [key, strip(inner)]))
}

/** The call without what in its `_meta` is named like a credential: it is meant for us, if for anyone. */
export function withoutCredentials<T extends Call>(call: T): T {
  if (call.params?._meta === undefined) return call
  return { ...call, params: { ...call.params, _meta: strip(call.params._meta) } }
}
