// Moves profiles from one store to another. A refresh token in two stores would be spent twice, so it leaves the one as
// soon as the other has it; both locks are held meanwhile. What a crash interrupts, the same call completes.

import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { type TokenSet, withheld } from '../oauth/token-set.ts'
import type { ProfileId } from '../profile.ts'
import { Secret } from '../secret.ts'
import { type Sentence, say } from '../sentence.ts'
import { parseAddress } from '../store/postgres/address.ts'
import type { LockedProfile, TokenStore } from '../store/token-store.ts'

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

type App = Omit<ProfileId, 'profile'>
type KeptApp = { app_id: string; brand: App['brand'] }

/** All apps that are known here. */
async function knownApps({ config, store }: Deps): Promise<App[]> {
  const apps = new Map<string, App>()
  const add = (app: App) => apps.set(`${app.brand}-${app.appId}`, app)
  const given = config.app ?? config.fallbackApp
  if (given) add({ brand: config.brand, appId: given.appId })
  for (const app of Object.values(((await store.readApps()) ?? {}) as Record<string, KeptApp>)) {
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
    for (const name of names) {
      const row = { profile: name, app_id: app.appId, generation: null, error: null }
      try {
        const generation = await moveProfile(from, to, { ...app, profile: name })
        rows.push({ ...row, status: generation === null ? 'empty' : 'moved', generation })
      } catch (error) {
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
async function moveProfile(from: TokenStore, to: TokenStore, id: ProfileId): Promise<number | null> {
  const held = await from.holdAuthorization(id)
  if (held?.kind !== 'held') {
    throw new CodedError(
      'store_locked',
      say`Process ${held?.pid ?? say`unknown`} waits for the approval of "${id.profile}".`,
      {
        nextStep: say`Finish that authorization or cancel it, then copy again.`,
      },
    )
  }
  try {
    return await from.withLock(id, 0, (source) => to.withLock(id, 0, (target) => move(id, source, target)))
  } finally {
    held.release()
  }
}

async function move(id: ProfileId, source: LockedProfile, target: LockedProfile): Promise<number | null> {
  const { tokenSet: stored, generation } = await source.read()
  if (!stored) return null
  const leaves = stored.refusal?.reason === 'leaving' && stored.refusal.renamedTo === undefined
  const tokenSet = leaves ? { ...stored, refusal: null } : stored
  const { refreshToken } = tokenSet
  if (refreshToken && (await source.presentations(refreshToken)).ambiguous > 0) {
    throw refusal(
      say`The last refresh of "${id.profile}" was interrupted`,
      say`Refresh it where it is first, then copy again`,
    )
  }
  const there = await target.read()
  const arrived =
    there.tokenSet && (isSame(there.tokenSet, tokenSet) || (leaves && isLater(there.tokenSet, tokenSet)))
  if (there.tokenSet && !arrived) {
    throw refusal(
      say`There is another token set of "${id.profile}" in the store that was to get it`,
      say`Log it out there first`,
    )
  }
  // First: killed between the two stores, no one presents what is in both of them.
  const marked = leaves ? stored : withheld(tokenSet, { reason: 'leaving', at: tokenSet.issuedAt })
  if (!(await source.commit({ generation, tokenSet: marked }, generation)))
    throw notLetGo(say`"${id.profile}" was not moved: its old store could not be written.`)
  const next = there.tokenSet ? there.generation : Math.max(generation, there.generation + 1)
  if (!there.tokenSet && !(await target.commit({ generation: next, tokenSet }, there.generation))) {
    throw new CodedError('store_not_writable', say`"${id.profile}" could not be written to its new store.`, {
      nextStep: say`Run the same command again when that store can be written.`,
    })
  }
  if (!(await source.commit({ generation: generation + 1, tokenSet: null }, generation))) {
    throw notLetGo(say`"${id.profile}" is in its new store, and could not be removed from its old one.`)
  }
  return next
}

/** The same authorization, refreshed since: an earlier copy was interrupted, and the new store is in use. */
function isLater(there: TokenSet, here: TokenSet): boolean {
  return there.authorizedAt === here.authorizedAt && there.issuedAt > here.issuedAt
}

/** An earlier copy was interrupted after the one store had it and before the other let go of it. */
function isSame(there: TokenSet, here: TokenSet): boolean {
  return (
    there.refreshToken?.reveal() === here.refreshToken?.reveal() &&
    there.accessToken?.reveal() === here.accessToken?.reveal()
  )
}

function notLetGo(why: Sentence): CodedError {
  return new CodedError('store_not_writable', why, {
    nextStep: say`Run the same command again when that store can be written.`,
  })
}

function refusal(why: Sentence, fix: Sentence): CodedError {
  return new CodedError('config_invalid', say`${why}; it was not moved.`, { nextStep: say`${fix}.` })
}
