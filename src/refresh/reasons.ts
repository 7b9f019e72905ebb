// Why a profile's token set cannot be refreshed, and what to do then.

import { type App, likelyMeant, otherwiseKnown } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { moment } from '../moment.ts'
import type { TokenSet } from '../oauth/token-set.ts'
import { profileOption } from '../profile.ts'
import { call, say, toolsOnly, typed } from '../sentence.ts'

const AUTHORIZE = say`${call('start_authorization')} so that the person approves again.`

/** There is no token set: what to do, and whether there is one of another app. */
export async function notAuthorized(deps: Deps, app: App): Promise<CodedError> {
  const { profile, appId } = app.id
  const others = await deps.store.otherApps(app.id)
  const meant = await likelyMeant(deps, profile)
  const none = say`Profile "${profile}" of app ${appId} has no token yet.`
  // A terminal does not know which profile the client's config names.
  const orRun = toolsOnly(say` (or run \`${deps.command} login${profileOption(profile)}\`)`)
  const start = say`${call('start_authorization')}${orRun}`
  if (meant.length > 0) {
    return new CodedError('not_authorized', none, { nextStep: otherwiseKnown(meant, start) })
  }
  return new CodedError(
    'not_authorized',
    others.length > 0 ? say`${none} There is one of another app (${others.join(', ')}).` : none,
    {
      nextStep:
        others.length > 0
          ? say`Check FEISHU_APP_ID and FEISHU_BRAND, or ${call('start_authorization')}${orRun}.`
          : say`${start}.`,
    },
  )
}

/** Why a token set cannot be refreshed any more, from what was stored when that became known. */
export function cannotRefresh(tokenSet: TokenSet): CodedError {
  const { refusal } = tokenSet
  if (!refusal) {
    return new CodedError('no_refresh_token', say`Feishu gave no refresh token at the last authorization.`, {
      nextStep: say`Enable offline_access for the app, switch on Refresh user_access_token (刷新 user_access_token) in its Security
          Settings (安全设置), publish a version (版本管理与发布), then ${call('start_authorization')}.`,
    })
  }
  const details = { nextStep: AUTHORIZE, feishuCode: refusal.feishuCode, logId: refusal.logId }
  const at = (instant: number | null) => moment(instant ?? refusal.at)
  if (refusal.reason === 'outdated') {
    return new CodedError(
      'refresh_uncertain',
      say`The stored token set is an older copy that was put back: its refresh token has been used since.`,
      details,
    )
  }
  if (refusal.reason === 'logout') {
    const nextStep = say`Log out again, or ${call('start_authorization')} so that the person approves again.`
    return new CodedError('not_authorized', say`The logout of ${at(null)} was interrupted.`, { nextStep })
  }
  if (refusal.reason === 'leaving') return leavingError(refusal.way?.renamedTo)
  if (refusal.reason === 'lost') {
    return new CodedError(
      'refresh_uncertain',
      refusal.answered === undefined
        ? say`The refresh of ${at(refusal.lostAt)} was interrupted and its answer lost; the token could not be recovered.`
        : say`The answer to the refresh of ${at(refusal.lostAt)} was lost; in its place came HTTP ${refusal.answered} without a token, as a captive portal or a proxy sends it.`,
      details,
    )
  }
  return new CodedError(
    refusal.code,
    refusal.feishuCode === null
      ? say`Feishu refused the refresh token at ${at(refusal.at)}.`
      : say`Feishu refused the refresh token with ${refusal.feishuCode} at ${at(refusal.at)}.`,
    details,
  )
}

function leavingError(renamedTo: string | undefined): CodedError {
  if (renamedTo !== undefined) {
    return new CodedError(
      'config_invalid',
      say`The profile was being renamed to "${renamedTo}" when that was interrupted.`,
      { nextStep: say`Run the same ${typed('profile rename')} again.` },
    )
  }
  return new CodedError(
    'config_invalid',
    say`The token was being moved to another store when that was interrupted.`,
    { nextStep: say`Run the same ${typed('store copy')} again.` },
  )
}
