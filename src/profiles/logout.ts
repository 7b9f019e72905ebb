import { type App, resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import type { Secret } from '../secret.ts'
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
    const token = tokenSet.refreshToken ?? tokenSet.accessToken
    const hint = tokenSet.refreshToken ? 'refresh_token' : 'access_token'
    const revoked = token !== null && (await revoke(deps, app, token, hint))
    if (!(await locked.commit({ generation: generation + 1, tokenSet: null }, generation))) {
      throw new CodedError(
        'store_not_writable',
        `The token of "${profile}" could not be deleted from the disk.`,
        {
          nextStep: `Make room or mend the permissions of ${deps.config.tokenDir}, then log out again.`,
        },
      )
    }
    return { answer: ended(revoked), hadToken: true }
  })
}

/** Revokes a token (RFC 7009, at Feishu's undocumented endpoint): with the refresh token the whole grant ends. */
async function revoke(deps: Deps, app: App, token: Secret, hint: string): Promise<boolean> {
  const body = new URLSearchParams({
    client_id: app.client.appId,
    client_secret: app.client.appSecret.reveal(),
    token: token.reveal(),
    token_type_hint: hint,
  })
  const answer = await deps.request({
    method: 'POST',
    url: app.endpoints.revoke,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: body.toString(),
    deadlineMs: REVOKE_MS,
    account: { key: app.key, forced: false },
  })
  if (answer.kind === 'failure' || answer.status < 200 || answer.status > 299) return false
  const text = answer.body.toString('utf8').trim()
  return text === '' || /^\{\s*"code"\s*:\s*"?0"?\s*[,}]/.test(text)
}
