// What doctor asks Feishu: whether its hosts can be reached, what time it is there, and what it thinks of the app's
// credentials and of the token.

import type { App } from '../app/app.ts'
import { checkCredentials } from '../app/setup.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { moment } from '../moment.ts'
import { endpointsOf, redirectSettingsUrl, scopeSettingsUrl } from '../oauth/feishu.ts'
import type { HttpAnswer } from '../oauth/http.ts'
import { checkScopes } from '../oauth/scopes.ts'
import { profileOption } from '../profile.ts'
import { type Sentence, say, series } from '../sentence.ts'
import type { TokenStatus } from '../status/fields.ts'
import { NOTHING } from '../status/next-step.ts'
import { tokenStatus } from '../status/status.ts'
import { type Checks, type Finding, fail, pass, skip, warn, withApp } from './check.ts'

/** Below the time that a check has. */
const REQUEST_MS = 7_000
/** The smallest page that a web server is asked for; that there is none is an answer too. */
const PROBE_PATH = '/robots.txt'
/** Feishu itself allows about this much. */
const CLOCK_FAIL_MS = 300_000
/** Not wrong yet, but no one sets a clock like this on purpose. */
const CLOCK_WARN_MS = 60_000

/** What a host answered, and how our clock stood against its own. */
type Probe = { host: string; answer: HttpAnswer; durationMs: number; skewMs: number | null }

/** `app` is the profile's app, or why there is none; `known` warnings are told by another check. */
export function feishuChecks(deps: Deps, app: App | CodedError, profile: string, known: Sentence[]): Checks {
  const endpoints = app instanceof CodedError ? endpointsOf(deps.config.brand, deps.config) : app.endpoints
  const open = probe(deps, endpoints.open)
  const accounts = endpoints.accounts === endpoints.open ? open : probe(deps, endpoints.accounts)
  const status = tokenStatus(deps, { profile, verify: true, waitSeconds: 0 })
  // Whoever needs it sees its error.
  status.catch(() => undefined)
  return {
    clock: async () => clock(await open),
    accounts_host: async () => reachable(await accounts),
    open_host: async () => reachable(await open),
    app: () => credentials(deps, app),
    redirect_registered: withApp(app, async (app) => registered(deps, app)),
    token: async () => token(deps, await status, known),
    scopes: withApp(app, async (app) => scopes(deps, app, await status)),
  }
}

async function probe(deps: Deps, origin: string): Promise<Probe> {
  const startedAt = deps.clock.elapsed()
  const answer = await deps.request({
    method: 'GET',
    url: `${origin}${PROBE_PATH}`,
    headers: {},
    body: null,
    deadlineMs: REQUEST_MS,
    // A look at the host, not a call for anyone: it is not recorded, so doctor leaves nothing behind.
    account: null,
  })
  const durationMs = Math.round(deps.clock.elapsed() - startedAt)
  const date = answer.kind === 'answer' ? Date.parse(answer.headers.date ?? '') : Number.NaN
  const skewMs = Number.isNaN(date) ? null : deps.clock.now() - date
  return { host: new URL(origin).host, answer, durationMs, skewMs }
}

function reachable({ host, answer, durationMs }: Probe): Finding {
  if (answer.kind === 'answer') return pass(say`${host} answered in ${durationMs} ms`)
  // It answered, if not with what we took for a small page.
  if (answer.error.code === 'unexpected_response') return pass(say`${host} answers`)
  return fail(answer.error.said, answer.error.step)
}

function clock({ host, skewMs }: Probe): Finding {
  if (skewMs === null) return skip(say`${host} did not say what time it is.`)
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  const message =
    // HTTP tells whole seconds.
    seconds <= 1
      ? say`This machine's clock agrees with that of ${host}.`
      : say`This machine's clock is ${seconds} s ${skewMs < 0 ? say`behind` : say`ahead of`} that of ${host}.`
  const hint = say`Set the clock, preferably with a time service (NTP).`
  if (Math.abs(skewMs) > CLOCK_FAIL_MS) return fail(message, hint)
  return Math.abs(skewMs) > CLOCK_WARN_MS ? warn(message, hint) : pass(message)
}

async function credentials(deps: Deps, app: App | CodedError): Promise<Finding> {
  if (app instanceof CodedError) return fail(app.said, app.step)
  const { brand, appId } = app.id
  const { endpoints } = app
  try {
    const { appSecret } = app.client
    if (await checkCredentials(deps, { brand, appId, appSecret, endpoints }))
      return pass(say`Feishu accepts the credentials of ${appId}.`)
    return warn(
      say`Feishu gave no clear answer about the credentials of ${appId}.`,
      say`Compare them with ${endpoints.open}/app/${appId}/baseinfo`,
    )
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    if (error.code !== 'invalid_client') return skip(say`Feishu could not be asked: ${error.said}`)
    return fail(
      say`Feishu does not accept the App Secret of ${appId}.`,
      say`Copy App ID and App Secret again from ${endpoints.open}/app/${appId}/baseinfo.`,
    )
  }
}

function registered(deps: Deps, app: App): Finding {
  return skip(
    say`Feishu does not tell whether ${deps.config.redirectUri} is registered.`,
    say`Look for exactly this address, and for the switch Refresh user_access_token (刷新 user_access_token), at ${redirectSettingsUrl(app.endpoints.open, app.id.appId)}`,
  )
}

function token(deps: Deps, status: TokenStatus, known: Sentence[]): Finding {
  const warnings = status.warnings.filter((warning) => !known.includes(warning))
  const login = say`Run \`${deps.command} login${profileOption(status.profile)}\`.`
  switch (status.status) {
    case 'not_configured':
    case 'store_unreadable':
      return skip(say`Not checked: see app, store and key.`)
    case 'not_authorized':
      return warn(say`No one has logged in yet.`, login)
    case 'expired':
      return fail(series([say`A person must log in again.`, ...warnings], ' '), login)
    case 'needs_refresh':
      return warn(
        series([say`The access token is due for a refresh.`, ...warnings], ' '),
        say`It happens with the next use; \`${deps.command} refresh${profileOption(status.profile)}\` does it now.`,
      )
    default: {
      const until = moment(Date.parse(status.access_token_expires_at ?? ''), deps.clock.now())
      const message =
        status.verified === true
          ? say`The access token is valid until ${until}, and Feishu confirms it.`
          : say`The access token is valid until ${until}.`
      if (warnings.length === 0) return pass(message)
      return warn(series([message, ...warnings], ' '), status.next_step === NOTHING ? null : status.next_step)
    }
  }
}

function scopes(deps: Deps, app: App, status: TokenStatus): Finding {
  const unknown = checkScopes(deps.config.scopes)
  const url = (names: readonly string[]) => scopeSettingsUrl(app.endpoints.open, app.id.appId, names)
  const missing = status.missing_scopes
  if (missing.length > 0) {
    return warn(
      say`Requested and not granted: ${missing.join(' ')}.`,
      say`Enable them for user identity at ${url(missing)} , publish a version, and log in again.`,
    )
  }
  if (unknown.length > 0)
    return warn(say`Not known here: ${unknown.join(' ')}.`, say`Check whether they exist: ${url(unknown)}`)
  if (status.granted_scopes.length > 0) return pass(say`granted: ${status.granted_scopes.join(' ')}`)
  return skip(say`Nothing is granted yet; a login asks for ${deps.config.scopes.join(' ')}.`)
}
