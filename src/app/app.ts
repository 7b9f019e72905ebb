// Which app a profile belongs to, and with which credentials: the environment, then `setup`, then APP_ID and APP_SECRET.

import type { EnvironmentApp } from '../config/app-settings.ts'
import type { Deps } from '../deps.ts'
import { CodedError, errnoOf } from '../errors.ts'
import { readForeignFile } from '../machine/foreign-file.ts'
import { secretProblem } from '../oauth/app-credentials.ts'
import { type Endpoints, endpointsOf } from '../oauth/feishu.ts'
import type { ClientCredentials } from '../oauth/http.ts'
import { type Brand, DEFAULT_PROFILE, PROFILE_NAME, type ProfileId } from '../profile.ts'
import { Secret } from '../secret.ts'
import { call, clause, type Sentence, say, toolsOnly } from '../sentence.ts'

export type App = {
  id: ProfileId
  /** Names the profile in maps and records. */
  key: string
  client: ClientCredentials
  endpoints: Endpoints
}

type KeptApp = { app_id: string; app_secret: string; brand: Brand }
/** What `setup` kept, by profile. */
export type KeptApps = Readonly<Record<string, KeptApp>>

const CREATE = say`${call('start_authorization', { create_app: true })}, so that Feishu creates it (its own flow, not in its
  public documentation), or `

/** An App Secret has 32 characters; a file that is much larger is not one. */
const MAX_SECRET_BYTES = 4096

function secretOf(app: EnvironmentApp): Secret {
  if (app.secret instanceof Secret) return app.secret
  const { file } = app.secret
  try {
    const text = readForeignFile(file, MAX_SECRET_BYTES).trim()
    const problem = secretProblem(text)
    if (text && problem)
      throw fileProblem(say`FEISHU_APP_SECRET_FILE (${file}) holds no App Secret: ${problem}.`)
    if (text) return new Secret(text)
  } catch (error) {
    if (error instanceof CodedError) throw error
    throw fileProblem(
      say`FEISHU_APP_SECRET_FILE (${file}) cannot be read (${errnoOf(error) ?? say`unknown error`}).`,
    )
  }
  throw fileProblem(say`FEISHU_APP_SECRET_FILE (${file}) is empty.`)
}

function fileProblem(problem: Sentence): CodedError {
  return new CodedError('config_invalid', problem, {
    nextStep: say`Set FEISHU_APP_SECRET_FILE to a file that holds the App Secret.`,
  })
}

/** What `setup` kept: for those who look at many profiles, so that it is opened once. */
export async function readKeptApps(deps: Deps): Promise<KeptApps> {
  return ((await deps.store.readApps()) ?? {}) as Record<string, KeptApp>
}

function keptApp(apps: KeptApps, profile: string): KeptApp | null {
  return (Object.hasOwn(apps, profile) ? apps[profile] : apps[DEFAULT_PROFILE]) ?? null
}

/**
 * The app of a profile.
 *
 * @param apps what `setup` kept, if it was read already
 * @throws CodedError `not_configured`, with what to set and where
 */
export async function resolveApp(deps: Deps, profile: string, apps?: KeptApps): Promise<App> {
  const { config } = deps
  const mine = profile === config.profile
  if (mine && config.app) return appOf(deps, config.brand, config.app.appId, secretOf(config.app), profile)
  const kept = keptApp(apps ?? (await readKeptApps(deps)), profile)
  if (kept) return appOf(deps, kept.brand, kept.app_id, new Secret(kept.app_secret), profile)
  const given = config.app ?? config.fallbackApp
  if (given) return appOf(deps, config.brand, given.appId, secretOf(given), profile)
  throw new CodedError(
    'not_configured',
    say`No Feishu app is configured: App ID and App Secret are missing.`,
    {
      nextStep: say`An app is needed: ${toolsOnly(clause(CREATE))}run \`${deps.command} setup\`, or set FEISHU_APP_ID
        and FEISHU_APP_SECRET${toolsOnly(say` in this server's env`)}, both from the developer console.`,
    },
  )
}

function appOf(deps: Deps, brand: Brand, appId: string, appSecret: Secret, profile: string): App {
  return {
    id: { brand, appId, profile },
    key: `${brand}-${appId}-${profile}`,
    client: { appId, appSecret },
    endpoints: endpointsOf(brand, deps.config),
  }
}

/**
 * The names of all profiles that have a record or an app of their own. The folder is looked through once for each app
 * that profiles without one of their own may use: two at most, however many profiles there are.
 */
export async function knownProfiles({ config, store }: Deps, apps: KeptApps): Promise<Set<string>> {
  const names = new Set(Object.keys(apps))
  const given = config.app ?? config.fallbackApp
  const shared = apps[DEFAULT_PROFILE]
  const ids = [
    given && { brand: config.brand, appId: given.appId },
    shared && { brand: shared.brand, appId: shared.app_id },
  ]
  const stored = (await Promise.all(ids.map((id) => (id ? store.profileNames(id) : [])))).flat()
  // Someone's copy of a file is no profile.
  for (const name of stored) if (PROFILE_NAME.test(name)) names.add(name)
  return names
}

/** As many names as a sentence has room for. */
const NAMED_PROFILES = 8

/** What to do about a profile that is not known, where others are: one of them may be meant. */
export function otherwiseKnown(others: readonly string[], step: Sentence): Sentence {
  const more = others.length > NAMED_PROFILES ? ', …' : ''
  const names = `${others.slice(0, NAMED_PROFILES).join(', ')}${more}`
  return say`Name a known profile (${names}) or, for a new one, ${clause(step)}.`
}

/** The profiles that may be meant by the name of one that is not known; none for one that is. */
export async function likelyMeant(deps: Deps, profile: string): Promise<string[]> {
  const names = await knownProfiles(deps, await readKeptApps(deps).catch(() => ({})))
  return profile === DEFAULT_PROFILE || names.has(profile) ? [] : [...names].sort()
}

/** The names of all profiles: `own` first, the known ones in order. */
export async function profileNames(deps: Deps, own: string, apps: KeptApps): Promise<string[]> {
  const names = await knownProfiles(deps, apps)
  names.delete(own)
  return [own, ...[...names].sort()]
}
