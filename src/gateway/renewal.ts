// A refused token is renewed once for all requests that meet, and the request is sent again. What `connect` sends again
// is in hand-over/connect.ts.

import { Readable } from 'node:stream'
import { ACCESS_TOKEN_EXPIRED } from '../oauth/feishu-numbers.ts'
import { say } from '../sentence.ts'
import { type Fault, sendFault } from './fault.ts'
import { type Exchange, forward } from './forward.ts'
import type { TokenRefusal } from './refusal.ts'
import { endToEnd } from './rewrite.ts'

/** An access token and the counter of the token set it belongs to. */
export type AccessToken = { accessToken: string; generation: number }

export type TokenSource = {
  /** The access token in force; called for each request, so it must be cheap. */
  currentToken: () => Promise<AccessToken>
  /** Feishu refused the token of this generation: renews it once and gives the newer one. */
  renewToken: (refusedGeneration: number) => Promise<AccessToken>
}

/** A token that came of a refusal, and until when another refusal of it costs no renewal. */
export type Renewed = { generation: number; untilMs: number }

/** No token ends so soon: a server that refuses it wants something else, and must not cost a refresh for each call. */
const SETTLED_MS = 60_000

/** What a renewal came to: refused again, to renew it once more would never help. */
export function renewedFor(refusedAgain: boolean, { generation }: AccessToken, nowMs: number): Renewed {
  return { generation, untilMs: refusedAgain ? Number.POSITIVE_INFINITY : nowMs + SETTLED_MS }
}

/** Whether a refusal of this token is none of its age. */
export function isJustRenewed(last: Renewed | null, { generation }: AccessToken, nowMs: number): boolean {
  return last !== null && last.generation === generation && nowMs < last.untilMs
}

/** What a gateway remembers of renewals. */
export type Renewals = {
  last: { refused: number; token: Promise<AccessToken> } | null
  renewed: Renewed | null
}

const SEND_AGAIN: Fault = {
  status: 503,
  reason: 'send_again',
  message:
    'The access token had expired and has been renewed, but the body is too large to be sent twice by itself.',
  nextStep: 'Send the same request again.',
}

/** Sends a request that bears the key: if Feishu refuses the token, once more with a renewed one. */
export async function forwardWithToken(
  exchange: Exchange & { token: AccessToken },
  source: TokenSource,
  renewals: Renewals,
): Promise<void> {
  const { res, body, token, log } = exchange
  const refusal = await attempt(exchange, token)
  if (refusal === null) return
  // An API that takes no user token at all says 99991668, too: it must not cost a renewal each time.
  if (isJustRenewed(renewals.renewed, token, performance.now()) && refusal.code !== ACCESS_TOKEN_EXPIRED) {
    return sendFault(res, refusedAgain(refusal))
  }
  const renewed = await renewOnce(source, renewals, token.generation)
  log('info', say`Feishu refused the access token (${refusal.code}); it has been renewed`)
  if (body instanceof Readable) return sendFault(res, SEND_AGAIN)
  const again = await attempt(exchange, renewed)
  renewals.renewed = renewedFor(again !== null, renewed, performance.now())
  if (again !== null) sendFault(res, refusedAgain(again))
}

/** Hands any answer on but a refusal of the token. */
async function attempt(exchange: Exchange, token: AccessToken): Promise<TokenRefusal | null> {
  const { res, route } = exchange
  const held = await forward(exchange, token.accessToken)
  if (held === null) return null
  const refusal = await route.refusals.read(held.status, held.headers, held.body)
  if (refusal === null) res.writeHead(held.status, endToEnd(held.headers)).end(held.body)
  return refusal
}

/** All whose token of one generation was refused share one renewal, late ones included; a failed one may be tried again. */
async function renewOnce(source: TokenSource, renewals: Renewals, refused: number): Promise<AccessToken> {
  const current = await source.currentToken()
  if (current.generation > refused) return current
  if (renewals.last?.refused !== refused) {
    const token = source.renewToken(refused)
    renewals.last = { refused, token }
    token.catch(() => {
      renewals.last = null
    })
  }
  return renewals.last.token
}

function refusedAgain(refusal: TokenRefusal): Fault {
  return {
    status: 401,
    reason: 'token_refused',
    message: `Feishu refuses a user token that was just renewed: ${refusal.message} (${refusal.code}).`,
    nextStep:
      'See whether this API takes a user token and the token has its scopes; if other calls fail, too, authorize again.',
    feishuCode: refusal.code,
    logId: refusal.logId,
  }
}
