import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { logIdOf } from '../oauth/answer.ts'
import { untrusted } from '../oauth/feishu.ts'
import { consoleUrl, feishuError } from '../oauth/feishu-errors.ts'
import type { User } from '../oauth/token-set.ts'
import type { Secret } from '../secret.ts'
import type { App } from './app.ts'

/** One small request to Feishu's own host. */
const DEADLINE_MS = 5_000

/** A second attempt with less time than this is none. */
const SHORTEST_MS = 1_000

/** Feishu says that the access token is expired, revoked or unknown. */
const REFUSALS = [99991668, 99991677, 99991663, 99991671, 20005, 20008, 20021, 20022, 20023]

/**
 * Asks Feishu whose access token it is (`user_info`; needs no scope).
 *
 * @returns null when Feishu refuses the token
 * @throws CodedError when there is no usable answer
 */
export async function fetchUser(deps: Deps, app: App, accessToken: Secret): Promise<User | null> {
  const startedAt = deps.clock.elapsed()
  const ask = (deadlineMs: number) =>
    deps.request({
      method: 'GET',
      url: app.endpoints.userInfo,
      headers: { authorization: `Bearer ${accessToken.reveal()}`, accept: 'application/json' },
      body: null,
      deadlineMs,
      account: { key: app.key, forced: false },
    })
  let answer = await ask(DEADLINE_MS)
  const left = DEADLINE_MS - (deps.clock.elapsed() - startedAt)
  // One connection that fails must not make a person approve again.
  const again = answer.kind === 'failure' && answer.error.code === 'network_error' && left > SHORTEST_MS
  if (again) answer = await ask(left)
  if (answer.kind === 'failure') throw answer.error
  let json: { code?: unknown; data?: { open_id?: unknown; name?: unknown } } | null = null
  try {
    json = JSON.parse(answer.body.toString('utf8'))
  } catch {
    // Told below.
  }
  const code = Number(json?.code ?? Number.NaN)
  if (REFUSALS.includes(code)) return null
  const openId = json?.data?.open_id
  if (code === 0 && typeof openId === 'string' && /^[\w-]{1,128}$/.test(openId)) {
    return { openId, name: untrusted(json?.data?.name) }
  }
  throw noPerson(app, answer, code)
}

function noPerson(
  app: App,
  { status, headers }: { status: number; headers: Record<string, string> },
  code: number,
): CodedError {
  const known = feishuError(code)
  const said = Number.isSafeInteger(code) && code !== 0 ? `${code} (HTTP ${status})` : `HTTP ${status}`
  const url = known && consoleUrl(known, { open: app.endpoints.open, appId: app.id.appId, scopes: [] })
  return new CodedError(
    'unexpected_response',
    `user_info answered ${said} without a person${known ? `: ${known.cause.en}` : ''}.`,
    {
      nextStep: known ? `${known.remedy.en}${url ? `: ${url}` : ''}.` : 'Try again in a minute.',
      feishuCode: Number.isSafeInteger(code) ? code : null,
      logId: logIdOf(headers),
    },
  )
}
