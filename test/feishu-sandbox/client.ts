// The plainest client there is, for the sandbox's own tests: it shows every byte and hides no mistake.

import { createHash, randomBytes } from 'node:crypto'
import { exchange, type HttpResult } from './http-client.ts'
import type { Sandbox } from './sandbox.ts'
import type { Endpoint } from './state.ts'

export type Reply = HttpResult & { json: Record<string, unknown> }

export type Fields = Record<string, string | undefined>

const PATHS = { v2: '/open-apis/authen/v2/oauth/token', v3: '/oauth/v3/token' }

function present(fields: Fields): [string, string][] {
  return Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined)
}

/** `undefined` leaves a parameter out. */
export function authorizationUrl(sandbox: Sandbox, changes: Fields = {}): string {
  const parameters = {
    client_id: sandbox.app.appId,
    response_type: 'code',
    redirect_uri: 'http://localhost:9000/callback',
    scope: 'auth:user.id:read docx:document offline_access',
    state: 'xyz',
    ...changes,
  }
  return `${sandbox.url}/open-apis/authen/v1/authorize?${new URLSearchParams(present(parameters))}`
}

/** Posts text fields as a form, or as JSON. */
export async function post(
  url: string,
  fields: Fields,
  { as = 'form', headers = {} }: { as?: 'form' | 'json'; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const form = new URLSearchParams(present(fields)).toString()
  const result = await exchange(url, {
    method: 'POST',
    headers: {
      'content-type': as === 'form' ? 'application/x-www-form-urlencoded' : 'application/json; charset=utf-8',
      ...headers,
    },
    body: as === 'form' ? form : JSON.stringify(Object.fromEntries(present(fields))),
  })
  return { ...result, json: parse(result.body) }
}

export async function get(url: string, token?: string): Promise<Reply> {
  const result = await exchange(url, { headers: token ? { authorization: `Bearer ${token}` } : {} })
  return { ...result, json: parse(result.body) }
}

function parse(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body)
  } catch {
    return {}
  }
}

function credentials(sandbox: Sandbox): Fields {
  return { client_id: sandbox.app.appId, client_secret: sandbox.app.appSecret }
}

/** Sends a request to the token endpoint with the default app's credentials. */
export function token(sandbox: Sandbox, fields: Fields, endpoint: Endpoint = 'v2'): Promise<Reply> {
  return post(sandbox.url + PATHS[endpoint], { ...credentials(sandbox), ...fields }, { as: 'json' })
}

export function exchangeCode(
  sandbox: Sandbox,
  code: string,
  changes: Fields = {},
  endpoint?: Endpoint,
): Promise<Reply> {
  return token(sandbox, { grant_type: 'authorization_code', code, ...changes }, endpoint)
}

export function refresh(
  sandbox: Sandbox,
  refreshToken: unknown,
  changes: Fields = {},
  endpoint?: Endpoint,
): Promise<Reply> {
  const fields = { grant_type: 'refresh_token', refresh_token: String(refreshToken), ...changes }
  return token(sandbox, fields, endpoint)
}

/** Approves and returns the code. */
export async function obtainCode(sandbox: Sandbox, changes: Fields = {}): Promise<string> {
  const location = await sandbox.approve(authorizationUrl(sandbox, changes))
  return new URL(location).searchParams.get('code') ?? ''
}

/** A verifier with its S256 parameters for the authorization request (RFC 7636 §4). */
export function pkce(): { verifier: string; parameters: Fields } {
  const verifier = randomBytes(32).toString('base64url')
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  return { verifier, parameters: { code_challenge: challenge, code_challenge_method: 'S256' } }
}

export function userInfo(sandbox: Sandbox, accessToken?: string): Promise<Reply> {
  return get(`${sandbox.url}/open-apis/authen/v1/user_info`, accessToken)
}
