// Ending a grant (RFC 7009, at Feishu's undocumented endpoint).

import type { Secret } from '../secret.ts'
import { feishuCodeOf, parseObject } from './answer.ts'
import type { ClientCredentials, HttpAnswer, HttpRequest, RequestOptions } from './http.ts'

/** The revocation request; with the refresh token the whole grant ends. */
export function revocationRequest(
  url: string,
  client: ClientCredentials,
  token: { value: Secret; hint: 'refresh_token' | 'access_token' },
  options: RequestOptions,
): HttpRequest {
  const body = new URLSearchParams({
    client_id: client.appId,
    client_secret: client.appSecret.reveal(),
    token: token.value.reveal(),
    token_type_hint: token.hint,
  })
  return {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: body.toString(),
    ...options,
  }
}

/** Whether the grant has ended: Feishu answers with nothing, or with code 0. */
export function isRevoked(answer: HttpAnswer): boolean {
  if (answer.kind === 'failure' || answer.status < 200 || answer.status > 299) return false
  return answer.body.toString().trim() === '' || feishuCodeOf(parseObject(answer.body)) === 0
}
