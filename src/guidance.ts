import type { App } from './app.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from './oauth/feishu.ts'

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
