// A number that Feishu showed on a page of its own, where no one but the person sees it, explained for the app in use.

import type { App } from '../app/app.ts'
import type { Config } from '../config/config.ts'
import { consoleUrl, type FeishuError, feishuError } from '../oauth/feishu-errors.ts'
import type { PendingAuthorization } from '../oauth/pending-authorization.ts'
import { type Bilingual, type Sentence, say } from '../sentence.ts'

export type FeishuErrorAnswer = {
  number: number
  cause: Sentence
  remedy: Sentence
  /** The console page where it is fixed; null: it is not fixed there. */
  url: string | null
}

/** What Feishu judged: the pending authorization, or what the next one would ask for. */
type Asked = Pick<PendingAuthorization, 'scopes' | 'redirectUri'>

/** Explains a number; `app` null: none is configured. */
export function explainFeishuError(
  number: number,
  app: App | null,
  config: Config,
  pending: PendingAuthorization | null,
): FeishuErrorAnswer {
  const asked = pending ?? config
  const error = feishuError(number)
  if (!error) {
    return {
      number,
      cause: say`This number is not among the known ones.`,
      remedy: say`Ask the person for the words beside the number, and what they had opened.`,
      url: null,
    }
  }
  const url =
    app && consoleUrl(error, { open: app.endpoints.open, appId: app.id.appId, scopes: asked.scopes })
  const values = app && valuesOf(number, error, app, asked)
  const remedy = values ? say`${error.remedy} (${values}).` : say`${error.remedy}.`
  return { number, cause: say`${capitalized(error.cause)}.`, remedy, url }
}

/** The values in force that the remedy speaks of. */
function valuesOf(number: number, error: FeishuError, { id }: App, asked: Asked): Sentence | null {
  if (error.console === 'safe') return say`it is ${asked.redirectUri}`
  if (error.console === 'auth') return say`asked for: ${asked.scopes.join(' ')}`
  const isAboutApp = error.code === 'invalid_client' || number === BRAND_MISMATCH
  return isAboutApp ? say`App ID ${id.appId}, FEISHU_BRAND ${id.brand}` : null
}

const BRAND_MISMATCH = 20046

function capitalized({ en, zh }: Bilingual): Bilingual {
  return { en: en.replace(/^[a-z]/, (letter) => letter.toUpperCase()), zh }
}
