import { CONTROL_PREFIX } from './control.ts'
import type { SandboxApp, SandboxUser } from './directory.ts'
import type { Fault } from './faults.ts'
import { exchange } from './http-client.ts'
import type { Inspection } from './inspection.ts'
import type { Knobs } from './knobs.ts'
import type { Presentation, RequestRecord } from './ledger.ts'
import type { McpRecord } from './mcp.ts'
import { createPerson, type Person } from './person.ts'
import type { SandboxState, TokenResponse } from './sandbox.ts'
import type { Brand } from './state.ts'

type Asynchronous<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<R> : never
}

type RemoteFaultHandle = {
  id: number
  reached(): Promise<void>
  release(): Promise<void>
}

/** The verbs of a sandbox that runs in another process. */
export type RemoteSandbox = Asynchronous<SandboxState> &
  Person & {
    url: string
    brand: Brand
    /** As they were when connecting. */
    app: SandboxApp
    user: SandboxUser
    clock: { now(): Promise<number>; advance(ms: number): Promise<void> }
    knobs(): Promise<Knobs>
    setKnobs(changes: Partial<Knobs>): Promise<Knobs>
    faults: {
      next(fault: Fault, count?: number): Promise<RemoteFaultHandle>
      clear(): Promise<void>
    }
    /** The entries from an index on. */
    ledger(from?: number): Promise<Presentation[]>
    requests(from?: number): Promise<RequestRecord[]>
    mcpRequests(from?: number): Promise<McpRecord[]>
  }

/** Connects to a sandbox in another process by its address. */
export async function connectSandbox(url: string): Promise<RemoteSandbox> {
  async function call<T>(verb: string, ...args: unknown[]): Promise<T> {
    const body = JSON.stringify(args)
    const result = await exchange(`${url}${CONTROL_PREFIX}${verb}`, { method: 'POST', body })
    const value: unknown = JSON.parse(result.body)
    if (result.status !== 200) throw new Error((value as { error: string }).error)
    return value as T
  }

  const { app, user, brand } = await call<{ app: SandboxApp; user: SandboxUser; brand: Brand }>('describe')
  return {
    ...createPerson(url),
    url,
    brand,
    app,
    user,
    clock: { now: () => call('now'), advance: (ms) => call('advance', ms) },
    knobs: () => call('knobs'),
    setKnobs: (changes) => call('knobs', changes),
    faults: {
      async next(fault, count = 1) {
        const id = await call<number>('fault', fault, count)
        return { id, reached: () => call('reached', id), release: () => call('release', id) }
      },
      clear: () => call('clear'),
    },
    ledger: (from = 0) => call('ledger', from),
    requests: (from = 0) => call('requests', from),
    mcpRequests: (from = 0) => call('mcpRequests', from),
    loseMcpSessions: () => call('loseMcpSessions'),
    documents: () => call('documents'),
    secrets: () => call('secrets'),
    inspect: (secret) => call<Inspection | null>('inspect', secret),
    issue: (options = {}) => call<TokenResponse>('issue', options),
    addApp: (given = {}) => call('addApp', given),
    addUser: (given = {}) => call('addUser', given),
    setApp: (changes, appId = app.appId) => call('setApp', changes, appId),
    setUser: (changes, openId = user.openId) => call('setUser', changes, openId),
    revoke: (what = {}) => call('revoke', what),
    resetGrants: () => call('resetGrants'),
  }
}
