// Moves a profile's record to another name or another store. A refresh token in two places would be spent twice: so it is
// marked as leaving before the new place has it, and both locks are held. A crash at any point leaves one record in
// force or none; what it interrupts is told, and completed by the same call.

import type { Deps } from '../deps.ts'
import { CodedError, errorAbout } from '../errors.ts'
import { decodePending, isLive } from '../oauth/pending-authorization.ts'
import { canRefresh, type TokenRecord, type TokenSet, type Way, withheld } from '../oauth/token-set.ts'
import type { ProfileId } from '../profile.ts'
import { cannotRefresh } from '../refresh/reasons.ts'
import { type Sentence, say, typed } from '../sentence.ts'
import { lockedError } from '../store/lock.ts'
import type { Interrupted, LockedProfile, TokenStore } from '../store/token-store.ts'

export type Place = { store: TokenStore; id: ProfileId }

/**
 * Moves the record, and what is known of interrupted refreshes. Resolves to its generation in the new place. `along` is
 * done when nothing is left that refuses the move, before the record is touched.
 *
 * @throws CodedError `config_invalid` when there is another token set
 */
export async function moveRecord(
  from: Place,
  to: Place,
  deadlineMs: number,
  along: () => Promise<void> = async () => undefined,
): Promise<number> {
  // In one order for everybody: two who exchange two names do not wait for each other.
  const [first, second] = from.id.profile <= to.id.profile ? [from, to] : [to, from]
  return first.store.withLock(first.id, deadlineMs, (one) =>
    second.store.withLock(second.id, deadlineMs, (other) =>
      first === from ? move(one, other, from, to, along) : move(other, one, from, to, along),
    ),
  )
}

async function move(
  source: LockedProfile,
  target: LockedProfile,
  from: Place,
  to: Place,
  along: () => Promise<void>,
): Promise<number> {
  const { profile } = from.id
  const { tokenSet: stored, generation } = await readOf(source, from)
  const left = wayOf(stored)
  if (stored && left && !leads(left, from, to)) throw leadsElsewhere(stored, left, from, to)
  const tokenSet = stored && left ? { ...stored, refusal: null } : stored
  const there = await readOf(target, to)
  const arrived = tokenSet && isArrived(there.tokenSet, tokenSet, left)
  if (!arrived && left && there.generation >= left.arrivesAs) {
    throw new CodedError(
      'config_invalid',
      say`"${profile}" may have come to its new place already, and is not there any more; nothing was moved.`,
      { nextStep: say`Choose: ${orGiveUp(profile)}.` },
    )
  }
  const returns = tokenSet && there.tokenSet && isReturn(there.tokenSet, tokenSet, from, to)
  if (there.tokenSet && !arrived && !returns) throw occupied(to.id.profile)
  // Throws where the new place lacks its key: then the old one must not let go.
  if (tokenSet?.refreshToken) await target.presentations(tokenSet.refreshToken)
  await along()
  if (arrived) {
    await source.remove()
    return there.generation
  }
  // A generation that the place has had before would look like an old copy that was put back.
  const next = left?.arrivesAs ?? Math.max(generation, there.generation + 1)
  const interrupted = await interruptedOf(source, tokenSet)
  if (tokenSet && canRefresh(tokenSet) && !left) {
    const way = { ...directionOf(from, to), arrivesAs: next }
    const marked = withheld(tokenSet, { reason: 'leaving', at: tokenSet.issuedAt, way })
    if (!(await source.commit({ generation, tokenSet: marked }, generation, interrupted)))
      throw notWritten(say`"${profile}" was not moved: its old place could not be written.`)
  }
  if (!(await target.commit({ generation: next, tokenSet }, there.generation, interrupted)))
    throw notWritten(say`"${profile}" could not be written to its new place.`)
  await source.remove()
  return next
}

/** The error of a place that has a token set of its own. */
export function occupied(profile: string): CodedError {
  return new CodedError(
    'config_invalid',
    say`There is another token set of "${profile}" already; nothing was moved.`,
    { nextStep: say`Log that one out first, or choose another name.` },
  )
}

async function readOf(locked: LockedProfile, { id }: Place): Promise<TokenRecord> {
  return locked.read().catch((error) => {
    throw errorAbout(id.profile, error)
  })
}

function directionOf(from: Place, to: Place): Omit<Way, 'arrivesAs'> {
  return from.id.profile === to.id.profile
    ? { copiedTo: to.store.description.identity() }
    : { renamedTo: to.id.profile }
}

function leads(way: Way, from: Place, to: Place): boolean {
  const { renamedTo, copiedTo } = directionOf(from, to)
  return way.renamedTo === renamedTo && way.copiedTo === copiedTo
}

/** Why a token set that is on its way to another place does not come here. */
function leadsElsewhere(stored: TokenSet, left: Way, from: Place, to: Place): CodedError {
  const known = cannotRefresh(stored)
  if (left.copiedTo === undefined || from.id.profile !== to.id.profile) return known
  return new CodedError('config_invalid', say`${known.said} It was not this store, so nothing was moved.`, {
    nextStep: say`${to.store.description.moveAgain(typed('store copy'))}; or ${orGiveUp(from.id.profile)}.`,
  })
}

/** Where a token set is on its way to; null: nowhere. */
function wayOf(tokenSet: TokenSet | null): Way | null {
  return (tokenSet?.refusal?.reason === 'leaving' && tokenSet.refusal.way) || null
}

/** Whether the token set comes back to where it left by a move that was interrupted. */
function isReturn(there: TokenSet, tokenSet: TokenSet, from: Place, to: Place): boolean {
  const left = wayOf(there)
  return left !== null && leads(left, to, from) && isArrived(tokenSet, there, left)
}

/**
 * Whether a token set on its way to another name is there already: what becomes of its tokens is decided there.
 *
 * @throws CodedError where it may be in force, and no one here sees where
 */
export async function isRenamed(store: TokenStore, id: ProfileId, tokenSet: TokenSet): Promise<boolean> {
  const left = wayOf(tokenSet)
  if (!left) return false
  const { renamedTo: profile } = left
  const there = profile === undefined ? null : await store.read({ ...id, profile })
  if (there && isArrived(there.tokenSet, tokenSet, left)) return true
  if (there && there.generation < left.arrivesAs) return false
  throw new CodedError(
    'config_invalid',
    say`"${id.profile}" was on its way to another place when that was interrupted, and may be in force there; it was not logged out.`,
    {
      nextStep:
        profile === undefined
          ? say`Run the same ${typed('store copy')} again, then log out in the new store; or ${orGiveUp(id.profile)}.`
          : say`Choose: ${orGiveUp(id.profile)}.`,
    },
  )
}

/** The two ends of a token that cannot go on. */
function orGiveUp(profile: string): Sentence {
  return say`${typed(`logout --profile ${profile} --force`)} revokes it at Feishu, even if it is in force elsewhere by now; ${typed(`profile remove ${profile} --force`)} only deletes what is left here`
}

/** Whether an earlier call got so far; the token set may have been refreshed in its new place since. */
function isArrived(there: TokenSet | null, here: TokenSet, left: Way | null): boolean {
  if (!there || wayOf(there)) return false
  const same =
    there.refreshToken?.reveal() === here.refreshToken?.reveal() &&
    there.accessToken?.reveal() === here.accessToken?.reveal()
  // Of tokens that were taken over from a script no one knows which authorization they come from.
  const isOfOne = here.authorizedAt > 0 && there.authorizedAt === here.authorizedAt
  return same || (left !== null && isOfOne && there.issuedAt > here.issuedAt)
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
    // No one waits for a person there, or not yet: seconds are enough.
    if (!held || held.note.moves) throw lockedError(held)
    throw new CodedError(
      'store_locked',
      say`Process ${held.pid} waits for the approval of "${id.profile}".`,
      {
        nextStep: say`Finish that authorization, cancel it (Ctrl-C where it waits in a terminal, start_authorization with cancel in a client), or wait until it ends, ten minutes at most; then try again.`,
      },
    )
  }
  held.describe({ moves: true })
  try {
    const pending = decodePending(await store.readPending(id).catch(() => null))
    if (pending && isLive(pending, clock.now())) {
      throw new CodedError(
        'config_invalid',
        say`An authorization of "${id.profile}" is pending; nothing was changed.`,
        {
          nextStep: say`Finish it, cancel it in a client (start_authorization with cancel), or wait until it ends, ten minutes at most; then try again.`,
        },
      )
    }
    return await work()
  } finally {
    held.release()
  }
}
