// When and for whom the token is delivered.

import { join } from 'node:path'
import { resolveApp } from '../app/app.ts'
import type { Config } from '../config/config.ts'
import { type Delivery, deliverToken } from '../delivery/deliver.ts'
import type { Deps } from '../deps.ts'
import type { TokenSet } from '../oauth/token-set.ts'
import { notAuthorized } from '../refresh/reasons.ts'
import { LOCK_MS } from '../store/token-store.ts'
import { pullRecord } from './pull.ts'

/**
 * Delivering holds the profile's lock, for two seconds at most: no target begins after this, and none takes longer than
 * the rest. What is not done by then is left to the next wake-up.
 */
const DEADLINE_MS = 1_500

/**
 * Writes the access token to the configured targets, or to `targets` of them. A target that fails says so; nothing is
 * thrown.
 */
export async function deliverCopies(
  config: Config,
  tokenSet: TokenSet,
  options: {
    now: number
    byHand: boolean
    force?: boolean
    dryRun: boolean
    targets?: Config['deliverTo']
  },
): Promise<Delivery[]> {
  const accessToken = tokenSet.accessToken?.reveal()
  const { targets = config.deliverTo, now, byHand, force = false, dryRun } = options
  if (accessToken === undefined || targets.length === 0) return []
  return deliverToken(
    targets,
    { accessToken, accessTokenExpiresAt: tokenSet.accessTokenExpiresAt, scopes: tokenSet.scopes },
    {
      now,
      force,
      dryRun,
      memoryDir: join(config.tokenDir, 'deliveries'),
      // A person who asks for it waits for it, and holds the lock for one target at a time.
      ...(byHand ? {} : { deadlineAt: now + DEADLINE_MS }),
    },
  )
}

/**
 * Delivers by a person's wish: to each target in turn, under a lock of its own, for as long as it takes. `force`: also
 * where someone has changed the value since.
 */
export async function deliverByHand(
  deps: Deps,
  profile: string,
  { dryRun, force }: { dryRun: boolean; force: boolean },
): Promise<Delivery[]> {
  const app = await resolveApp(deps, profile)
  // One that is due and cannot be refreshed now is delivered while it lives.
  if (!dryRun) await pullRecord(deps, profile)
  if (!(await deps.store.read(app.id)).tokenSet) throw await notAuthorized(deps, app)
  const deliveries: Delivery[] = []
  for (const target of deps.config.deliverTo) {
    // Under the lock: an older token must not be written over a newer one.
    const delivered = await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
      const { tokenSet } = await locked.read()
      if (!tokenSet) throw await notAuthorized(deps, app)
      deps.closing.throwIfAborted()
      const options = { now: deps.clock.now(), byHand: true, force, dryRun, targets: [target] }
      return deliverCopies(deps.config, tokenSet, options)
    })
    deliveries.push(...delivered)
  }
  return deliveries
}

/** What delivers a token set that it has not delivered yet; without one it touches nothing. */
export function createDeliverer(deps: Deps): () => Promise<void> {
  let deliveredGeneration: number | null = null
  return async () => {
    if (deps.config.deliverTo.length === 0) return
    const app = await resolveApp(deps, deps.config.profile)
    const seen = await deps.store.read(app.id)
    if (!seen.tokenSet || seen.generation === deliveredGeneration) return
    // Under the lock: an older token must not be written over a newer one.
    deliveredGeneration = await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
      const { generation, tokenSet } = await locked.read()
      const deliveries = tokenSet ? await deps.deliver(app.id, tokenSet) : []
      // Someone was writing to the file, or the time was up: the next wake-up tries again.
      return deliveries.some(({ status }) => status === 'failed') ? null : generation
    })
  }
}
