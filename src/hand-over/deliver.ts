import { join } from 'node:path'
import { resolveApp } from '../app/app.ts'
import type { Config } from '../config/config.ts'
import { type Delivery, deliverToken } from '../delivery/deliver.ts'
import type { Deps } from '../deps.ts'
import type { TokenSet } from '../oauth/token-set.ts'
import { Secret } from '../secret.ts'
import { LOCK_MS } from '../store/token-store.ts'

/** Delivering holds the profile's lock: what is not done by then is left to the next wake-up. */
const DEADLINE_MS = 2_000

/** Writes the access token to the configured targets. A target that fails says so; nothing is thrown. */
export async function deliverCopies(
  config: Config,
  tokenSet: TokenSet,
  options: { now: number; byHand: boolean; dryRun: boolean },
): Promise<Delivery[]> {
  const accessToken = tokenSet.accessToken?.reveal()
  if (accessToken === undefined || config.deliverTo.length === 0) return []
  const secret = config.app?.secret
  return deliverToken(
    config.deliverTo,
    { accessToken, accessTokenExpiresAt: tokenSet.accessTokenExpiresAt, scopes: tokenSet.scopes },
    {
      ...options,
      memoryDir: join(config.tokenDir, 'deliveries'),
      deadlineAt: options.now + DEADLINE_MS,
      secrets: secret instanceof Secret ? [secret.reveal()] : [],
    },
  )
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
      // Somebody was writing to the file, or the time was up: the next wake-up tries again.
      return deliveries.some(({ status }) => status === 'failed') ? null : generation
    })
  }
}
