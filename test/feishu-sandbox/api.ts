import type { SandboxApp, SandboxUser } from './directory.ts'
import { issueTenantToken } from './issue.ts'
import type { AccessToken } from './state.ts'
import { type Answer, apiError, type Call, json } from './wire.ts'

export const USER_INFO_PATH = '/open-apis/authen/v1/user_info'
export const TENANT_TOKEN_PATH = '/open-apis/auth/v3/tenant_access_token/internal'

/** Who calls: a person through an app, or the app itself. */
type Caller = { app: SandboxApp | undefined; token: AccessToken | null }

function readBearer(call: Call): string | null {
  return /^Bearer (.+)$/.exec(call.headers.authorization ?? '')?.[1]?.trim() ?? null
}

/** What the gateway makes of the token, before any API is reached. */
export function checkToken(call: Call): Caller | Answer {
  const { state, now } = call
  const bearer = readBearer(call)
  if (!bearer) return apiError(call, 99991661)
  if (bearer.startsWith('t-')) {
    const tenant = state.tenantTokens.get(bearer)
    if (!tenant || now >= tenant.expiresAt) return apiError(call, 99991663)
    return { app: state.apps.get(tenant.appId), token: null }
  }
  const token = state.accessTokens.get(bearer)
  if (!token || token.authorization.revokedAt !== null) return apiError(call, 99991668)
  if (token.revokedAt !== null && now >= token.revokedAt) return apiError(call, 99991668)
  if (now >= token.expiresAt) return apiError(call, 99991677)
  return { app: state.apps.get(token.authorization.appId), token }
}

function lacksAll(owned: readonly string[], anyOf: readonly string[]): boolean {
  return anyOf.length > 0 && !anyOf.some((scope) => owned.includes(scope))
}

/** The app's permission first, then the person's: 99991672 and 99991679. */
function findScopeError(call: Call, caller: Caller, anyOf: readonly string[]): Answer | null {
  const list = `[${anyOf.join(', ')}]`
  const violations = anyOf.map((subject) => ({ type: 'action_privilege_required', subject }))
  if (lacksAll(caller.app?.enabledScopes ?? [], anyOf)) {
    const host = call.state.brand === 'lark' ? 'open.larksuite.com' : 'open.feishu.cn'
    const query = `q=${anyOf.join(',')}&op_from=openapi`
    const helps = [{ url: `https://${host}/app/${caller.app?.appId}/auth?${query}`, description: 'Apply' }]
    return apiError(call, 99991672, { permission_violations: violations, helps }, list)
  }
  if (caller.token && lacksAll(caller.token.scopes, anyOf)) {
    return apiError(call, 99991679, { permission_violations: violations }, list)
  }
  return null
}

type Field = [name: string, value: string, anyOf: string[]]

function userInfo(user: SandboxUser, scopes: string[]): Record<string, string> {
  const guarded: Field[] = [
    ['email', user.email, ['contact:user.email:readonly']],
    ['enterprise_email', user.email, ['contact:user.email:readonly']],
    ['mobile', user.mobile, ['contact:user.phone:readonly']],
    ['user_id', user.userId, ['contact:user.employee_id:readonly']],
    ['employee_no', user.employeeNo, ['contact:user.employee:readonly']],
  ]
  const allowed = guarded.filter(([, , anyOf]) => !lacksAll(scopes, anyOf))
  return {
    name: user.name,
    en_name: user.enName,
    avatar_url: user.avatarUrl,
    avatar_thumb: user.avatarUrl,
    avatar_middle: user.avatarUrl,
    avatar_big: user.avatarUrl,
    open_id: user.openId,
    union_id: user.unionId,
    tenant_key: user.tenantKey,
    ...Object.fromEntries(allowed.map(([name, value]) => [name, value])),
  }
}

/** `GET …/user_info`: who the user access token belongs to. */
export function handleUserInfo(call: Call): Answer {
  const caller = checkToken(call)
  if ('status' in caller) return caller
  if (!caller.token) return apiError(call, 99991663)
  const user = call.state.users.get(caller.token.authorization.openId)
  if (!user || user.status === 'deleted') return apiError(call, 20008)
  if (user.status === 'resigned') return apiError(call, 20021)
  if (user.status === 'frozen') return apiError(call, 20022)
  return json(200, { code: 0, msg: 'success', data: userInfo(user, caller.token.scopes) })
}

/** `POST …/tenant_access_token/internal`: the app's own token for its id and secret. */
export function handleTenantToken(call: Call): Answer {
  const { state, fields } = call
  const app = state.apps.get(fields?.app_id ?? '')
  if (!app) return apiError(call, 10003)
  if (app.appSecret !== fields?.app_secret) return apiError(call, 10014)
  const token = issueTenantToken(state, app.appId)
  return json(200, { code: 0, msg: 'ok', tenant_access_token: token.value, expire: token.expiresIn })
}

/** A protected API: any one of the scopes is enough; `data` is what it answers. */
export type SampleApi = {
  method: 'GET' | 'POST'
  path: RegExp
  anyOf: string[]
  data: (call: Call) => unknown
}

/** A few real addresses with answers just good enough for a client to go on. */
export const SAMPLE_APIS: readonly SampleApi[] = [
  {
    method: 'GET',
    path: /^\/open-apis\/docx\/v1\/documents\/[^/]+\/raw_content$/,
    anyOf: ['docx:document', 'docx:document:readonly'],
    data: (call) => {
      const id = call.path.split('/')[5] ?? ''
      return { content: call.state.documents.get(id)?.markdown ?? `Feishu sandbox document ${id}\n` }
    },
  },
  {
    method: 'POST',
    path: /^\/open-apis\/docx\/v1\/documents$/,
    anyOf: ['docx:document', 'docx:document:create'],
    data: () => ({ document: { document_id: 'doxcnSandbox0000000000000001', revision_id: 1, title: '' } }),
  },
  {
    method: 'GET',
    path: /^\/open-apis\/drive\/v1\/files$/,
    anyOf: ['drive:drive', 'drive:drive:readonly'],
    data: () => ({ files: [], has_more: false }),
  },
  {
    method: 'POST',
    path: /^\/open-apis\/suite\/docs-api\/search\/object$/,
    anyOf: ['search:docs:read', 'drive:drive', 'drive:drive:readonly'],
    data: () => ({ docs_entities: [], has_more: false, total: 0 }),
  },
  {
    method: 'POST',
    path: /^\/open-apis\/im\/v1\/messages$/,
    anyOf: ['im:message', 'im:message:send_as_bot'],
    data: () => ({ message_id: 'om_sandbox0000000000000000000001', msg_type: 'text' }),
  },
  {
    method: 'GET',
    path: /^\/open-apis\/task\/v2\/tasks$/,
    anyOf: ['task:task:read', 'task:task:write'],
    data: () => ({ items: [], has_more: false }),
  },
]

/** One sample API, behind the gateway's checks. */
export function handleSampleApi(call: Call, api: SampleApi): Answer {
  const caller = checkToken(call)
  if ('status' in caller) return caller
  return (
    findScopeError(call, caller, api.anyOf) ?? json(200, { code: 0, msg: 'success', data: api.data(call) })
  )
}
