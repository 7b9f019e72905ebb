// What the asking setup and the scripted one share.

import { CodedError } from '../errors.ts'
import type { NewApp } from '../oauth/credentials.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from '../oauth/feishu.ts'
import { type Brand, DEFAULT_PROFILE, profileOption } from '../profile.ts'
import { type Sentence, say, series } from '../sentence.ts'
import type { Invocation } from './io.ts'
import { asConfig, type NewEntry } from './setup-entry.ts'

/** What is kept would not be used: the environment wins. */
export function refuseEnvironmentApp({ cli, deps, profile }: Invocation): void {
  if (!deps.config.app || profile !== deps.config.profile) return
  throw new CodedError('config_invalid', say`FEISHU_APP_ID is set, and it wins over what setup keeps.`, {
    nextStep: say`Unset FEISHU_APP_ID and FEISHU_APP_SECRET, then run \`${cli.command} setup${profileOption(profile)}\` again.`,
  })
}

/** Whether a text names a brand. */
export function isBrand(text: string): text is Brand {
  return text === 'feishu' || text === 'lark'
}

/** Says for which profile an app was kept. */
export function keptText(profile: string): Sentence {
  return profile === DEFAULT_PROFILE
    ? say`Kept for profile "${profile}" (and for profiles without an app of their own).`
    : say`Kept for profile "${profile}".`
}

type Registered = Pick<NewApp, 'appId' | 'endpoints'>

/** The pages of the developer console for each step. */
function consoleUrls({ deps }: Invocation, { appId, endpoints }: Registered): Record<string, string> {
  return {
    redirect_settings: redirectSettingsUrl(endpoints.open, appId),
    scope_settings: scopeSettingsUrl(endpoints.open, appId, deps.config.scopes),
    versions: `${endpoints.open}/app/${appId}`,
  }
}

/** What a person does in the developer console, with the page for each step. */
export function consoleSteps(invocation: Invocation, app: Registered): Sentence[] {
  const urls = consoleUrls(invocation, app)
  return [
    series(
      [
        say`Register the redirect URL (重定向 URL) ${invocation.deps.config.redirectUri}`,
        say`   and switch on Refresh user_access_token (刷新 user_access_token), if there is such a switch: ${urls.redirect_settings ?? ''}`,
      ],
      '\n',
    ),
    say`Enable the scopes (权限管理) for user identity: ${urls.scope_settings ?? ''}`,
    say`Create and publish a version (版本管理与发布): ${urls.versions ?? ''}`,
  ]
}

/** What `--json` tells besides the status: all that is left to do elsewhere. */
export function setupFields(invocation: Invocation, app: Registered, entry: NewEntry): object {
  return {
    redirect_uri: invocation.deps.config.redirectUri,
    console_urls: consoleUrls(invocation, app),
    entry: asConfig(entry),
  }
}

/** The steps, a line each, with their numbers. */
export function numbered(steps: readonly Sentence[]): Sentence {
  return series(
    steps.map((step, index) => say`${`${index + 1}. `}${step}`),
    '\n',
  )
}
