// Other programs pull the token: `token` prints it, `exec` hands it to its child.

import { resolveApp } from '../app/app.ts'
import type { Deps, RefreshResult } from '../deps.ts'
import { CodedError } from '../errors.ts'
import type { TokenRecord } from '../oauth/token-set.ts'
import { refreshToken } from '../refresh/refresh.ts'
import { call, say } from '../sentence.ts'

/** A record whose access token can be used; one that is due is refreshed first, or given as it is while it lives. */
export async function pullRecord(
  deps: Deps,
  profile: string,
): Promise<Pick<RefreshResult, 'record' | 'remainingMs'> & { problem: CodedError | null }> {
  try {
    return { ...(await refreshToken(deps, { profile, force: false })), problem: null }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    const app = await resolveApp(deps, profile)
    const record = await deps.store.read(app.id).catch(() => null)
    const remainingMs = record ? deps.clock.remainingMs(record, app.key) : 0
    if (!record || remainingMs <= 0) throw error
    return { record, remainingMs, problem: error }
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
