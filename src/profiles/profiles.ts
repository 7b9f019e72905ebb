// The profiles of this store: which there are, giving one another name, removing one. Asks Feishu nothing.

import { toTime } from '../answers.ts'
import { type App, type KeptApps, knownProfiles, profileNames, readKeptApps, resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError, errorAbout } from '../errors.ts'
import { moveGatewayKeys } from '../hand-over/gateway-keys.ts'
import { accessTokenEndsAt, reauthorizeBy } from '../oauth/token-set.ts'
import { type Brand, DEFAULT_PROFILE, PROFILE_NAME } from '../profile.ts'
import { type Sentence, say, shown } from '../sentence.ts'
import type { Status } from '../status/fields.ts'
import { readStatus } from '../status/profile-statuses.ts'
import { LOCK_MS } from '../store/token-store.ts'
import { moveRecord, occupied, withoutPending } from './move.ts'

/** One line of `profile list`, in the names of `token_status`. */
export type ProfileRow = {
  profile: string
  status: Status
  brand: Brand | null
  app_id: string | null
  user_name: string | null
  user_open_id: string | null
  access_token_expires_at: string | null
  reauthorize_by: string | null
}

/** All profiles with their status, `own` first. */
export async function profileRows(deps: Deps, own: string): Promise<ProfileRow[]> {
  const rows: ProfileRow[] = []
  const apps = await readKeptApps(deps).catch(() => null)
  for (const profile of await profileNames(deps, own, apps ?? {})) {
    const { status, app, record } = await readStatus(deps, profile, apps)
    const tokenSet = record?.tokenSet ?? null
    rows.push({
      profile,
      status,
      brand: app?.id.brand ?? null,
      app_id: app?.id.appId ?? null,
      user_name: tokenSet?.user?.name ?? null,
      user_open_id: tokenSet?.user?.openId ?? null,
      access_token_expires_at: toTime(tokenSet && accessTokenEndsAt(tokenSet)),
      reauthorize_by: toTime(tokenSet && reauthorizeBy(tokenSet)),
    })
  }
  return rows
}

/**
 * Removes a profile: its record, what is pending, and the credentials of an app of its own. Revokes nothing, so a
 * stored token set, or one that cannot be read, is removed only with `force`.
 */
export async function removeProfile(
  deps: Deps,
  { profile, force }: { profile: string; force: boolean },
): Promise<{ heldToken: boolean }> {
  const apps = await readKeptApps(deps)
  const known = await knownProfiles(deps, apps)
  if (!known.has(profile)) throw unknownProfile(deps, profile)
  const app = await resolveApp(deps, profile, apps)
  const users = [...known].filter((name) => name !== profile && !ownsApp(apps, name))
  if (profile === DEFAULT_PROFILE && ownsApp(apps, profile) && users.length > 0 && !force) {
    throw refusal(
      say`The profiles ${users.sort().join(', ')} use the app of "${profile}"`,
      say`Give them an app of their own first (\`${deps.command} setup --profile NAME\`), or add --force.`,
    )
  }
  const heldToken = await withoutPending(deps, { store: deps.store, id: app.id }, () =>
    removeRecord(deps, app, force),
  )
  if (ownsApp(apps, profile)) await deps.store.updateApps(({ [profile]: _, ...others }) => others)
  return { heldToken }
}

async function removeRecord(deps: Deps, app: App, force: boolean): Promise<boolean> {
  return deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const record = await locked.read().catch((error) => {
      if (!force) throw errorAbout(app.id.profile, error)
      return null
    })
    const heldToken = record === null || record.tokenSet !== null
    if (heldToken && !force) {
      const { profile } = app.id
      throw refusal(
        say`Profile "${profile}" holds a token`,
        say`Run \`${deps.command} logout --profile ${profile}\` first, which revokes it at Feishu; or add --force to delete it here only.`,
      )
    }
    await moveGatewayKeys(deps, app.id.profile, null)
    await locked.remove()
    return heldToken
  })
}

/**
 * Gives a profile another name: its record with its generation, and the credentials of an app of its own. Those of
 * `default` stay as well, because profiles without an app of their own use them. What a crash interrupts, the same
 * call completes.
 */
export async function renameProfile(
  deps: Deps,
  { from, to }: { from: string; to: string },
): Promise<{ generation: number | null }> {
  if (!PROFILE_NAME.test(to))
    throw refusal(
      say`${shown(to)} is not a profile name`,
      say`Use 1 to 64 of a-z, 0-9, ".", "_" and "-", a letter or digit first.`,
    )
  const apps = await readKeptApps(deps)
  if (!(await knownProfiles(deps, apps)).has(from)) throw unknownProfile(deps, from)
  const app = await resolveApp(deps, from, apps)
  const own = ownsApp(apps, from) ? apps[from] : null
  await checkName(deps, app, { from, to, own, apps })
  await checkArrived(deps, app, from)
  const { store } = deps
  const place = { store, id: app.id }
  const there = { store, id: { ...app.id, profile: to } }
  const along = async () => {
    await moveGatewayKeys(deps, from, to)
    if (own) await store.updateApps((others) => ({ ...others, [to]: own }))
  }
  const generation = await withoutPending(deps, place, async () => {
    if ((await store.profileNames(app.id)).includes(from)) return moveRecord(place, there, LOCK_MS, along)
    if ((await store.read(there.id)).tokenSet) throw occupied(to)
    await along()
    return null
  })
  if (own && from !== DEFAULT_PROFILE) await store.updateApps(({ [from]: _, ...others }) => others)
  return { generation }
}

/** Refuses a name that another one was on its way to: that rename, run again, would bring the same token there once more. */
async function checkArrived({ store, command }: Deps, app: App, from: string): Promise<void> {
  for (const profile of await store.profileNames(app.id)) {
    const record = await store.read({ ...app.id, profile }).catch(() => null)
    if (record?.tokenSet?.refusal?.way?.renamedTo !== from) continue
    throw refusal(
      say`Profile "${profile}" was being renamed to "${from}" when that was interrupted`,
      say`Run \`${command} profile rename ${profile} ${from}\` first.`,
    )
  }
}

/** Refuses a name that is taken, and one under which another app would be used than so far. */
async function checkName(
  deps: Deps,
  app: App,
  { from, to, own, apps }: { from: string; to: string; own: unknown; apps: KeptApps },
): Promise<void> {
  const { config, store } = deps
  const taken = refusal(
    say`There is a profile "${to}" already`,
    say`Choose another name, or remove that profile first.`,
  )
  if (from === to) throw taken
  const theirs = ownsApp(apps, to) ? apps[to] : null
  if (theirs && JSON.stringify(theirs) !== JSON.stringify(own)) throw taken
  // Where the environment gives the app, it names the profile too, and will name the new one.
  if (config.app && config.profile === from) return
  const future = await resolveApp(deps, to, apps).catch(() => null)
  const same = future?.id.brand === app.id.brand && future.id.appId === app.id.appId
  if (future && !same && (await store.profileNames(future.id)).includes(to)) throw taken
  if (same || (own && !(config.app && config.profile === to))) return
  throw refusal(
    say`As "${to}" it would use a different app than ${app.id.appId}`,
    say`Run \`${deps.command} setup --profile ${from}\` first, so that the profile has an app of its own.`,
  )
}

function ownsApp(apps: KeptApps, profile: string): boolean {
  return Object.hasOwn(apps, profile)
}

function unknownProfile(deps: Deps, profile: string): CodedError {
  return new CodedError('config_invalid', say`There is no profile ${shown(profile)}.`, {
    nextStep: say`See \`${deps.command} profile list\`.`,
  })
}

function refusal(why: Sentence, nextStep: Sentence): CodedError {
  return new CodedError('config_invalid', say`${why}; nothing was changed.`, { nextStep })
}
