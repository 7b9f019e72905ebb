// What the other server's errors mean here. Its numbers mean something else in MCP, or nothing: a client gets our codes,
// with what to do.

import { errorText } from '../answers.ts'
import type { App } from '../app/app.ts'
import { type Answer, type Call, INTERNAL_ERROR, type Reply } from '../bridge/message.ts'
import { CodedError, type ErrorCode } from '../errors.ts'
import { scopeSettingsUrl, untrusted } from '../oauth/feishu.ts'
import { namedScopes } from '../oauth/scopes.ts'
import { call, type Sentence, say } from '../sentence.ts'

/** All of them say that the token is refused, so nothing was done; which is used for what is documented nowhere. */
const REFUSALS = [-32003, -32010, -32011]
const RATE_LIMITED = -32030

/** JSON-RPC's and MCP's own numbers that mean the same here: a client that asked for a prompt or resource knows them. */
const SHARED = [-32601, -32602, -32002]

/** Whether the other server refuses the token. */
export function isRefusal({ status, error }: Reply): boolean {
  return status === 401 || (error !== undefined && REFUSALS.includes(error.code))
}

/** A failed request as the client gets it: for a tool a result that the model reads, else an error of JSON-RPC. */
export function failureAnswer(request: Call, error: CodedError, code: number = INTERNAL_ERROR): Answer {
  const text = String(errorText(error))
  if (request.method !== 'tools/call') return { error: { code, message: text } }
  return { result: { isError: true, content: [{ type: 'text', text }] } }
}

/** What the other server said, fit to be shown. */
function quoted(reply: Reply, secrets: readonly string[]): Sentence {
  const said = untrusted(reply.error?.message, secrets)
  return said === null ? say`` : say` It says: "${said}".`
}

/** The answer to a request that a server over HTTP did not fulfil. */
export function rewordedAnswer(
  request: Call,
  reply: Reply,
  context: { host: string; app: App | null; granted: readonly string[]; secrets: readonly string[] },
): Answer {
  const { host, app, granted, secrets } = context
  const scopes = app ? missingScopesOf(reply, granted) : []
  if (app && scopes.length > 0) return failureAnswer(request, lacksScopes(host, app, scopes))
  const number = reply.error?.code
  const fail = (code: ErrorCode, message: Sentence, nextStep: Sentence) => {
    const known = number !== undefined && SHARED.includes(number) ? number : INTERNAL_ERROR
    return failureAnswer(request, new CodedError(code, message, { nextStep }), known)
  }
  const { status = 200 } = reply
  const said = quoted(reply, secrets)
  if (status === 429 || number === RATE_LIMITED) {
    return fail(
      'rate_limited',
      say`${host} limits how often it is called.${said}`,
      say`Call again in a minute.`,
    )
  }
  if (status >= 300 && status < 400) {
    return fail(
      'unexpected_response',
      say`${host} redirects to another address, which is not followed: the token would go there, too.`,
      say`Connect to the address itself.`,
    )
  }
  if (status === 502 || status === 503 || status === 504) {
    return fail('temporarily_unavailable', say`${host} cannot serve at the moment (${status}).${said}`, AGAIN)
  }
  if (status >= 500 || number === INTERNAL_ERROR) {
    return fail('server_error', say`${host} has failed (${number ?? status}).${said}`, AGAIN)
  }
  if (number === -32602) {
    return fail(
      'unexpected_response',
      say`${host} does not accept what the call gave.${said}`,
      say`Correct the arguments.`,
    )
  }
  return fail(
    'unexpected_response',
    say`${host} did not understand the call (${number ?? status}).${said}`,
    say`Check the address, and whether the tool is still there.`,
  )
}

const AGAIN = say`See whether it was done all the same, then call again.`

/** The scopes that a refusal names and the token lacks; all that it names, where the token seems to have them. */
function missingScopesOf(reply: Reply, granted: readonly string[]): string[] {
  const named = namedScopes(JSON.stringify(reply.error ?? {}))
  const missing = named.filter((scope) => !granted.includes(scope))
  return missing.length > 0 ? missing : named
}

function lacksScopes(host: string, app: App, scopes: readonly string[]): CodedError {
  const url = scopeSettingsUrl(app.endpoints.open, app.id.appId, scopes)
  return new CodedError(
    'invalid_scope',
    say`${host} refuses the call: the token lacks ${scopes.join(' ')}.`,
    {
      nextStep: say`Enable them for user identity at ${url} , publish a version (版本管理与发布), then ${call(
        'start_authorization',
        { scopes: scopes.join(' ') },
      )}.`,
    },
  )
}

/** The token had just been renewed, and is refused again. */
export function refusedAgain(
  request: Call,
  reply: Reply,
  context: { host: string; app: App; granted: readonly string[]; secrets: readonly string[] },
): Answer {
  const { host, app, granted, secrets } = context
  const scopes = missingScopesOf(reply, granted)
  if (scopes.length > 0) return failureAnswer(request, lacksScopes(host, app, scopes))
  const message = say`${host} refuses a token that was just renewed.${quoted(reply, secrets)}`
  return failureAnswer(
    request,
    new CodedError('invalid_grant', message, {
      nextStep: say`${call('start_authorization')}.`,
    }),
  )
}

/** A server that is not Feishu's wants a credential. */
export function wantsCredential(request: Call, host: string): Answer {
  return failureAnswer(
    request,
    new CodedError('config_invalid', say`${host} wants a credential, and gets none from here.`, {
      nextStep: say`Name the header that it reads with --header NAME=VALUE; {token} in VALUE is the access token.`,
    }),
  )
}
