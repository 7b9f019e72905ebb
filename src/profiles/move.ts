// Moves a profile's record to another name or another store. A refresh token in two places would be spent twice: so it is
// marked as leaving before the new place has it, and both locks are held. A crash at any point leaves one record in
// force or none; what it interrupts is told, and completed by the same call.

import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { decodePending, isLive } from '../oauth/pending-authorization.ts'
import { canRefresh, type TokenSet, withheld } from '../oauth/token-set.ts'
import type { ProfileId } from '../profile.ts'
import { cannotRefresh } from '../refresh/reasons.ts'
import { type Sentence, say } from '../sentence.ts'
import type { Interrupted, LockedProfile, TokenStore } from '../store/token-store.ts'

export type Place = { store: TokenStore; id: ProfileId }

/**
 * Moves the record, and what is known of interrupted refreshes. Resolves to its generation in the new place.
 *
 * @throws CodedError `config_invalid` when there is another token set
 */
export async function moveRecord(from: Place, to: Place, deadlineMs: number): Promise<number> {
  // In one order for everybody: two who exchange two names do not wait for each other.
  const [first, second] = from.id.profile <= to.id.profile ? [from, to] : [to, from]
  return first.store.withLock(first.id, deadlineMs, (one) =>
    second.store.withLock(second.id, deadlineMs, (other) =>
      first === from ? move(one, other, from.id, to.id) : move(other, one, from.id, to.id),
    ),
  )
}

async function move(
  source: LockedProfile,
  target: LockedProfile,
  { profile }: ProfileId,
  to: ProfileId,
): Promise<number> {
  const { tokenSet: stored, generation } = await source.read()
  const renamed = profile === to.profile ? {} : { renamedTo: to.profile }
  const leaving = stored?.refusal?.reason === 'leaving'
  if (leaving && stored.refusal?.renamedTo !== renamed.renamedTo) throw cannotRefresh(stored)
  const tokenSet = leaving ? { ...stored, refusal: null } : stored
  const there = await target.read()
  const arrived = tokenSet && there.tokenSet && isArrived(there.tokenSet, tokenSet, leaving)
  if (there.tokenSet && !arrived) {
    throw new CodedError(
      'config_invalid',
      say`There is another token set of "${to.profile}" already; nothing was moved.`,
      { nextStep: say`Log that one out first, or choose another name.` },
    )
  }
  // A generation that the place has had before would look like an old copy that was put back.
  const next = arrived ? there.generation : Math.max(generation, there.generation + 1)
  if (!arrived) {
    const interrupted = await interruptedOf(source, tokenSet)
    if (tokenSet && canRefresh(tokenSet) && !leaving) {
      const marked = withheld(tokenSet, { reason: 'leaving', at: tokenSet.issuedAt, ...renamed })
      if (!(await source.commit({ generation, tokenSet: marked }, generation, interrupted)))
        throw notWritten(say`"${profile}" was not moved: its old place could not be written.`)
    }
    if (!(await target.commit({ generation: next, tokenSet }, there.generation, interrupted)))
      throw notWritten(say`"${profile}" could not be written to its new place.`)
  }
  await source.remove()
  return next
}

/** Whether a token set on its way to another name is there already: what becomes of its tokens is decided there. */
export async function isRenamed(store: TokenStore, id: ProfileId, tokenSet: TokenSet): Promise<boolean> {
  const profile = tokenSet.refusal?.reason === 'leaving' ? tokenSet.refusal.renamedTo : undefined
  const there = profile === undefined ? null : (await store.read({ ...id, profile })).tokenSet
  return there !== null && isArrived(there, tokenSet, true)
}

/** Whether an earlier call got so far; the token set may have been refreshed in its new place since. */
function isArrived(there: TokenSet, here: TokenSet, leaving: boolean): boolean {
  const same =
    there.refreshToken?.reveal() === here.refreshToken?.reveal() &&
    there.accessToken?.reveal() === here.accessToken?.reveal()
  return same || (leaving && there.authorizedAt === here.authorizedAt && there.issuedAt > here.issuedAt)
}

/** What is known of presentations of the token set's refresh token, and the pause that Feishu asked for. */
async function interruptedOf(source: LockedProfile, tokenSet: TokenSet | null): Promise<Interrupted | null> {
  const journal = await source.readJournal()
  if (!journal || !tokenSet?.refreshToken) return null
  const { pid, host, cooldownUntil } = journal
  return { ...(await source.presentations(tokenSet.refreshToken)), pid, host, cooldownUntil }
}

function notWritten(why: Sentence): CodedError {
  return new CodedError('store_not_writable', why, {
    nextStep: say`Run the same command again when that store can be written.`,
  })
}

/** Does something while no authorization of the profile is pending, and none can begin. */
export async function withoutPending<T>(
  { clock }: Deps,
  { store, id }: Place,
  work: () => Promise<T>,
): Promise<T> {
  const held = await store.holdAuthorization(id)
  if (held?.kind !== 'held') {
    throw new CodedError(
      'store_locked',
      say`Process ${held?.pid ?? say`unknown`} waits for the approval of "${id.profile}".`,
      { nextStep: say`Finish that authorization or cancel it, then try again.` },
    )
  }
  try {
    const pending = decodePending(await store.readPending(id).catch(() => null))
    if (pending && isLive(pending, clock.now())) {
      throw new CodedError(
        'config_invalid',
        say`An authorization of "${id.profile}" is pending; nothing was changed.`,
        { nextStep: say`Finish it, or cancel it with start_authorization and cancel; then try again.` },
      )
    }
    return await work()
  } finally {
    held.release()
  }
}
