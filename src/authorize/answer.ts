// What `start_authorization` and `login` answer, and the next step in words.

import { toTime } from '../answers.ts'
import type { Deps } from '../deps.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from '../oauth/feishu.ts'
import { call, type Sentence, say, series } from '../sentence.ts'
import type { StartResult } from './authorize.ts'
import { pageErrorsText } from './page-errors.ts'

/** The answer of `start_authorization`. */
export type StartAnswer = {
  status: StartResult['status']
  profile: string
  authorization_url: string | null
  user_code: string | null
  redirect_uri: string | null
  expires_at: string | null
  browser_opened: boolean
  joined: boolean
  requested_scopes: string[]
  console_urls: { redirect_settings: string; scope_settings: string }
  next_step: Sentence
}

export function startAnswer(deps: Deps, result: StartResult): StartAnswer {
  const { app, pending } = result
  const scopes = pending?.scopes ?? deps.config.scopes
  // The link of an authorization that has ended leads nowhere.
  const live = result.status === 'pending' ? pending : null
  return {
    status: result.status,
    profile: app.id.profile,
    authorization_url: live?.authorizationUrl ?? null,
    user_code: live?.device?.userCode ?? null,
    redirect_uri: pending?.method === 'device' ? null : (pending?.redirectUri ?? null),
    expires_at: toTime(live?.deadlineAt ?? null),
    browser_opened: result.browserOpened,
    joined: result.joined,
    requested_scopes: scopes,
    console_urls: {
      redirect_settings: redirectSettingsUrl(app.endpoints.open, app.id.appId),
      scope_settings: scopeSettingsUrl(app.endpoints.open, app.id.appId, scopes),
    },
    next_step: startNextStep(deps, result, scopes),
  }
}

function startNextStep(deps: Deps, result: StartResult, scopes: string[]): Sentence {
  const { app, pending } = result
  if (result.status === 'succeeded')
    return say`Nothing is needed: the token is stored; token_status shows it.`
  if (!pending) return say`Nothing is needed: no authorization was pending, so none was cancelled.`
  if (result.status === 'cancelled')
    return say`${call('start_authorization')} when the person wants to authorize.`
  if (pending.device) return deviceNextStep(result, pending.device.userCode)
  const clauses = deps.remote ? [...REMOTE_CLAUSES] : localClauses(result)
  if (result.joined)
    clauses.push(say`to ask for other scopes, ${call('start_authorization')} with cancel true first`)
  if (result.unknownScopes.length > 0) {
    clauses.push(say`not known here, but asked for all the same: ${result.unknownScopes.join(' ')}`)
  }
  return say`${series(clauses, '; ')}; ${pageErrorsText(app, scopes, pending.redirectUri)}.`
}

function localClauses({ browserOpened, browserProblem }: StartResult): Sentence[] {
  const why = browserProblem ? say` (${browserProblem})` : ''
  return [
    browserOpened
      ? say`The page was opened in the browser: ask the person to approve there`
      : say`Ask the person to open authorization_url on this machine and approve${why}`,
    say`then ${call('token_status', { wait_seconds: 45 })}`,
    say`if their browser is on another machine, ${call('start_authorization')} with the address it ends on as callback_url`,
  ]
}

/** Over SSH the browser is where the person is: the paste comes first. */
const REMOTE_CLAUSES = [
  say`Ask the person to open authorization_url in their own browser and approve (this is an SSH session, so no browser was opened here)`,
  say`the page it ends on cannot load there, so ask for its whole address and ${call('start_authorization')} with it as callback_url`,
  say`if they forward the port and the page does load, ${call('token_status', { wait_seconds: 45 })}`,
]

/** Codes are sent to people to trick them: only the one who asked for it may approve it (RFC 8628 §5.4). */
function deviceNextStep(result: StartResult, userCode: string): Sentence {
  const opened = result.browserOpened
    ? say`The page was opened in the browser`
    : say`Ask the person to open authorization_url`
  return say`${opened} (on any device), to compare the code there with ${userCode}, and to approve only if they asked for this
      login themselves; then ${call('token_status', { wait_seconds: 45 })}.`
}
