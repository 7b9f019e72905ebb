// From an authorization response to a stored token set. Runs under the profile's lock.

import type { App } from '../app/app.ts'
import { fetchUser } from '../app/user.ts'
import type { Deps } from '../deps.ts'
import { CodedError, describeError, THEN_TRY_AGAIN, toCodedError } from '../errors.ts'
import type { AuthorizationResponse } from '../oauth/authorization.ts'
import { untrusted } from '../oauth/feishu.ts'
import { feishuError } from '../oauth/feishu-errors.ts'
import {
  encodePending,
  type Outcome,
  type PendingAuthorization,
  withOutcome,
} from '../oauth/pending-authorization.ts'
import type { TokenAnswer } from '../oauth/token-answer.ts'
import { decodeRecord, encodeRecord, type TokenRecord, type TokenSet, type User } from '../oauth/token-set.ts'
import { Secret } from '../secret.ts'
import { call, isCallOf, Sentence, say, unended } from '../sentence.ts'
import type { LockedProfile } from '../store/token-store.ts'
import { AGAIN, exchangeCode, toRecord, usableTokens } from './exchange.ts'

/** How an authorization is answered: by a redirect, or by the end of a device grant. */
export type AuthorizationAnswer =
  | AuthorizationResponse
  | Extract<TokenAnswer, { kind: 'tokens' }>
  | { kind: 'failure'; error: CodedError }

export type Ended = {
  outcome: Outcome
  /** Null unless it succeeded. */
  tokenSet: TokenSet | null
}

/** A pending authorization while the lock of its profile is held. */
export type LockedAuthorization = { app: App; locked: LockedProfile; pending: PendingAuthorization }

/** Ends a pending authorization with its response: asks for the tokens, checks whose they are, and stores them. */
export async function finishAuthorization(
  deps: Deps,
  authorization: LockedAuthorization,
  response: AuthorizationAnswer,
): Promise<Ended> {
  const { app, locked, pending } = authorization
  if (response.kind === 'error') return endWith(deps, authorization, refusalOf(response.error))
  if (response.kind === 'failure') return endWith(deps, authorization, response.error)
  try {
    await locked.writePending(encodePending({ ...pending, phase: 'exchanging' }))
    const tokens =
      response.kind === 'tokens'
        ? usableTokens(response)
        : await exchangeCode(deps, app, pending, new Secret(response.code))
    const record = toRecord(deps, pending, tokens)
    const exchanged: PendingAuthorization = { ...pending, phase: 'exchanged', tokens: encodeRecord(record) }
    // The code is spent: the tokens go on into force even if this note for another process cannot be written.
    await locked.writePending(encodePending(exchanged)).catch((error) => {
      deps.log('warn', say`authorization: ${describeError(error)}`)
    })
    return await adoptTokens(deps, { app, locked, pending: exchanged })
  } catch (error) {
    if (error instanceof CodedError) return endWith(deps, authorization, error)
    throw error
  }
}

/** Puts tokens that were exchanged, perhaps by a process that died then, into force. */
export async function adoptTokens(deps: Deps, authorization: LockedAuthorization): Promise<Ended> {
  const { app, locked, pending } = authorization
  const fresh = decodeRecord(pending.tokens ?? {})?.tokenSet
  if (!fresh?.accessToken) throw new Error('an exchanged authorization holds an access token')
  const stored = await readForReplacement(locked)
  const user = await fetchUser(deps, app, fresh.accessToken).catch(toCodedError)
  const known = stored.tokenSet?.user ?? null
  const mismatch = known && userMismatch(deps, app, known, user)
  if (mismatch) return endWith(deps, authorization, mismatch)
  const tokenSet: TokenSet = { ...fresh, user: user instanceof CodedError ? null : user }
  await locked.commit({ generation: stored.generation + 1, tokenSet }, stored.generation)
  const outcome: Outcome = { status: 'succeeded', at: deps.clock.now(), failure: null }
  await locked.writePending(encodePending(withOutcome(pending, outcome, 'closing'))).catch(() => undefined)
  await deps.deliver(app.id, tokenSet).catch((error) => {
    deps.log('warn', say`authorization: ${describeError(toCodedError(error))}`)
  })
  return { outcome, tokenSet }
}

/** The record in place; one that cannot be opened is moved aside, because a person has authorized again. */
async function readForReplacement(locked: LockedProfile): Promise<TokenRecord> {
  try {
    return await locked.read()
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return { generation: await locked.setAside(), tokenSet: null }
  }
}

/** Why the person who logged in may not take the place of the stored one; null: it is the same. */
function userMismatch(
  deps: Deps,
  app: App,
  stored: User,
  fresh: User | CodedError | null,
): CodedError | null {
  const { profile } = app.id
  if (fresh instanceof CodedError || fresh === null) {
    const why = fresh?.said ?? say`It refused the new token.`
    return new CodedError(
      fresh?.code ?? 'unexpected_response',
      say`Feishu did not say who logged in, so the token of ${nameOf(stored)} was kept. ${why}`,
      { nextStep: AGAIN, feishuCode: fresh?.feishuCode ?? null, logId: fresh?.logId ?? null },
    )
  }
  if (fresh.openId === stored.openId) return null
  return new CodedError(
    'user_mismatch',
    say`${nameOf(fresh)} logged in, but profile "${profile}" belongs to ${nameOf(stored)}, whose token was kept.`,
    {
      nextStep: say`${call('start_authorization')} and log in as ${nameOf(stored)}, or give it another profile to keep both;
          to replace the account, run \`${deps.command} logout --profile ${profile}\` first.`,
    },
  )
}

function nameOf(user: User): string {
  return user.name ? `${JSON.stringify(user.name)} (${user.openId})` : user.openId
}

function refusalOf(error: string): CodedError {
  if (error === 'access_denied') {
    return new CodedError('access_denied', say`The person declined on the consent page.`, {
      nextStep: say`${call('start_authorization')} again when the person wants to approve.`,
    })
  }
  return new CodedError(
    'unexpected_response',
    say`Feishu ended the authorization with "${untrusted(error) ?? ''}".`,
    {
      nextStep: AGAIN,
    },
  )
}

const ENDS: Partial<Record<CodedError['code'], Outcome['status']>> = {
  access_denied: 'denied',
  authorization_expired: 'expired',
}

/** Ends an authorization without a token. */
export async function endWith(
  { clock }: Deps,
  { locked, pending }: Omit<LockedAuthorization, 'app'>,
  error: CodedError,
): Promise<Ended> {
  const { code, said, feishuCode, logId } = error
  const outcome: Outcome = {
    status: ENDS[code] ?? 'failed',
    at: clock.now(),
    failure: { code, message: said, nextStep: thenAuthorize(error), feishuCode, logId },
  }
  await locked.writePending(encodePending(withOutcome(pending, outcome, 'closing')))
  return { outcome, tokenSet: null }
}

/** What is to be fixed, and then a new authorization: the code of this one cannot be presented again. */
function thenAuthorize({ step, feishuCode }: CodedError): Sentence {
  if (step.values.some((value) => isCallOf(value, 'start_authorization'))) return step
  const again = say`; then ${call('start_authorization')} again`
  const { fix } = (feishuCode !== null && feishuError(feishuCode)) || { fix: undefined }
  // A remedy that ends with an address is said whole.
  if (fix !== undefined && step.values[1] === '') return fix ? say`${fix}${again}.` : AGAIN
  if (!step.values.includes(THEN_TRY_AGAIN)) return say`${unended(step)}${again}.`
  return new Sentence(
    step.texts,
    step.values.map((value) => (value === THEN_TRY_AGAIN ? again : value)),
  )
}
