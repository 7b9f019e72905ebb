// What a person should know of a token set although it works.

import { toSeconds } from '../answers.ts'
import type { App } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { moment } from '../moment.ts'
import {
  canRefresh,
  grantEndsAt,
  missingScopes,
  type TokenRecord,
  type TokenSet,
} from '../oauth/token-set.ts'
import { cannotRefresh } from '../refresh/reasons.ts'
import { type Sentence, say } from '../sentence.ts'
import { missingScopesText, noRefreshTokenText } from './next-step.ts'

const DAY_MS = 86_400_000
/** Of the seven days of a refresh token: whoever does not use the program for a weekend is told before. */
const REFRESH_TOKEN_WARNING_MS = 2 * DAY_MS
/** Refreshing does not help against the end of the 365 days: time to find the person, holidays included. */
const GRANT_WARNING_MS = 14 * DAY_MS
/** A clock that is off by more breaks expiry times; Feishu itself allows about this much. */
const CLOCK_SKEW_WARNING_MS = 300_000

/** What is amiss with the settings, or with the folder that they name. */
export function settingsWarnings({ config, exposure }: Deps): Sentence[] {
  const exposed = exposure()
  return exposed ? [...config.warnings, exposed] : [...config.warnings]
}

/** The warnings of a record, a sentence each. */
export async function warningsOf(deps: Deps, app: App, record: TokenRecord): Promise<Sentence[]> {
  const warnings = [...settingsWarnings(deps), ...deps.remarks.values()]
  const { tokenSet } = record
  const unrecorded = deps.activity.problem()
  if (unrecorded) warnings.push(unrecorded)
  const outage = deps.store.outage()
  if (outage)
    warnings.push(say`${outage.said} This is what this machine saw last; nothing is refreshed meanwhile.`)
  if (!tokenSet) return warnings
  const now = deps.clock.now()
  const remainingMs = deps.clock.remainingMs(record, app.key)
  if (tokenSet.refusal) warnings.push(refusalWarning(tokenSet))
  else if (!tokenSet.refreshToken) warnings.push(noRefreshTokenText(app))
  if (remainingMs > 0 && tokenSet.lifetimeAssumed) {
    warnings.push(say`Feishu did not say how long the access token lives: two hours were assumed.`)
  }
  if (canRefresh(tokenSet)) warnings.push(...refreshWarnings(tokenSet, now))
  const journal = await deps.store.readJournal(app.id).catch(() => null)
  if (canRefresh(tokenSet) && journal && journal.ambiguous > 0) {
    warnings.push(
      say`A refresh at ${moment(journal.sentAt ?? now)} was interrupted; if its answer was lost, the next refresh will say so.`,
    )
  }
  if (deps.store.isUnsaved(app.id)) {
    warnings.push(
      say`The newest token is ${deps.store.description.unsaved.place}: the store cannot be written. It is tried again every second.`,
    )
  }
  if (Math.abs(tokenSet.clockSkewMs ?? 0) > CLOCK_SKEW_WARNING_MS) {
    warnings.push(
      say`The clock of this machine differs from Feishu's by ${toSeconds(Math.abs(tokenSet.clockSkewMs ?? 0))} s.`,
    )
  }
  const missing = missingScopes(tokenSet)
  if (missing.length > 0) warnings.push(missingScopesText(app, missing))
  return warnings
}

function refusalWarning(tokenSet: TokenSet): Sentence {
  const { said, step } = cannotRefresh(tokenSet)
  const ours = tokenSet.refusal?.reason === 'logout' || tokenSet.refusal?.reason === 'leaving'
  return ours ? say`${said} ${step}` : say`${said} A person must authorize again.`
}

function refreshWarnings(tokenSet: NonNullable<TokenRecord['tokenSet']>, now: number): Sentence[] {
  const warnings: Sentence[] = []
  const endsAt = tokenSet.refreshTokenExpiresAt
  const grantEnd = grantEndsAt(tokenSet) ?? Number.POSITIVE_INFINITY
  if (endsAt !== null && endsAt <= now) {
    warnings.push(say`By this machine’s clock the refresh token has expired; the next refresh asks Feishu.`)
  } else if (endsAt !== null && endsAt < grantEnd && endsAt - now < REFRESH_TOKEN_WARNING_MS) {
    warnings.push(say`A person must authorize again by ${moment(endsAt, now)} unless it is refreshed before.`)
  }
  if (grantEnd - now < GRANT_WARNING_MS) {
    warnings.push(
      say`Feishu ends each authorization after 365 days: a person must authorize again by ${moment(grantEnd, now)}; refreshing does not move that day.`,
    )
  }
  if (tokenSet.refreshTokenDoubtful) {
    warnings.push(
      say`The last refresh brought no new refresh token; the next refresh will show whether the old one still works.`,
    )
  }
  return warnings
}
