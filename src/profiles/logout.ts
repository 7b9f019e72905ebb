import { type App, resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { isRevoked, revocationRequest } from '../oauth/revocation.ts'
import type { TokenSet } from '../oauth/token-set.ts'
import { say } from '../sentence.ts'
import { LOCK_MS } from '../store/token-store.ts'

export type LogoutAnswer = { status: 'logged_out'; profile: string; revoked: boolean }

/** What `--json` prints, and whether there was a token at all. */
export type Logout = { answer: LogoutAnswer; hadToken: boolean }

/** Revocation is a courtesy to Feishu: a few seconds are enough. */
const REVOKE_MS = 5_000

/** Revokes the token set at Feishu if possible, then deletes it; the generation counter stays. */
export async function logout(deps: Deps, profile: string): Promise<Logout> {
  const app = await resolveApp(deps, profile)
  return deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const { generation, tokenSet } = await locked.read()
    const ended = (revoked: boolean): LogoutAnswer => ({ status: 'logged_out', profile, revoked })
    if (!tokenSet) return { answer: ended(false), hadToken: false }
    deps.closing.throwIfAborted()
    const revoked = await revoke(deps, app, tokenSet)
    if (!(await locked.commit({ generation: generation + 1, tokenSet: null }, generation))) {
      throw new CodedError(
        'store_not_writable',
        say`The token of "${profile}" could not be deleted from the disk.`,
        {
          nextStep: say`Make room or mend the permissions of ${deps.config.tokenDir}, then log out again.`,
        },
      )
    }
    return { answer: ended(revoked), hadToken: true }
  })
}

async function revoke(deps: Deps, app: App, { refreshToken, accessToken }: TokenSet): Promise<boolean> {
  const value = refreshToken ?? accessToken
  if (!value) return false
  const token = { value, hint: refreshToken ? 'refresh_token' : 'access_token' } as const
  const options = { deadlineMs: REVOKE_MS, account: { key: app.key, forced: false } }
  return isRevoked(await deps.request(revocationRequest(app.endpoints.revoke, app.client, token, options)))
}
