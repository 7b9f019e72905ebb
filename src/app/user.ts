// Whose access token it is.

import type { Deps } from '../deps.ts'
import type { User } from '../oauth/token-set.ts'
import { processUserInfo, userInfoRequest } from '../oauth/user-info.ts'
import type { Secret } from '../secret.ts'
import type { App } from './app.ts'

/** One small request to Feishu's own host. */
const DEADLINE_MS = 5_000

/** A second attempt with less time than this is none. */
const SHORTEST_MS = 1_000

/**
 * Asks Feishu whose access token it is.
 *
 * @returns null when Feishu refuses the token
 * @throws CodedError when there is no usable answer
 */
export async function fetchUser(deps: Deps, app: App, accessToken: Secret): Promise<User | null> {
  const startedAt = deps.clock.elapsed()
  const account = { key: app.key, forced: false }
  const ask = (deadlineMs: number) =>
    deps.request(userInfoRequest(app.endpoints, accessToken, { deadlineMs, account }))
  let answer = await ask(DEADLINE_MS)
  const left = DEADLINE_MS - (deps.clock.elapsed() - startedAt)
  // One connection that fails must not make a person approve again.
  const again = answer.kind === 'failure' && answer.error.code === 'network_error' && left > SHORTEST_MS
  if (again) answer = await ask(left)
  return processUserInfo(answer, { endpoints: app.endpoints, appId: app.id.appId })
}
