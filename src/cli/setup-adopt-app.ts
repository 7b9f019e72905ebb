// App ID and App Secret that stand in an entry which becomes `connect`'s: offered to be kept as by `setup`, before they go.

import { type KeptApps, readKeptApps, resolveApp } from '../app/app.ts'
import { checkCredentials, keepApp } from '../app/setup.ts'
import type { Adoption } from '../delivery/adoption.ts'
import { CodedError } from '../errors.ts'
import { findAppId, secretProblem } from '../oauth/app-credentials.ts'
import type { NewApp } from '../oauth/credentials.ts'
import { endpointsOf } from '../oauth/feishu.ts'
import { type Brand, DEFAULT_PROFILE, profileOption } from '../profile.ts'
import { Secret } from '../secret.ts'
import { type Sentence, say } from '../sentence.ts'
import type { Invocation } from './io.ts'
import { keptText, refuseEnvironmentApp } from './setup-steps.ts'
import { confirm, type Dialogue } from './terminal.ts'

/** Who answers: a person, `--yes`, or no one. */
export type Answers = Dialogue | 'yes' | 'nobody'

/**
 * Keeps the app of an entry, if someone says yes; `--yes` alone never puts it in the place of another one. Resolves to
 * why the entry has to stay: it holds what could not be kept.
 */
export async function keepAppOf(
  invocation: Invocation,
  answers: Exclude<Answers, 'nobody'>,
  { app, appByReference, isLark }: Adoption,
): Promise<Sentence | null> {
  const { cli, profile } = invocation
  const present = await presentAppId(invocation)
  if (!app && appByReference && present === null) {
    cli.stderr(
      say`It took the app from elsewhere: run \`${cli.command} setup${profileOption(profile)}\` for connect to have it.\n`,
    )
  }
  // What the environment of this shell says, a client may not know.
  if (!app || (await keptAppOf(invocation))?.app_id === app.appId) return null
  const isOther = present !== null && present !== app.appId
  if (isOther) {
    cli.stderr(say`The profile "${profile}" uses the app ${present}; that of this entry is ${app.appId}.\n`)
    // Its secret may stand nowhere else.
    if (answers === 'yes')
      return say`Its App Secret would be lost: run \`${cli.command} setup --adopt${profileOption(profile)}\` at a terminal and choose.`
  }
  const question = isOther
    ? say`Set up the app of this entry in its place?`
    : say`Keep the App ID and App Secret of this entry (${app.appId}), encrypted? Without an app, connect has nothing to log in with.`
  if (answers !== 'yes' && !(await confirm(answers, question))) return null
  return keep(invocation, app, isLark).then(() => null, problemOf)
}

/** Why something was not done, with what to do about it. */
export function problemOf(error: unknown): Sentence {
  return error instanceof CodedError ? say`${error.said} ${error.step}` : say`${(error as Error).message}`
}

async function keep(
  invocation: Invocation,
  app: NonNullable<Adoption['app']>,
  isLark: boolean | null,
): Promise<void> {
  const { cli, deps, profile } = invocation
  const option = profileOption(profile)
  refuseEnvironmentApp(invocation)
  const { appId, appSecret } = app
  if (findAppId(appId) !== appId || secretProblem(appSecret)) {
    throw new CodedError(
      'config_invalid',
      say`App ID and App Secret of this entry cannot be right; they were not kept.`,
      {
        nextStep: say`Run \`${cli.command} setup${option}\`, then \`${cli.command} setup --adopt${option}\`.`,
      },
    )
  }
  const brand = isLark === null ? deps.config.brand : brandOf(isLark)
  const given: NewApp = {
    brand,
    appId,
    appSecret: new Secret(appSecret),
    endpoints: endpointsOf(brand, deps.config),
  }
  const verdict = await checkCredentials(deps, given)
  await keepApp(deps, profile, given)
  if (!verdict) cli.stderr(say`Feishu gave no clear answer about these credentials; they were kept.\n`)
  cli.stderr(say`${keptText(profile)} ${say`The secret is encrypted.`}\n`)
}

/** Why an entry cannot use the profile's app: that is of the other brand, whose tokens its server refuses. */
export async function otherBrand(invocation: Invocation, { isLark }: Adoption): Promise<Sentence | null> {
  const kept = await keptAppOf(invocation)
  if (!kept || isLark === null || kept.brand === brandOf(isLark)) return null
  const [own, other] = isLark ? ['Lark', 'Feishu'] : ['Feishu', 'Lark']
  const { cli, profile } = invocation
  return say`It is for ${own}, and the profile "${profile}" uses an app of ${other}: run \`${cli.command} setup --profile NAME\` with an app of ${own}, then \`${cli.command} setup --adopt --profile NAME\`.`
}

function brandOf(isLark: boolean): Brand {
  return isLark ? 'lark' : 'feishu'
}

/** The app that `setup` kept for the profile; null: none. */
async function keptAppOf({ deps, profile }: Invocation): Promise<KeptApps[string] | null> {
  const apps = await readKeptApps(deps)
  return (Object.hasOwn(apps, profile) ? apps[profile] : apps[DEFAULT_PROFILE]) ?? null
}

/** The profile's app; null: it has none. */
async function presentAppId({ deps, profile }: Invocation): Promise<string | null> {
  const present = await resolveApp(deps, profile).catch((error: unknown) => {
    if (error instanceof CodedError && error.code === 'not_configured') return null
    throw error
  })
  return present?.id.appId ?? null
}
