import { CodedError } from '../errors.ts'
import type { NewApp } from '../oauth/credentials.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from '../oauth/feishu.ts'
import { type Brand, DEFAULT_PROFILE } from '../profile.ts'
import { type Sentence, say, series } from '../sentence.ts'
import type { Invocation } from './io.ts'

const APP_ID = /^[A-Za-z0-9_-]{1,64}$/

/** What is kept would not be used: the environment wins. */
export function refuseEnvironmentApp({ cli, deps, profile }: Invocation): void {
  if (!deps.config.app || profile !== deps.config.profile) return
  throw new CodedError('config_invalid', say`FEISHU_APP_ID is set, and it wins over what setup keeps.`, {
    nextStep: say`Unset FEISHU_APP_ID and FEISHU_APP_SECRET, then run \`${cli.command} setup\` again.`,
  })
}

/** Whether a text names a brand. */
export function isBrand(text: string): text is Brand {
  return text === 'feishu' || text === 'lark'
}

/** Whether a text can be an app id, which is part of file names. */
export function isAppId(text: string): boolean {
  return APP_ID.test(text)
}

/** Says for which profile an app was kept. */
export function keptText(profile: string): Sentence {
  return profile === DEFAULT_PROFILE
    ? say`Kept for profile "${profile}" (and for profiles without an app of their own).`
    : say`Kept for profile "${profile}".`
}

/** What a person does in the developer console, with the page for each step. */
export function consoleSteps({ deps }: Invocation, { appId, endpoints }: NewApp): Sentence[] {
  const { redirectUri, scopes } = deps.config
  return [
    series(
      [
        say`Register the redirect URL (重定向 URL) ${redirectUri}`,
        say`   and switch on Refresh user_access_token (刷新 user_access_token): ${redirectSettingsUrl(endpoints.open, appId)}`,
      ],
      '\n',
    ),
    say`Enable the scopes (权限管理) for user identity: ${scopeSettingsUrl(endpoints.open, appId, scopes)}`,
    say`Create and publish a version (版本管理与发布): ${endpoints.open}/app/${appId}`,
  ]
}

/** The steps, a line each, with their numbers. */
export function numbered(steps: readonly Sentence[]): Sentence {
  return series(
    steps.map((step, index) => say`${`${index + 1}. `}${step}`),
    '\n',
  )
}

/** The command as this process was started, as a client's config writes it. */
export function clientEntry(command: string): { command: string; args: string[] } {
  const [program, ...args] = (command.match(/"[^"]*"|\S+/g) ?? []).map((part) => part.replaceAll('"', ''))
  return { command: program ?? command, args }
}
