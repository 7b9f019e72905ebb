// What the errors mean that Feishu shows on its own page alone.

import type { App } from '../app/app.ts'
import { consoleUrl, feishuError, PAGE_ERRORS } from '../oauth/feishu-errors.ts'
import { clause, type Sentence, say, series } from '../sentence.ts'

/**
 * What the errors mean that Feishu shows on its own page, where nobody but the person sees them, with the console
 * pages of this very app: a clause without a period, for the end of a sentence.
 */
export function pageErrorsText(app: App, scopes: readonly string[], redirectUri: string): Sentence {
  const { appId, brand } = app.id
  const asked = say`the redirect URL is ${redirectUri} , the App ID ${appId} , FEISHU_BRAND ${brand}`
  const causes = PAGE_ERRORS.map((number) =>
    pageErrorText(number, { open: app.endpoints.open, appId, scopes }),
  )
  return say`if Feishu shows an error page instead, its number says why (${asked}): ${series(causes, '; ')}`
}

type Console = { open: string; appId: string; scopes: readonly string[] }

function pageErrorText(number: number, app: Console): Sentence {
  const error = feishuError(number)
  if (!error) return say`${number}`
  const url = consoleUrl(error, app)
  return say`${number}: ${error.cause}, ${clause(say`${error.remedy}`)}${url ? say`: ${url}` : ''}`
}
