// What to do next, in words.

import { brief } from '../answers.ts'
import { type App, otherwiseKnown } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from '../oauth/feishu.ts'
import type { Authorization } from '../oauth/pending-authorization.ts'
import { call, clause, type Sentence, say, terminalsOnly, toolsOnly } from '../sentence.ts'
import type { Status } from './fields.ts'

/** Why Feishu gives no refresh token, and where that is fixed. */
export function noRefreshTokenText(app: App): Sentence {
  const { open } = app.endpoints
  return say`Feishu gave no refresh token; for one, switch on Refresh user_access_token (刷新 user_access_token) at
      ${redirectSettingsUrl(open, app.id.appId)} , enable offline_access at
      ${scopeSettingsUrl(open, app.id.appId, ['offline_access'])} , publish a version (版本管理与发布), then
      ${call('start_authorization')}.`
}

/** What to do about scopes that were asked for and not granted: their console page names exactly them. */
export function missingScopesText(app: App, missing: readonly string[]): Sentence {
  return say`Requested but not granted: ${missing.join(' ')}; enable them for user identity at
      ${scopeSettingsUrl(app.endpoints.open, app.id.appId, missing)} , publish a version
      (版本管理与发布), then ${call('start_authorization')}.`
}

/** What `token_status` has found. */
export type Situation = {
  status: Status
  authorization: Authorization
  /** Feishu was asked just now, and refused the access token. */
  refused: boolean
  /** Known profiles, where this one is not among them. */
  meant: readonly string[]
  /** Refreshes keep it alive; false: it ends with the access token. */
  endless: boolean
}

/** The next step, in one sentence. */
export function statusNextStep(deps: Deps, app: App, situation: Situation): Sentence {
  const { status, authorization } = situation
  const { failure } = authorization.told
  if (authorization.told.status === 'pending') return pendingNextStep(authorization)
  if (status !== 'valid' && status !== 'needs_refresh') {
    if (failure) return brief(failure.nextStep, FIX_FIRST)
    const start = call('start_authorization')
    const orRun = toolsOnly(say` (or run \`${deps.command} login --profile ${app.id.profile}\`)`)
    const { meant } = situation
    if (meant.length > 0)
      return brief(otherwiseKnown(meant, say`${start}${orRun}.`), otherwiseKnown(meant, say`${start}.`))
    return status === 'not_authorized'
      ? brief(say`${start} so that the person approves${orRun}.`, say`${start} so that the person approves.`)
      : brief(say`${start} so that the person approves again${orRun}.`, say`${start} again.`)
  }
  const use = useText(situation)
  if (!failure) return use === VALID ? NOTHING : say`${use}.`
  return brief(
    say`${use}; to authorize again, ${clause(failure.nextStep)}.`,
    say`${use}; authorization_error says what to fix before authorizing again.`,
  )
}

const FIX_FIRST = say`Do what authorization_error says, then ${call('start_authorization')} again.`

/** The next step while someone is expected to act. */
export function pendingNextStep({ pending }: Authorization): Sentence {
  if (pending?.phase !== 'waiting') {
    return say`The answer is being stored: ${call('token_status')} again, start_authorization if it stays pending.`
  }
  const show = say`Show the link; ${call('token_status', { wait_seconds: 45 })} or feishu_error.`
  const approve = say`Approve at the link; ${call('start_authorization')} to see it again.`
  return say`${toolsOnly(show)}${terminalsOnly(approve)}`
}

const VALID = say`Nothing is needed: the token is valid`

/** In a word: models read it with every call. */
export const NOTHING: Sentence = say`Nothing.`

/** What to do with a token set that is in force; without its period. */
function useText({ status, refused, endless }: Situation): Sentence {
  if (refused) return say`${call('refresh_token', { force: true })}, because Feishu refused the access token`
  if (status === 'needs_refresh') return say`${call('refresh_token')}`
  return endless
    ? VALID
    : say`Nothing is needed until the access token ends; then a person must authorize again, and warnings say why`
}
