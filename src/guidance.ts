// What to do next, in words.

import type { App } from './app.ts'
import type { Authorization } from './authorization-status.ts'
import type { Deps } from './deps.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from './oauth/feishu.ts'
import type { Status } from './status.ts'

/**
 * What the errors mean that Feishu shows on its own page, where nobody but the person sees them, with the console
 * pages of this very app: a clause without a period, for the end of a sentence.
 */
export function pageErrorsText(app: App, scopes: readonly string[], redirectUri: string): string {
  const { appId, brand } = app.id
  const safe = redirectSettingsUrl(app.endpoints.open, appId)
  const auth = scopeSettingsUrl(app.endpoints.open, appId, scopes)
  return [
    'if Feishu shows an error page instead, its number says why:',
    `20029 the redirect URL is not registered, add ${redirectUri} at ${safe} ;`,
    `20027 a scope is not enabled or not published yet, enable it for user identity at ${auth} and publish a version;`,
    '20043 a scope name is wrong or for apps only, correct FEISHU_SCOPES;',
    "20010 the person is outside the app's availability range;",
    `20028 the App ID ${appId} is unknown;`,
    `20046 the app does not belong to FEISHU_BRAND=${brand}`,
  ].join(' ')
}

/** Why Feishu gives no refresh token, and where that is mended. */
export function noRefreshTokenText(app: App): string {
  const { open } = app.endpoints
  return (
    'Feishu gave no refresh token, so a person must authorize again when the access token ends; to be refreshed, ' +
    `switch on "refresh user_access_token" at ${redirectSettingsUrl(open, app.id.appId)} , enable offline_access at ` +
    `${scopeSettingsUrl(open, app.id.appId, ['offline_access'])} , publish a version, then call start_authorization.`
  )
}

/** What `token_status` has found. */
export type Situation = {
  status: Status
  authorization: Authorization
  /** Feishu was asked just now, and refused the access token. */
  refused: boolean
  /** Refreshes keep it alive; false: it ends with the access token. */
  endless: boolean
}

/** The next step, in one sentence. */
export function statusNextStep(deps: Deps, app: App, situation: Situation): string {
  const { status, authorization } = situation
  const { failure } = authorization.told
  if (authorization.told.status === 'pending') return pendingNextStep(app, authorization)
  if (status !== 'valid' && status !== 'needs_refresh') {
    const again = status === 'not_authorized' ? 'approves' : 'approves again'
    const start = `Call start_authorization so that the person ${again}`
    return failure?.nextStep ?? `${start} (or run \`${deps.command} login --profile ${app.id.profile}\`).`
  }
  const use = useText(situation)
  return failure ? `${use}; to authorize anew, ${uncapitalized(failure.nextStep)}` : `${use}.`
}

/** The next step while somebody is expected to approve. */
export function pendingNextStep(app: App, { pending }: Authorization): string {
  if (pending?.phase !== 'waiting') {
    return "Feishu's answer has arrived and is being stored: call token_status again, and start_authorization if it stays pending."
  }
  return (
    'Ask the person to open authorization_url and approve, then call token_status with wait_seconds 45; ' +
    `${pageErrorsText(app, pending.scopes, pending.redirectUri)}.`
  )
}

/** What to do with a token set that is in force; without its period. */
function useText({ status, refused, endless }: Situation): string {
  if (refused) return 'Call refresh_token with force true, because Feishu refused the access token'
  if (status === 'needs_refresh') return 'Call refresh_token'
  return endless
    ? 'Nothing is needed: the token is valid'
    : 'Nothing is needed until access_token_expires_at; then a person must authorize again, and warnings say why'
}

/** For the middle of a sentence; what is all capitals, such as a setting's name, stays. */
function uncapitalized(sentence: string): string {
  return sentence.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())
}
