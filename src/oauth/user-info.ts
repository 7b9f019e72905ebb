// Whose access token it is: `user_info`, which needs no scope.

import { CodedError } from '../errors.ts'
import type { Secret } from '../secret.ts'
import { say } from '../sentence.ts'
import { feishuCodeOf, logIdOf, parseObject } from './answer.ts'
import { type Endpoints, untrusted } from './feishu.ts'
import { consoleUrl, feishuError } from './feishu-errors.ts'
import { ACCESS_TOKEN_REFUSED, PERSON_GONE, WRONG_TOKEN_KIND } from './feishu-numbers.ts'
import type { HttpAnswer, HttpRequest, RequestOptions } from './http.ts'
import type { User } from './token-set.ts'

export function userInfoRequest(
  endpoints: Endpoints,
  accessToken: Secret,
  options: RequestOptions,
): HttpRequest {
  return {
    method: 'GET',
    url: endpoints.userInfo,
    headers: { authorization: `Bearer ${accessToken.reveal()}`, accept: 'application/json' },
    body: null,
    ...options,
  }
}

const NO_PERSON = [...ACCESS_TOKEN_REFUSED, ...WRONG_TOKEN_KIND, ...PERSON_GONE]

/**
 * Reads the answer.
 *
 * @returns null when Feishu refuses the token, or does not know its person any more
 * @throws CodedError when there is no usable answer
 */
export function processUserInfo(
  answer: HttpAnswer,
  { endpoints, appId }: { endpoints: Endpoints; appId: string },
): User | null {
  if (answer.kind === 'failure') throw answer.error
  const json = parseObject(answer.body)
  const code = feishuCodeOf(json)
  if (code !== null && NO_PERSON.includes(code)) return null
  const { open_id: openId, name } = (json?.data ?? {}) as { open_id?: unknown; name?: unknown }
  if (code === 0 && typeof openId === 'string' && /^[\w-]{1,128}$/.test(openId)) {
    return { openId, name: untrusted(name) }
  }
  const known = feishuError(code ?? 0)
  const said = code ? `${code} (HTTP ${answer.status})` : `HTTP ${answer.status}`
  const url = known && consoleUrl(known, { open: endpoints.open, appId, scopes: [] })
  throw new CodedError(
    'unexpected_response',
    say`user_info answered ${said} without a person${known ? say`: ${known.cause}` : ''}.`,
    {
      nextStep: known ? say`${known.remedy}${url ? say`: ${url}` : ''}.` : say`Try again in a minute.`,
      feishuCode: code,
      logId: logIdOf(answer.headers),
    },
  )
}
