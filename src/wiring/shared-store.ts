// The store in a database, as the settings of this machine open it.

import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { Secret } from '../secret.ts'
import { createFileStore } from '../store/files/file-store.ts'
import { createKeys, type Keys } from '../store/key.ts'
import { createPostgresStore } from '../store/postgres/postgres-store.ts'
import { createSharedKeys } from '../store/postgres/shared-key.ts'
import type { TokenStore } from '../store/token-store.ts'

/** Opens the store in the database at an address. The apps' credentials stay in this machine's files. */
export function openSharedStore(
  config: Config,
  address: Secret,
  { keys, now, command }: { keys: Keys; now: () => number; command: string },
): TokenStore {
  // With files in use the key may be in a keychain; one that is shared never is.
  const setting = config.keySource === 'keychain' ? 'auto' : config.keySource
  const shared = createKeys({
    directory: join(config.tokenDir, 'key'),
    ending: '.shared.key',
    source: setting,
    environmentKey: config.key,
  })
  return createPostgresStore({
    address,
    directory: config.tokenDir,
    keys: createSharedKeys(shared, setting, config.key !== null),
    local: createFileStore({ directory: config.tokenDir, keys, now }),
    now,
    command,
  })
}
