// A Feishu (or Lark) on loopback: what the protocol's documents and field reports say, state and clock under control.
// One origin serves both the accounts and the open host of one brand.

import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { CONTROL_PREFIX, createControlListener } from './control.ts'
import { addApp, addUser, type SandboxApp, type SandboxUser } from './directory.ts'
import type { SandboxDocument } from './documents.ts'
import { createFaultQueue, type FaultQueue, type Faults } from './faults.ts'
import { type Inspection, inspect } from './inspection.ts'
import { grantedScopes, issueTokens } from './issue.ts'
import type { Knobs } from './knobs.ts'
import type { Presentation, RequestRecord } from './ledger.ts'
import type { McpRecord } from './mcp.ts'
import { createPerson, type Person } from './person.ts'
import { type Revocation, revokeIssued } from './revoke.ts'
import { createListener } from './server.ts'
import { authorize, type Brand, createState, type Endpoint, keepSecret, now, type State } from './state.ts'

export type SandboxOptions = {
  /** 0, the default: any free port. */
  port?: number
  brand?: Brand
  app?: Partial<SandboxApp>
  user?: Partial<SandboxUser>
  /** Registered for the default app beside `http://localhost:9000/callback`. */
  redirectUrls?: string[]
  knobs?: Partial<Knobs>
  /** Time stands still but for `clock.advance`. */
  frozen?: boolean
  /** Serve https with this certificate, in PEM. */
  tls?: { cert: string; key: string }
}

export type TokenResponse = {
  code: number | string
  access_token: string
  expires_in: number
  refresh_token?: string
  refresh_token_expires_in?: number
  scope: string
  token_type: string
}

export type IssueOptions = { appId?: string; openId?: string; scopes?: string[]; endpoint?: Endpoint }

/** The verbs that act on the sandbox's state at once. */
export type SandboxState = {
  addApp(app?: Partial<SandboxApp>): SandboxApp
  addUser(user?: Partial<SandboxUser>): SandboxUser
  /** Changes the default app, or the one named; a new `appSecret` takes effect at once. */
  setApp(changes: Partial<Omit<SandboxApp, 'appId'>>, appId?: string): SandboxApp
  setUser(changes: Partial<Omit<SandboxUser, 'openId'>>, openId?: string): SandboxUser
  /** Revokes issued tokens, as an administrator or Feishu's security would. */
  revoke(what?: Revocation): void
  /** Forgets what people have granted; issued tokens stay. */
  resetGrants(): void
  /** Forgets the sessions of the hosted MCP server, as its restart would. */
  loseMcpSessions(): void
  /** Every document, by its id. */
  documents(): Record<string, SandboxDocument>
  /** A token set without the walk through the browser, of just these scopes or of all that are enabled. */
  issue(options?: IssueOptions): TokenResponse
  inspect(secret: string): Inspection | null
  /** Every secret minted, configured or presented as a verifier so far. */
  secrets(): string[]
}

export type Sandbox = SandboxState &
  Person & {
    /** Use it for both `FEISHU_ACCOUNTS_URL` and `FEISHU_OPEN_URL`. */
    url: string
    brand: Brand
    app: SandboxApp
    user: SandboxUser
    clock: { now(): number; advance(ms: number): void }
    knobs: Knobs
    faults: Faults
    ledger: Presentation[]
    requests: RequestRecord[]
    /** What reached the hosted MCP server. */
    mcpRequests: McpRecord[]
    close(): Promise<void>
  }

function mustGet<T>(map: Map<string, T>, key: string): T {
  const found = map.get(key)
  if (!found) throw new Error(`The sandbox knows no ${key}.`)
  return found
}

function createVerbs(state: State, defaults: { app: SandboxApp; user: SandboxUser }): SandboxState {
  return {
    addApp: (app) => addApp(state, app),
    addUser: (user) => addUser(state, user),
    setApp(changes, appId = defaults.app.appId) {
      if (changes.appSecret) keepSecret(state, changes.appSecret)
      return Object.assign(mustGet(state.apps, appId), changes)
    },
    setUser: (changes, openId = defaults.user.openId) => Object.assign(mustGet(state.users, openId), changes),
    revoke: (what) => revokeIssued(state, what),
    resetGrants: () => state.grants.clear(),
    loseMcpSessions: () => state.mcpSessions.clear(),
    documents: () => Object.fromEntries(state.documents),
    issue({ appId = defaults.app.appId, openId = defaults.user.openId, scopes, endpoint = 'v2' } = {}) {
      const app = mustGet(state.apps, appId)
      const wanted = [...(scopes ?? app.enabledScopes), 'auth:user.id:read']
      const authorization = authorize(state, appId, openId, wanted)
      const granted = grantedScopes(state, app, openId).filter((scope) => wanted.includes(scope))
      return issueTokens(state, authorization, granted, endpoint) as TokenResponse
    },
    inspect: (secret) => inspect(state, secret),
    secrets: () => [...state.secrets],
  }
}

/** Listens on 127.0.0.1 and keeps track of every socket, so that closing leaves none. */
async function openServer(
  server: Server,
  port: number,
  faults: FaultQueue,
): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    if (faults.takeConnectReset()) socket.resetAndDestroy()
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  async function closeAll(): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    faults.clear()
    await closed
  }
  let closing: Promise<void> | null = null
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      closing ??= closeAll()
      return closing
    },
  }
}

/** Starts a Feishu on 127.0.0.1; `close()` leaves neither port nor socket behind. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { port = 0, brand = 'feishu', redirectUrls = [], tls } = options
  const state = createState(brand, options.knobs ?? {})
  if (options.frozen) state.stoppedAt = Date.now()
  const app = addApp(state, options.app)
  app.redirectUrls = [...app.redirectUrls, ...redirectUrls]
  const user = addUser(state, options.user)
  const faults = createFaultQueue()
  const verbs = createVerbs(state, { app, user })
  const control = createControlListener({ state, faults, verbs, app, user })
  const feishu = createListener(state, faults)
  const listener: RequestListener = (request, response) =>
    request.url?.startsWith(CONTROL_PREFIX) ? control(request, response) : feishu(request, response)
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  const opened = await openServer(server, port, faults)
  state.origin = `${tls ? 'https' : 'http'}://127.0.0.1:${opened.port}`
  return {
    ...verbs,
    ...createPerson(state.origin),
    url: state.origin,
    brand,
    app,
    user,
    clock: {
      now: () => now(state),
      advance(ms) {
        state.clockOffsetMs += ms
      },
    },
    knobs: state.knobs,
    faults,
    ledger: state.ledger,
    requests: state.requests,
    mcpRequests: state.mcpRequests,
    close: opened.close,
  }
}
