// Whether an app's credentials are right: the requests that tell, and what their answers say.

import type { Brand } from '../profile.ts'
import type { Secret } from '../secret.ts'
import { feishuCodeOf, parseObject } from './answer.ts'
import type { Endpoints } from './feishu.ts'
import { CREDENTIALS_WRONG } from './feishu-numbers.ts'
import type { HttpAnswer, HttpRequest } from './http.ts'

export type NewApp = { brand: Brand; appId: string; appSecret: Secret; endpoints: Endpoints }

/** Feishu's own hosts answer in well under a second. */
export const CHECK_MS = 8_000

/** What an answer says about the credentials; null: nothing. */
export function verdictOf(answer: HttpAnswer): boolean | null {
  if (answer.kind === 'failure') return null
  const json = parseObject(answer.body)
  const code = feishuCodeOf(json)
  if (CREDENTIALS_WRONG.includes(code ?? 0) || json?.error === 'invalid_client') return false
  if (code === 0 && typeof json?.tenant_access_token === 'string') return true
  return typeof json?.device_code === 'string' ? true : null
}

/** The requests that tell, the surest first: a tenant token, then an authorization request that no one will answer. */
export function probes({ appId, appSecret, endpoints }: NewApp): HttpRequest[] {
  const secret = appSecret.reveal()
  // Not the App ID: it is in no record before Feishu has said that it is one.
  const account = { key: 'setup', forced: false }
  const post = { method: 'POST', deadlineMs: CHECK_MS, account } as const
  return [
    {
      ...post,
      url: `${endpoints.open}/open-apis/auth/v3/tenant_access_token/internal`,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify({ app_id: appId, app_secret: secret }),
    },
    {
      ...post,
      url: endpoints.deviceAuthorization,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(`${appId}:${secret}`).toString('base64')}`,
      },
      body: new URLSearchParams({ client_id: appId, scope: 'auth:user.id:read' }).toString(),
    },
  ]
}
