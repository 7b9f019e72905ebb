// What the errors mean that Feishu shows on its own page alone.

import type { App } from '../app/app.ts'
import { consoleUrl, feishuError, PAGE_ERRORS } from '../oauth/feishu-errors.ts'

/**
 * What the errors mean that Feishu shows on its own page, where nobody but the person sees them, with the console
 * pages of this very app: a clause without a period, for the end of a sentence.
 */
export function pageErrorsText(app: App, scopes: readonly string[], redirectUri: string): string {
  const { appId, brand } = app.id
  const asked = `the redirect URL is ${redirectUri} , the App ID ${appId} , FEISHU_BRAND ${brand}`
  const causes = PAGE_ERRORS.map((number) =>
    pageErrorText(number, { open: app.endpoints.open, appId, scopes }),
  )
  return `if Feishu shows an error page instead, its number says why (${asked}): ${causes.join('; ')}`
}

type Console = { open: string; appId: string; scopes: readonly string[] }

function pageErrorText(number: number, app: Console): string {
  const error = feishuError(number)
  if (!error) return String(number)
  const url = consoleUrl(error, app)
  return `${number}: ${error.cause.en}, ${uncapitalized(error.remedy.en)}${url ? `: ${url} ` : ''}`.trimEnd()
}

/** For the middle of a sentence; what is all capitals, such as a setting's name, stays. */
export function uncapitalized(sentence: string): string {
  return sentence.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())
}
