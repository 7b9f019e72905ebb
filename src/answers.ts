// The contract's answers (DESIGN: the contract), for the tools and for `--json` alike, and the same facts as text.

import type { StartResult } from './authorize.ts'
import type { Delivery } from './delivery/deliver.ts'
import type { Deps } from './deps.ts'
import { AuthError, type ErrorCode, type Recovery } from './errors.ts'
import { errnoOf } from './files.ts'
import { pageErrorsText } from './guidance.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from './oauth/feishu.ts'
import type { RefreshResult } from './refresh.ts'
import { toSeconds, toTime } from './times.ts'

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
  next_step: string
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

function startNextStep(deps: Deps, result: StartResult, scopes: string[]): string {
  const { app, pending } = result
  if (result.status === 'succeeded') return 'Nothing is needed: the token is stored; token_status shows it.'
  if (!pending) return 'Nothing is needed: no authorization was pending, so none was cancelled.'
  if (result.status === 'cancelled') return 'Call start_authorization when the person wants to authorize.'
  if (pending.device) return deviceNextStep(result, pending.device.userCode)
  const clauses = deps.remote ? [...REMOTE_CLAUSES] : localClauses(result)
  if (result.joined) clauses.push('to ask for other scopes, call start_authorization with cancel true first')
  if (result.unknownScopes.length > 0) {
    clauses.push(`not known here, but asked for all the same: ${result.unknownScopes.join(' ')}`)
  }
  return `${clauses.join('; ')}; ${pageErrorsText(app, scopes, pending.redirectUri)}.`
}

function localClauses({ browserOpened, browserProblem }: StartResult): string[] {
  const why = browserProblem ? ` (${browserProblem})` : ''
  return [
    browserOpened
      ? 'The page was opened in the browser: ask the person to approve there'
      : `Ask the person to open authorization_url on this machine and approve${why}`,
    'then call token_status with wait_seconds 45',
    'if their browser is on another machine, call start_authorization with the address it ends on as callback_url',
  ]
}

/** Over SSH the browser is where the person is: the paste comes first. */
const REMOTE_CLAUSES = [
  'Ask the person to open authorization_url in their own browser and approve (this is an SSH session, so no browser was opened here)',
  'the page it ends on cannot load there, so ask for its whole address and call start_authorization with it as callback_url',
  'if they forward the port and the page does load, call token_status with wait_seconds 45',
]

/** Codes are sent to people to trick them: only the one who asked for it may approve it (RFC 8628 §5.4). */
function deviceNextStep(result: StartResult, userCode: string): string {
  const opened = result.browserOpened
    ? 'The page was opened in the browser'
    : 'Ask the person to open authorization_url'
  return (
    `${opened} (on any device), to compare the code there with ${userCode}, and to approve only if they asked for this ` +
    'login themselves; then call token_status with wait_seconds 45.'
  )
}

/** The answer of `refresh_token`. */
export type RefreshAnswer = {
  status: RefreshResult['status']
  profile: string
  access_token_expires_at: string | null
  access_token_expires_in: number | null
  refresh_token_expires_at: string | null
  refresh_token_expires_in: number | null
  generation: number
  persisted: boolean
  deliveries: Delivery[]
  next_step: string
}

export function refreshAnswer(deps: Deps, profile: string, result: RefreshResult): RefreshAnswer {
  const { tokenSet, generation } = result.record
  const refreshEndsAt = tokenSet?.refreshToken ? tokenSet.refreshTokenExpiresAt : null
  return {
    status: result.status,
    profile,
    access_token_expires_at: toTime(tokenSet?.accessTokenExpiresAt ?? null),
    access_token_expires_in: toSeconds(result.remainingMs),
    refresh_token_expires_at: toTime(refreshEndsAt),
    refresh_token_expires_in: toSeconds(refreshEndsAt === null ? null : refreshEndsAt - deps.clock.now()),
    generation,
    persisted: result.persisted,
    deliveries: result.deliveries,
    next_step: refreshNextStep(deps, result),
  }
}

function refreshNextStep(deps: Deps, result: RefreshResult): string {
  if (!result.persisted && deps.store.kind === 'postgres') {
    return 'Nothing is needed: the new token is kept sealed on this machine, and goes into the database as soon as that answers.'
  }
  if (!result.persisted) {
    return `Make room or mend the permissions of ${deps.config.tokenDir}: the new token is in memory only, and lost if this process ends; it is tried again every second.`
  }
  if (result.deliveries.some(({ status }) => status !== 'delivered' && status !== 'unchanged')) {
    return `Some copies were not written: mend what deliveries says of them, then run \`${deps.command} deliver\`.`
  }
  const restart = result.deliveries.find(
    (delivery) => delivery.restart_required && delivery.status === 'delivered',
  )
  if (restart?.restart_hint) return `${restart.restart_hint}`
  return 'Nothing is needed: the token is valid.'
}

/** An error as `--json` prints it. */
export type ErrorAnswer = {
  error: {
    code: ErrorCode
    recovery: Recovery
    message: string
    next_step: string
    feishu_code: number | null
    log_id: string | null
  }
}

export function errorAnswer(error: AuthError): ErrorAnswer {
  const { code, recovery, message, nextStep, feishuCode, logId } = error
  return { error: { code, recovery, message, next_step: nextStep, feishu_code: feishuCode, log_id: logId } }
}

/** Any error as one of ours. What we did not foresee is named without its text, which may hold anything. */
export function toAuthError(error: unknown): AuthError {
  if (error instanceof AuthError) return error
  const errno = errnoOf(error)
  const path = (error as NodeJS.ErrnoException | null)?.path
  if (errno && /^E[A-Z]+$/.test(errno)) {
    const where = typeof path === 'string' ? path : 'A file'
    return new AuthError('store_not_writable', `${where} cannot be used (${errno}).`, {
      nextStep: 'Mend that, then try again; nothing was lost.',
      cause: error,
    })
  }
  const name = error instanceof Error ? error.name : typeof error
  return new AuthError('unexpected_response', `feishu-token-mcp met an error of its own (${name}).`, {
    nextStep: 'Try again; if it stays so, set FEISHU_LOG_LEVEL=debug and report what stands on stderr.',
    cause: error,
  })
}

/** The text of a failed tool call or command. */
export function errorText(error: AuthError): string {
  const facts = [`code=${error.code}`, `recovery=${error.recovery}`]
  if (error.feishuCode !== null) facts.push(`feishu_code=${error.feishuCode}`)
  if (error.logId !== null) facts.push(`log_id=${error.logId}`)
  return `FAILED: ${error.message} ${error.nextStep} [${facts.join(' ')}]`
}

/** The same facts as an answer's fields, one a line, the next step first: for models that see only text. */
export function answerText(answer: object): string {
  const { next_step, ...facts } = answer as Record<string, unknown>
  const lines = Object.entries(facts).map(([name, value]) => {
    return `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  return [`next_step: ${next_step}`, '', ...lines].join('\n')
}
