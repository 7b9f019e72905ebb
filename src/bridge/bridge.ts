// Between the client and two servers: ours, and the other one behind it. Requests go to whom they belong; lists are put
// together; what the other server says or asks of its own accord goes to the client as if it were ours.

import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { type Listener, NOT_OFFERED } from './link.ts'
import {
  type Answer,
  type Call,
  type Json,
  LISTED,
  type ListMethod,
  type Lists,
  type Message,
  withoutCredentials,
} from './message.ts'
import { createNames } from './names.ts'
import type { Hello } from './peer.ts'

/** The other server as the bridge uses it. */
export type Far = {
  /** Answers a request of the client; never throws. */
  ask: (call: Call, signal: AbortSignal) => Promise<Answer>
  tell: (call: Call) => void
  /** What it has, as far as known; asks nobody. */
  lists: () => Promise<Lists>
  /** Whom it speaks to, from now on. */
  attach: (client: {
    hello: () => Hello
    listener: Listener
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

const CHANGED: Readonly<Partial<Record<ListMethod, string>>> = {
  'tools/list': 'notifications/tools/list_changed',
  'prompts/list': 'notifications/prompts/list_changed',
  'resources/list': 'notifications/resources/list_changed',
  'resources/templates/list': 'notifications/resources/list_changed',
}

/** Stands between the client's transport and our own server: gives the transport for our server. */
export function createBridge(far: Far): (client: Transport) => Transport {
  return (client) => {
    const asks = new Map<string | number, AbortController>()
    /** Questions to the client: of the other server, and of ours for its own lists. */
    const questions = new Map<string | number, (message: Message) => void>()
    let serial = 0
    let hello: Hello = { protocolVersion: '', capabilities: {}, clientInfo: {} }

    const send = (message: Message) => void client.send(message as JSONRPCMessage)
    const nextId = () => `other-${++serial}`

    const own: Transport = {
      async start() {
        client.onmessage = (message) => void route(message as Message)
        client.onclose = () => own.onclose?.()
        client.onerror = (error) => own.onerror?.(error)
        await client.start()
      },
      async send(message) {
        const { id, method, result } = message as Message & { result?: Json }
        const asked = method === undefined && id !== undefined ? questions.get(id) : undefined
        if (asked) return asked(message as Message)
        if (result?.protocolVersion) hello = { ...hello, protocolVersion: String(result.protocolVersion) }
        await client.send(message)
      },
      close: () => client.close(),
    }

    /** What our own server answers to a request of the bridge. */
    const ownLists = new Map<ListMethod, Promise<Json[]>>()
    function ownList(method: ListMethod): Promise<Json[]> {
      const known = ownLists.get(method)
      if (known) return known
      const id = nextId()
      const asked = new Promise<Json[]>((resolve) => {
        questions.set(id, ({ result }) => {
          questions.delete(id)
          resolve(((result as Json | undefined)?.[LISTED[method]] ?? []) as Json[])
        })
      })
      ownLists.set(method, asked)
      own.onmessage?.({ jsonrpc: '2.0', id, method })
      return asked
    }

    const names = createNames(ownList, far.lists)

    async function route(message: Message): Promise<void> {
      const { id, method } = message
      if (method === undefined) {
        const asked = id === undefined ? undefined : questions.get(id)
        if (asked) asked(message)
        else own.onmessage?.(message as JSONRPCMessage)
      } else if (id === undefined) routeNotice(message as Call)
      else await routeRequest(message as Call & { id: string | number })
    }

    function routeNotice(call: Call): void {
      const cancelled = asks.get(call.params?.requestId as string | number)
      if (call.method === 'notifications/cancelled' && cancelled) {
        cancelled.abort(new Error('the client cancelled it'))
        return
      }
      const { method, params } = call
      if (method !== 'notifications/cancelled' && method !== 'notifications/initialized') {
        far.tell(withoutCredentials({ method, params }))
      }
      own.onmessage?.(call as JSONRPCMessage)
      if (method === 'notifications/initialized') far.begin()
    }

    async function routeRequest(request: Call & { id: string | number }): Promise<void> {
      const { id, method, params } = request
      if (method === 'initialize') hello = { ...hello, ...(params as Partial<Hello>) }
      if (method !== 'initialize' && method !== 'ping') far.wake()
      if (Object.hasOwn(LISTED, method)) {
        const items = await names.list(method as ListMethod)
        return send({ jsonrpc: '2.0', id, result: { [LISTED[method as ListMethod]]: items } })
      }
      const call = await names.lead({ method, params })
      if (!call) return own.onmessage?.(request as unknown as JSONRPCMessage)
      const controller = new AbortController()
      asks.set(id, controller)
      const answer = await far.ask(withoutCredentials(call), controller.signal)
      asks.delete(id)
      if (!controller.signal.aborted) send({ jsonrpc: '2.0', id, ...answer })
    }

    const listener: Listener = {
      notice({ method, params }) {
        send({ jsonrpc: '2.0', method, params })
      },
      ask({ method, params }) {
        if (!isOffered(hello.capabilities, method, params)) return Promise.resolve(NOT_OFFERED)
        const id = nextId()
        send({ jsonrpc: '2.0', id, method, params })
        return new Promise((resolve) => {
          questions.set(id, ({ result, error }) => {
            questions.delete(id)
            resolve(error ? ({ error } as Answer) : { result: (result ?? {}) as Json })
          })
        })
      },
    }

    function changed(methods: ListMethod[]): void {
      for (const method of new Set(methods.map((list) => CHANGED[list]))) send({ jsonrpc: '2.0', method })
    }

    far.attach({ hello: () => hello, listener, changed })
    return own
  }
}

function isOffered(capabilities: Json, method: string, params: Json | undefined): boolean {
  const name = OFFERS[method]
  const offer = name === undefined ? undefined : (capabilities[name] as Json | undefined)
  if (!offer) return false
  return method !== 'elicitation/create' || params?.mode !== 'url' || offer.url !== undefined
}
