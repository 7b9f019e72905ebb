// Moves profiles from one store to another.

import { readKeptApps } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError, errorAbout } from '../errors.ts'
import type { AppKey, ProfileId } from '../profile.ts'
import { Secret } from '../secret.ts'
import { type Sentence, say } from '../sentence.ts'
import { parseAddress } from '../store/postgres/address.ts'
import type { TokenStore } from '../store/token-store.ts'
import { moveRecord, withoutPending } from './move.ts'

export type Copied = {
  profile: string
  app_id: string
  /** `empty`: there was no token to move. */
  status: 'moved' | 'empty' | 'failed'
  generation: number | null
  error: Sentence | null
}

/**
 * Opens the store of a name: `file`, `postgres` (the address in FEISHU_TOKEN_STORE), or an address.
 *
 * @throws CodedError `config_invalid`; an address may hold a password, and is not shown
 */
export async function openNamedStore(deps: Deps, name: string): Promise<TokenStore> {
  const { config, store } = deps
  if (name === 'file') return config.store ? deps.openStore(null) : store
  if (name === 'postgres' && config.store) return store
  if (parseAddress(name)) return deps.openStore(new Secret(name))
  throw new CodedError('config_invalid', say`A store is file, postgres, or postgres://USER@HOST/DATABASE.`, {
    nextStep: say`Set FEISHU_TOKEN_STORE to the address that "postgres" means.`,
  })
}

/** All apps that are known here. */
async function knownApps(deps: Deps): Promise<AppKey[]> {
  const { config } = deps
  const apps = new Map<string, AppKey>()
  const add = (app: AppKey) => apps.set(`${app.brand}-${app.appId}`, app)
  const given = config.app ?? config.fallbackApp
  if (given) add({ brand: config.brand, appId: given.appId })
  for (const app of Object.values(await readKeptApps(deps))) {
    add({ brand: app.brand, appId: app.app_id })
  }
  return [...apps.values()]
}

/**
 * Moves the profiles of all known apps, or the one that is named, without spending anything.
 *
 * @throws CodedError when nothing could be moved, the reason of the first failure
 */
export async function copyProfiles(
  deps: Deps,
  { from, to, profile }: { from: TokenStore; to: TokenStore; profile: string | null },
): Promise<Copied[]> {
  const rows: Copied[] = []
  let problem: CodedError | null = null
  for (const app of await knownApps(deps)) {
    const names = (await from.profileNames(app)).filter((name) => profile === null || name === profile)
    // Then these are only the names of what this machine has seen.
    const away = from.outage()
    if (away) throw away
    for (const name of names) {
      const row = { profile: name, app_id: app.appId, generation: null, error: null }
      try {
        const generation = await moveProfile(deps, from, to, { ...app, profile: name })
        rows.push({ ...row, status: generation === null ? 'empty' : 'moved', generation })
      } catch (thrown) {
        const error = errorAbout(name, thrown)
        if (!(error instanceof CodedError)) throw error
        problem ??= error
        rows.push({ ...row, status: 'failed', error: say`${error.said} ${error.step}` })
      }
    }
  }
  await Promise.all([from.flush(), to.flush()])
  if (problem && rows.every(({ status }) => status === 'failed')) throw problem
  return rows
}

/** Resolves to the generation in the new place; null: there was nothing. Waits for no one who holds a lock. */
async function moveProfile(
  deps: Deps,
  from: TokenStore,
  to: TokenStore,
  id: ProfileId,
): Promise<number | null> {
  if (!(await from.read(id)).tokenSet) return null
  const place = { store: from, id }
  return withoutPending(deps, place, () => moveRecord(place, { store: to, id }, 0))
}
