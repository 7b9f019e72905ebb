// What `start_authorization` and `login` answer, and the next step in words.

import { joinClauses, toTime } from '../answers.ts'
import type { App } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from '../oauth/feishu.ts'
import type { AuthorizationStep } from '../oauth/pending-authorization.ts'
import { call, type Sentence, say } from '../sentence.ts'
import type { StartResult } from './authorize.ts'
import { isToCome } from './pending.ts'

/** The answer of `start_authorization`. */
export type StartAnswer = {
  next_step: Sentence
  status: StartResult['status']
  profile: string
  authorization_step: AuthorizationStep | null
  authorization_url: string | null
  user_code: string | null
  redirect_uri: string | null
  expires_at: string | null
  browser_opened: boolean
  joined: boolean
  requested_scopes: string[]
  console_urls: { redirect_settings: string; scope_settings: string }
}

export function startAnswer(deps: Deps, result: StartResult): StartAnswer {
  const { app, pending } = result
  const scopes = pending?.scopes ?? deps.config.scopes
  // The link of an authorization that has ended leads nowhere.
  const live = result.status === 'pending' ? pending : null
  return {
    next_step: startNextStep(deps, result),
    status: result.status,
    profile: app.id.profile,
    authorization_step: live?.step ?? null,
    authorization_url: live?.authorizationUrl ?? null,
    user_code: live?.device?.userCode ?? null,
    redirect_uri: pending?.method === 'device' ? null : (pending?.redirectUri ?? null),
    expires_at: toTime(live?.deadlineAt ?? null),
    browser_opened: result.browserOpened,
    joined: result.joined,
    requested_scopes: scopes,
    console_urls: consoleUrls(app, scopes),
  }
}

function consoleUrls(app: App, scopes: string[]): StartAnswer['console_urls'] {
  const { open } = app.endpoints
  if (isToCome(app)) return { redirect_settings: `${open}/app`, scope_settings: `${open}/app` }
  return {
    redirect_settings: redirectSettingsUrl(open, app.id.appId),
    scope_settings: scopeSettingsUrl(open, app.id.appId, scopes),
  }
}

function startNextStep(deps: Deps, result: StartResult): Sentence {
  const { pending } = result
  if (result.status === 'succeeded')
    return say`Nothing is needed: the token is stored; token_status shows it.`
  if (!pending) return say`Nothing is needed: no authorization was pending, so none was cancelled.`
  if (result.status === 'cancelled')
    return say`${call('start_authorization')} when the person wants to authorize.`
  if (pending.step === 'create_app') return joinClauses(creationClauses(result))
  if (pending.device) return joinClauses(deviceClauses(result, pending.device.userCode))
  const [act, ...clauses] = deps.remote ? REMOTE_CLAUSES : localClauses(result)
  const last = result.joined ? CANCEL_FIRST : ERROR_PAGE
  return joinClauses([...(act ? [act] : []), ...unknownClauses(result), ...clauses, last])
}

/** Feishu shows some errors on its own page alone: only the person can tell which. */
const ERROR_PAGE = say`if Feishu shows an error number instead, ${call('token_status')} with it as feishu_error`

/** A join keeps what is pending as it is. */
const CANCEL_FIRST = say`to ask for other scopes, ${call('start_authorization', { cancel: true })} first`

/** More names than fit into a sentence are only counted. */
const NAMES_CHARACTERS = 60

function unknownClauses({ unknownScopes }: StartResult): Sentence[] {
  if (unknownScopes.length === 0) return []
  const names = unknownScopes.join(' ')
  if (names.length > NAMES_CHARACTERS)
    return [say`${unknownScopes.length} of requested_scopes are not known here`]
  return [say`not known here, but asked for all the same: ${names}`]
}

/** A longer reason would leave no room for what to do. */
const REASON_CHARACTERS = 150

function localClauses({ browserOpened, browserProblem }: StartResult): Sentence[] {
  const isShort = browserProblem && String(browserProblem).length < REASON_CHARACTERS
  const why = isShort ? say` (${browserProblem})` : ''
  return [
    browserOpened
      ? say`The page was opened in the browser: ask the person to approve there, then ${POLL}`
      : say`Ask the person to open authorization_url on this machine and approve${why}, then ${POLL}`,
    say`if their browser is elsewhere, give the address it ends on as callback_url`,
  ]
}

const POLL = call('token_status', { wait_seconds: 45 })

/** Over SSH the browser is where the person is: the paste comes first. */
const REMOTE_CLAUSES = [
  say`Ask the person to open authorization_url in their own browser (this is an SSH session) and approve`,
  say`the page it ends on cannot load there, so give its whole address as callback_url`,
  say`if they forward the port and it does load, ${POLL}`,
]

/** Codes are sent to people to trick them: only the one who asked for it may approve it (RFC 8628 §5.4). */
function deviceClauses({ browserOpened }: StartResult, userCode: string): Sentence[] {
  const opened = browserOpened
    ? say`The page was opened in the browser`
    : say`Ask the person to open authorization_url`
  return [
    say`${opened} (on any device), to compare the code there with ${userCode}, and to approve only if they asked for this login themselves`,
    say`then ${POLL}`,
  ]
}

/** What it is, as no one finds it in Feishu's documents; the second step is told when it has come. */
function creationClauses({ browserOpened }: StartResult): Sentence[] {
  const opened = browserOpened
    ? say`The page was opened in the browser: ask the person to have Feishu create the app there`
    : say`Ask the person to open authorization_url, where Feishu creates an app of their own`
  return [
    say`${opened} (Feishu's own flow, not in its public documentation)`,
    say`then ${POLL}, which tells the second link`,
  ]
}
