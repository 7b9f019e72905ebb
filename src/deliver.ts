import { join } from 'node:path'
import type { Config } from './config.ts'
import { type Delivery, deliverToken } from './delivery/deliver.ts'
import type { TokenSet } from './oauth/token-set.ts'
import { Secret } from './secret.ts'

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
