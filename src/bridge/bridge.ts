// Between the client and two servers: ours, and the other one behind it. Requests go to whom they belong; lists are put
// together; what the other server says or asks of its own accord goes to the client as if it were ours.

import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { type Handlers, NOT_OFFERED } from './link.ts'
import {
  type Answer,
  type Call,
  INTERNAL_ERROR,
  LISTED,
  type ListMethod,
  type Lists,
  type Message,
  type RpcError,
  type RpcObject,
  withoutCredentials,
} from './message.ts'
import { createNames, type Names } from './names.ts'
import type { Hello } from './peer.ts'

/** The other server as the bridge uses it. */
export type Far = {
  /** Answers a request of the client; never throws. */
  ask: (call: Call, signal: AbortSignal) => Promise<Answer>
  tell: (call: Call) => void
  /** What it has, as far as known; asks no one. */
  lists: () => Promise<Lists>
  /** Whom it speaks to, from now on. */
  attach: (client: {
    hello: () => Hello
    handlers: Handlers
    changed: (methods: ListMethod[]) => void
  }) => void
  /** The client has finished its part of the handshake. */
  begin: () => void
  /** The client asks for something. */
  wake: () => void
}

/** What the client must have declared for a question of the other server to be passed on. */
const OFFERS: Readonly<Record<string, string>> = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
}

const FAILED: RpcError = { code: INTERNAL_ERROR, message: 'The message could not be handed on.' }

/** As whom the other server is greeted where the client asks before it has said who it is. */
const NAMELESS: Hello = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'unknown', version: '0' },
}

const CHANGED: Readonly<Partial<Record<ListMethod, string>>> = {
  'tools/list': 'notifications/tools/list_changed',
  'prompts/list': 'notifications/prompts/list_changed',
  'resources/list': 'notifications/resources/list_changed',
  'resources/templates/list': 'notifications/resources/list_changed',
}

/** Stands between the client's transport and our own server: gives the transport for our server. */
export function createBridge(far: Far): (client: Transport) => Transport {
  return (client) => new Bridge(client, far).own
}

class Bridge {
  /** Our own server's end. */
  readonly own: Transport
  readonly #client: Transport
  readonly #far: Far
  readonly #names: Names
  /** Requests of the client that the other server works on, or that may be for it. */
  readonly #asks = new Map<string | number, AbortController>()
  /** Questions to the client, of the other server; and to our own server, for its lists. */
  readonly #questions = new Map<string | number, (message: Message) => void>()
  readonly #ownLists = new Map<ListMethod, Promise<RpcObject[]>>()
  #serial = 0
  #hello: Hello = NAMELESS

  constructor(client: Transport, far: Far) {
    this.#client = client
    this.#far = far
    this.#names = createNames((method) => this.#ownList(method), far.lists)
    this.own = {
      start: () => this.#start(),
      send: (message) => this.#sendOwn(message),
      close: () => client.close(),
    }
    far.attach({
      hello: () => this.#hello,
      changed: (methods) => this.#tellChanged(methods),
      handlers: {
        notice: ({ method, params }) => this.#send({ jsonrpc: '2.0', method, params }),
        ask: (call, signal) => this.#askClient(call, signal),
      },
    })
  }

  async #start(): Promise<void> {
    const { own } = this
    this.#client.onmessage = (message) => {
      this.#route(message as Message).catch(() => this.#refuse(message as Message))
    }
    this.#client.onclose = () => own.onclose?.()
    this.#client.onerror = (error) => own.onerror?.(error)
    await this.#client.start()
  }

  #send(message: Message): void {
    // What is nested too deeply to be written is answered with an error, or left out.
    this.#client.send(message as JSONRPCMessage).catch(() => {
      if (message.method === undefined && message.error !== FAILED) this.#refuse(message)
    })
  }

  /** No request of the client stays without an answer. */
  #refuse({ id }: Message): void {
    if (id === undefined) return
    this.#asks.delete(id)
    this.#send({ jsonrpc: '2.0', id, error: FAILED })
  }

  async #sendOwn(message: JSONRPCMessage): Promise<void> {
    const { id, method, result } = message as Message & { result?: RpcObject }
    const asked = method === undefined && id !== undefined ? this.#questions.get(id) : undefined
    if (asked) return asked(message as Message)
    const agreed = result?.protocolVersion
    if (agreed) this.#hello = { ...this.#hello, protocolVersion: String(agreed) }
    await this.#client.send(message)
  }

  /** Asks by `ask`, and resolves to the answer. */
  #question(ask: (id: string) => void): Promise<Message> {
    this.#serial += 1
    const id = `other-${this.#serial}`
    return new Promise((resolve) => {
      this.#questions.set(id, (message) => {
        this.#questions.delete(id)
        resolve(message)
      })
      ask(id)
    })
  }

  /** What our own server has; it stays the same. */
  #ownList(method: ListMethod): Promise<RpcObject[]> {
    const known = this.#ownLists.get(method)
    if (known) return known
    const asked = this.#question((id) => this.own.onmessage?.({ jsonrpc: '2.0', id, method })).then(
      ({ result }) => ((result as RpcObject | undefined)?.[LISTED[method]] ?? []) as RpcObject[],
    )
    this.#ownLists.set(method, asked)
    return asked
  }

  async #askClient({ method, params }: Call, signal: AbortSignal): Promise<Answer> {
    if (!isOffered(this.#hello.capabilities, method, params)) return NOT_OFFERED
    const { result, error } = await this.#question((id) => {
      signal.addEventListener('abort', () => {
        const waiting = this.#questions.get(id)
        if (!waiting) return
        waiting({ error: FAILED })
        const given = { requestId: id, reason: 'the other server took it back' }
        this.#send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: given })
      })
      this.#send({ jsonrpc: '2.0', id, method, params })
    })
    return error ? ({ error } as Answer) : { result: (result ?? {}) as RpcObject }
  }

  async #route(message: Message): Promise<void> {
    const { id, method } = message
    if (method === undefined) {
      const asked = id === undefined ? undefined : this.#questions.get(id)
      if (asked) asked(message)
      else this.own.onmessage?.(message as JSONRPCMessage)
    } else if (id === undefined) this.#routeNotice(message as Call)
    else await this.#routeRequest(message as Call & { id: string | number })
  }

  #routeNotice(call: Call): void {
    const { method, params } = call
    const cancelled = this.#asks.get(params?.requestId as string | number)
    if (method === 'notifications/cancelled' && cancelled) {
      cancelled.abort(new Error('the client cancelled it'))
      return
    }
    const ours = ['notifications/cancelled', 'notifications/initialized']
    if (!ours.includes(method)) this.#far.tell(withoutCredentials({ method, params }))
    this.own.onmessage?.(call as JSONRPCMessage)
    if (method === 'notifications/initialized') this.#far.begin()
  }

  async #routeRequest(request: Call & { id: string | number }): Promise<void> {
    const { id, method, params } = request
    if (method === 'initialize') this.#hello = { ...this.#hello, ...(params as Partial<Hello>) }
    if (method !== 'initialize' && method !== 'ping') this.#far.wake()
    if (Object.hasOwn(LISTED, method)) {
      const list = method as ListMethod
      const result = { [LISTED[list]]: await this.#names.list(list) }
      return this.#send({ jsonrpc: '2.0', id, result })
    }
    const controller = new AbortController()
    const { signal } = controller
    this.#asks.set(id, controller)
    // Whose it is may take seconds to know, and the client may cancel it meanwhile.
    const call = await this.#names.lead({ method, params })
    const answer = call && !signal.aborted ? await this.#far.ask(withoutCredentials(call), signal) : null
    this.#asks.delete(id)
    if (signal.aborted) return
    if (answer) this.#send({ jsonrpc: '2.0', id, ...answer })
    else this.own.onmessage?.(request as unknown as JSONRPCMessage)
  }

  #tellChanged(methods: ListMethod[]): void {
    for (const method of new Set(methods.map((list) => CHANGED[list]))) this.#send({ jsonrpc: '2.0', method })
  }
}

function isOffered(capabilities: RpcObject, method: string, params: RpcObject | undefined): boolean {
  const name = OFFERS[method]
  const offer = name === undefined ? undefined : (capabilities[name] as RpcObject | undefined)
  if (!offer) return false
  return method !== 'elicitation/create' || params?.mode !== 'url' || offer.url !== undefined
}
