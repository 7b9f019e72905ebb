// Ends what a person granted: at Feishu, and here.

import { type App, resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import {
  cancelledOutcome,
  decodePending,
  encodePending,
  type PendingAuthorization,
  withOutcome,
} from '../oauth/pending-authorization.ts'
import { isRevoked, revocationRequest } from '../oauth/revocation.ts'
import { decodeRecord, type TokenRecord, type TokenSet, withheld } from '../oauth/token-set.ts'
import { say } from '../sentence.ts'
import { LOCK_MS, type LockedProfile } from '../store/token-store.ts'
import { isRenamed } from './move.ts'

export type LogoutAnswer = { status: 'logged_out'; profile: string; revoked: boolean }

/** What `--json` prints, and whether there was a token at all. */
export type Logout = { answer: LogoutAnswer; hadToken: boolean }

/** Revocation is a courtesy to Feishu: a few seconds are enough. */
const REVOKE_MS = 5_000

/**
 * Revokes the token set at Feishu if possible, then deletes it, and what is pending; the generation counter stays.
 * `force`: also one that an interrupted move left half way, wherever it may be in force.
 */
export async function logout(
  deps: Deps,
  profile: string,
  { force = false }: { force?: boolean } = {},
): Promise<Logout> {
  const app = await resolveApp(deps, profile)
  return deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const { generation, tokenSet } = await locked.read()
    // One that cannot be opened can be answered by no one.
    const pending = decodePending(await locked.readPending().catch(() => null))
    const renamed = tokenSet !== null && !force && (await isRenamed(deps.store, app.id, tokenSet))
    deps.closing.throwIfAborted()
    if (tokenSet && !renamed) {
      // First: killed after the revocation, no one is told that the token is valid.
      const now = deps.clock.now()
      const marked = { ...withheld(tokenSet, { reason: 'logout', at: now }), accessTokenExpiresAt: now }
      await commit(deps, locked, { generation, tokenSet: marked }, generation)
    }
    const grants = grantsOf(renamed ? null : tokenSet, pending)
    const revoked: boolean[] = []
    for (const grant of grants) revoked.push(await revoke(deps, app, grant))
    if (tokenSet) await commit(deps, locked, { generation: generation + 1, tokenSet: null }, generation)
    if (pending && !pending.outcome) {
      const outcome = cancelledOutcome(deps.clock.now())
      await locked.writePending(encodePending(withOutcome(pending, outcome, 'closing')))
    }
    const hadToken = grants.length > 0
    return {
      answer: { status: 'logged_out', profile, revoked: hadToken && revoked.every(Boolean) },
      hadToken,
    }
  })
}

/** What is stored, and what a login has brought that was killed before it was over. */
function grantsOf(stored: TokenSet | null, pending: PendingAuthorization | null): TokenSet[] {
  const brought = decodeRecord(pending?.tokens ?? {})?.tokenSet ?? null
  const value = (tokenSet: TokenSet) => (tokenSet.refreshToken ?? tokenSet.accessToken)?.reveal()
  const same = stored && brought && value(stored) === value(brought)
  return [stored, same ? null : brought].filter((tokenSet) => tokenSet !== null)
}

async function commit(
  deps: Deps,
  locked: LockedProfile,
  record: TokenRecord,
  expected: number,
): Promise<void> {
  if (await locked.commit(record, expected)) return
  const { tokenDir } = deps.config
  throw new CodedError('store_not_writable', say`The token could not be deleted from the disk.`, {
    nextStep: say`Free some disk space or fix the permissions of ${tokenDir}, then log out again.`,
  })
}

async function revoke(deps: Deps, app: App, { refreshToken, accessToken }: TokenSet): Promise<boolean> {
  const value = refreshToken ?? accessToken
  if (!value) return false
  const token = { value, hint: refreshToken ? 'refresh_token' : 'access_token' } as const
  const options = { deadlineMs: REVOKE_MS, account: { key: app.key, forced: false } }
  return isRevoked(await deps.request(revocationRequest(app.endpoints.revoke, app.client, token, options)))
}
