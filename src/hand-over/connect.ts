// The other server behind `connect`, and the token on the way to it: read for each request, renewed once when it is
// refused, and the refused request sent once more, because nothing was done then. No other request is ever repeated.

import { type App, resolveApp } from '../app/app.ts'
import type { Far } from '../bridge/bridge.ts'
import type { Handlers } from '../bridge/link.ts'
import type { Answer, Call, Reply } from '../bridge/message.ts'
import type { Peer } from '../bridge/peer.ts'
import type { Deps } from '../deps.ts'
import { toCodedError } from '../errors.ts'
import {
  type AccessToken,
  isJustRenewed,
  type Renewed,
  renewedFor,
  type TokenSource,
} from '../gateway/renewal.ts'
import { HOSTED_TOOLS } from '../oauth/hosted-mcp.ts'
import type { Brand } from '../profile.ts'
import { createCatalogue } from './connect-catalogue.ts'
import { type Destination, headersOf } from './connect-destination.ts'
import { failureAnswer, isRefusal, refusedAgain, rewordedAnswer, wantsCredential } from './connect-errors.ts'
import { createTokenSource } from './token-source.ts'

export type ConnectOptions = {
  getDeps: () => Promise<Deps>
  /** The brand and the settings name the hosted server, where the command line names none. */
  destination: (deps: Deps, brand: Brand) => Destination
  /** The only tools of the other server; null: all. */
  tools: string[] | null
}

/** A request on its way: what it goes with, and what its answer is judged by. */
type Sending = { reply: Reply; token: AccessToken | null }

type Open = { deps: Deps; profile: string; destination: Destination; peer: Peer }

/** Creates the other server as the bridge uses it. Nothing is opened, read or asked before it is needed. */
export function createFar(options: ConnectOptions): Far & { close: () => Promise<void> } {
  const { tools } = options
  let client: Parameters<Far['attach']>[0] | null = null
  let opening: Promise<Open> | null = null
  let source: TokenSource | null = null
  let lastRenewed: Renewed | null = null
  const catalogue = createCatalogue({
    open: async () => {
      const { deps, profile, destination } = await open()
      return { deps, profile, destination }
    },
    tools,
    send: async (call, names) => {
      const opened = await open()
      const { reply } = await attempt(opened, call, new AbortController().signal, names)
      return { reply, capabilities: opened.peer.capabilities() ?? {} }
    },
    changed: (methods) => client?.changed(methods),
  })

  function open(): Promise<Open> {
    opening ??= openAnew().catch((error) => {
      opening = null
      throw error
    })
    return opening
  }

  async function openAnew(): Promise<Open> {
    const deps = await options.getDeps()
    const { profile } = deps.config
    const app = await resolveApp(deps, profile).catch(() => null)
    const destination = options.destination(deps, app?.id.brand ?? deps.config.brand)
    // Which brand's app it will be is not known before there is one.
    if (!app && destination.remote?.byBrand) opening = null
    const handlers: Handlers = {
      notice(call) {
        if (call.method.endsWith('/list_changed')) catalogue.refetch()
        else client?.handlers.notice(call)
      },
      ask: (call, signal) => (client as NonNullable<typeof client>).handlers.ask(call, signal),
    }
    const streamHeaders = async () =>
      requestHeaders(destination, await tokenFor(deps, profile, destination), null)
    const hello = () => (client as NonNullable<typeof client>).hello()
    const peer = destination.createPeer({ hello, handlers, streamHeaders })
    return { deps, profile, destination, peer }
  }

  function tokenSource(deps: Deps, profile: string): TokenSource {
    source ??= createTokenSource(deps, profile, 0)
    return source
  }

  async function tokenFor(deps: Deps, profile: string, { remote }: Destination): Promise<AccessToken | null> {
    return remote?.needsToken ? tokenSource(deps, profile).currentToken() : null
  }

  function requestHeaders(
    { remote }: Destination,
    token: AccessToken | null,
    names: readonly string[] | null,
  ): Record<string, string> {
    if (!remote) return {}
    const allowed = names ?? catalogue.allowed() ?? tools ?? HOSTED_TOOLS
    const named = remote.hosted ? { 'X-Lark-MCP-Allowed-Tools': allowed.join(',') } : {}
    return { ...named, ...headersOf(remote, token?.accessToken ?? null) }
  }

  /** Sends a request; if the token is refused, once more with a renewed one. */
  async function attempt(
    { deps, profile, destination, peer }: Open,
    call: Call,
    signal: AbortSignal,
    names: readonly string[] | null = null,
  ): Promise<Sending> {
    const token = await tokenFor(deps, profile, destination)
    deps.closing.throwIfAborted()
    const reply = await peer.request(call, { signal, headers: requestHeaders(destination, token, names) })
    const now = () => deps.clock.elapsed()
    if (!token || !isRefusal(reply) || isJustRenewed(lastRenewed, token, now())) return { reply, token }
    const renewed = await tokenSource(deps, profile).renewToken(token.generation)
    const again = await peer.request(call, { signal, headers: requestHeaders(destination, renewed, names) })
    lastRenewed = renewedFor(isRefusal(again), renewed, now())
    return { reply: again, token: renewed }
  }

  async function judge(
    { deps, profile, destination }: Open,
    call: Call,
    { reply, token }: Sending,
  ): Promise<Answer> {
    if (reply.result) return { result: reply.result }
    if (!destination.remote && reply.error) return { error: reply.error }
    const app: App | null = token ? await resolveApp(deps, profile) : null
    const granted = app ? ((await deps.store.read(app.id)).tokenSet?.scopes ?? []) : []
    const context = { host: destination.name, granted, secrets: token ? [token.accessToken] : [] }
    if (!isRefusal(reply)) return rewordedAnswer(call, reply, { ...context, app })
    return app ? refusedAgain(call, reply, { ...context, app }) : wantsCredential(call, destination.name)
  }

  return {
    attach(given) {
      client = given
    },
    begin: catalogue.begin,
    wake: catalogue.wake,
    lists: catalogue.lists,
    async ask(call, signal) {
      try {
        const name = call.method === 'tools/call' ? String(call.params?.name) : null
        if (tools && name !== null && !tools.includes(name)) {
          return { error: { code: -32602, message: `Tool ${name} not found` } }
        }
        const opened = await open()
        return await judge(opened, call, await attempt(opened, call, signal))
      } catch (error) {
        const known = toCodedError(error)
        const opened = await opening?.catch(() => null)
        if (!signal.aborted) opened?.deps.log('warn', known.said)
        return failureAnswer(call, known)
      }
    },
    tell(call) {
      void opening?.then(({ peer }) => peer.notify(call)).catch(() => undefined)
    },
    async close() {
      catalogue.stop()
      const opened = await opening?.catch(() => null)
      await opened?.peer.close()
    },
  }
}
