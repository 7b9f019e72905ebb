import type { AuthorizationRequest } from './authorize.ts'
import type { PendingDevice } from './device.ts'
import type { SandboxApp, SandboxUser } from './directory.ts'
import { FIRST_DOCUMENTS, type SandboxDocument } from './documents.ts'
import { defaultKnobs, type Knobs } from './knobs.ts'
import type { Presentation, RequestRecord } from './ledger.ts'
import type { McpRecord } from './mcp.ts'

export type Brand = 'feishu' | 'lark'

/** One approval by a person: codes, access and refresh tokens descend from it. */
export type Authorization = {
  id: string
  appId: string
  openId: string
  authorizedAt: number
  revokedAt: number | null
}

export type AuthorizationCode = {
  id: string
  authorization: Authorization
  redirectUri: string
  challenge: { value: string; method: 'plain' | 'S256' } | null
  expiresAt: number
  usedAt: number | null
}

export type AccessToken = {
  id: string
  authorization: Authorization
  scopes: string[]
  expiresAt: number
  /** May lie ahead: the grace period of an old access token. */
  revokedAt: number | null
}

export type Endpoint = 'v2' | 'v3'

export type RefreshToken = {
  id: string
  endpoint: Endpoint
  authorization: Authorization
  accessToken: AccessToken
  expiresAt: number
  rotatedAt: number | null
  revokedAt: number | null
  /** The answer that replaced this token, kept for the grace window. */
  successor: Record<string, unknown> | null
}

export type State = {
  brand: Brand
  origin: string
  knobs: Knobs
  clockOffsetMs: number
  /** When the clock was stopped; null: it runs. */
  stoppedAt: number | null
  apps: Map<string, SandboxApp>
  users: Map<string, SandboxUser>
  /** Scopes a person has ever granted to an app, by `grantKey`. */
  grants: Map<string, Set<string>>
  authorizations: Authorization[]
  /** The requests that consent pages on display belong to, by ticket. */
  tickets: Map<string, AuthorizationRequest>
  codes: Map<string, AuthorizationCode>
  accessTokens: Map<string, AccessToken>
  tenantTokens: Map<string, { appId: string; expiresAt: number }>
  refreshTokens: Map<string, RefreshToken>
  devices: Map<string, PendingDevice>
  documents: Map<string, SandboxDocument>
  /** Sessions of the hosted MCP server that are open. */
  mcpSessions: Set<string>
  mcpRequests: McpRecord[]
  ledger: Presentation[]
  requests: RequestRecord[]
  secrets: Set<string>
  serial: number
}

/** An empty Feishu: no apps, no people. */
export function createState(brand: Brand, knobs: Partial<Knobs>): State {
  return {
    brand,
    origin: '',
    knobs: { ...defaultKnobs(brand), ...knobs },
    clockOffsetMs: 0,
    stoppedAt: null,
    apps: new Map(),
    users: new Map(),
    grants: new Map(),
    authorizations: [],
    tickets: new Map(),
    codes: new Map(),
    accessTokens: new Map(),
    tenantTokens: new Map(),
    refreshTokens: new Map(),
    devices: new Map(),
    documents: new Map(FIRST_DOCUMENTS.map((document) => [document.id, document])),
    mcpSessions: new Set(),
    mcpRequests: [],
    ledger: [],
    requests: [],
    secrets: new Set(),
    serial: 0,
  }
}

/** The sandbox clock: real time, or when it was stopped, plus what tests have advanced. */
export function now(state: State): number {
  return (state.stoppedAt ?? Date.now()) + state.clockOffsetMs
}

export function nextId(state: State, prefix: string): string {
  state.serial += 1
  return `${prefix}_${state.serial}`
}

/** Remembers a secret for canary scans and returns it. */
export function keepSecret(state: State, secret: string): string {
  state.secrets.add(secret)
  return secret
}

export function grantKey(appId: string, openId: string): string {
  return `${appId} ${openId}`
}

/** Adds to the person's cumulative grant and starts a new authorization. */
export function authorize(state: State, appId: string, openId: string, scopes: string[]): Authorization {
  const key = grantKey(appId, openId)
  const granted = state.grants.get(key) ?? new Set()
  for (const scope of [...scopes, 'auth:user.id:read']) granted.add(scope)
  state.grants.set(key, granted)
  const authorization = {
    id: nextId(state, 'auth'),
    appId,
    openId,
    authorizedAt: now(state),
    revokedAt: null,
  }
  state.authorizations.push(authorization)
  return authorization
}
