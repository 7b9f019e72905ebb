// Other programs pull the token: `token` prints it, `exec` hands it to its child.

import { resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import type { TokenRecord } from '../oauth/token-set.ts'
import { refreshToken } from '../refresh/refresh.ts'
import { call, say } from '../sentence.ts'

/** A record whose access token can be used; one that is due is refreshed first, or given as it is while it lives. */
export async function pullRecord(
  deps: Deps,
  profile: string,
): Promise<{ record: TokenRecord; problem: CodedError | null }> {
  try {
    return { record: (await refreshToken(deps, { profile, force: false })).record, problem: null }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    const app = await resolveApp(deps, profile)
    const record = await deps.store.read(app.id).catch(() => null)
    if (!record || deps.clock.remainingMs(record, app.key) <= 0) throw error
    return { record, problem: error }
  }
}

/** The access token of a record, in clear. */
export function revealAccessToken(record: TokenRecord): string {
  const accessToken = record.tokenSet?.accessToken?.reveal()
  if (accessToken !== undefined) return accessToken
  throw new CodedError('unexpected_response', say`Feishu gave no access token at the last refresh.`, {
    nextStep: say`${call('refresh_token', { force: true })}.`,
  })
}
