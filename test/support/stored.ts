// The token sets of a profile, put into the store and aged as if by another process.

import { join } from 'node:path'
import { nextTokenSet } from '../../src/oauth/token-response.ts'
import type { TokenRecord, TokenSet } from '../../src/oauth/token-set.ts'
import type { ProfileId } from '../../src/profile.ts'
import { Secret } from '../../src/secret.ts'
import { createFileStore } from '../../src/store/files/file-store.ts'
import { createKeys, type Keys } from '../../src/store/key.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import type { TokenResponse } from '../feishu-sandbox/sandbox.ts'

/** Longer than the lease in a database of a process that was killed. */
const LOCK_MS = 60_000

/** The keys of a folder, each in a file. */
export function fileKeys(directory: string): Keys {
  return createKeys({ directory: join(directory, 'key'), source: 'file', environmentKey: null })
}

/** The file store of a folder, its key in a file, as a process of its own would open it. */
export function openStore(directory: string): TokenStore {
  return createFileStore({ directory, keys: fileKeys(directory), now: Date.now })
}

const BLANK: TokenSet = {
  accessToken: null,
  accessTokenExpiresAt: 0,
  accessTokenLifetimeMs: 0,
  refreshToken: null,
  refreshTokenExpiresAt: null,
  refreshTokenDoubtful: false,
  refusal: null,
  scopes: [],
  requestedScopes: [],
  user: null,
  authorizedAt: 0,
  issuedAt: 0,
  refreshedAt: null,
  endpoint: 'v2',
  authorizationId: null,
  lifetimeAssumed: false,
  clockSkewMs: null,
}

/** Stores a token set that Feishu has just issued. */
export async function storeIssued(
  store: TokenStore,
  id: ProfileId,
  issued: TokenResponse,
  user: { openId: string; name: string },
  now: number,
): Promise<TokenRecord> {
  const scopes = issued.scope.split(' ')
  const response = {
    accessToken: new Secret(issued.access_token),
    accessTokenLifetimeMs: issued.expires_in * 1000,
    refreshToken: issued.refresh_token ? new Secret(issued.refresh_token) : null,
    refreshTokenLifetimeMs: (issued.refresh_token_expires_in ?? 0) * 1000,
    scopes,
    problem: null,
    serverDate: null,
  }
  const person = { openId: user.openId, name: user.name }
  const before = { ...BLANK, requestedScopes: scopes, user: person, authorizedAt: now }
  return store.withLock(id, LOCK_MS, async (locked) => {
    const { generation } = await locked.read()
    const record = { generation: generation + 1, tokenSet: nextTokenSet(response, before, now) }
    await locked.commit(record, generation)
    return record
  })
}

/** Lets the stored access token have `remainingMs` left, by the store's own account; its generation stays. */
export async function age(store: TokenStore, id: ProfileId, remainingMs = -1_000): Promise<TokenRecord> {
  return store.withLock(id, LOCK_MS, async (locked) => {
    const { generation, tokenSet } = await locked.read()
    if (!tokenSet) throw new Error('nothing is stored')
    const record = { generation, tokenSet: { ...tokenSet, accessTokenExpiresAt: Date.now() + remainingMs } }
    await locked.commit(record, generation)
    return record
  })
}
