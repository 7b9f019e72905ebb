// The store in PostgreSQL (docs/design.md): one row a profile, sealed; a lease instead of a lock. On each
// machine the profile's kernel lock comes first, so that its processes wait here and not at the database, and so that
// the lease of a process that died here is known to be over.

import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { CodedError } from '../../errors.ts'
import { ensureOwnDirectory } from '../../machine/own-directory.ts'
import type { TokenRecord } from '../../oauth/token-set.ts'
import type { ProfileId } from '../../profile.ts'
import type { Secret } from '../../secret.ts'
import { say } from '../../sentence.ts'
import { acquireLock, type HeldLock, type LockHolder, requireLocks } from '../lock.ts'
import { notWritable, SealedFiles } from '../sealed-files.ts'
import type { StoreDescription, TokenStore } from '../token-store.ts'
import { Unsaved } from '../unsaved.ts'
import { openDatabase } from './database.ts'
import type { KeepTrying } from './leased-profile.ts'
import { LocalCopy } from './local-copy.ts'
import { acquireLease } from './machine-lease.ts'
import { isNewer, journalOf, placeOf } from './row-journal.ts'
import { openRows, type Row } from './rows.ts'
import { initSchema } from './schema.ts'
import type { SharedKeys } from './shared-key.ts'

/** How a row is read without its lease. */
type Look = (id: ProfileId) => Promise<Row>

const DESCRIPTION: Omit<StoreDescription, 'identity'> = {
  kind: 'postgres',
  folder: null,
  place: 'PostgreSQL',
  moveAgain: (copy) => say`Run ${copy} with the address of then`,
  unsaved: {
    place: say`on this machine only, sealed`,
    nextStep: say`Nothing is needed: the new token is kept sealed on this machine, and goes into the database as soon as that answers.`,
  },
  keychain: false,
}

/** Where this machine keeps its files for a database. */
export function localFolder(directory: string, identity: string): string {
  return join(directory, 'postgres', createHash('sha256').update(identity).digest('hex').slice(0, 16))
}

/** The store in the database at `address`. `local` keeps the apps' credentials, which each machine has of its own. */
export function createPostgresStore(options: {
  address: Secret
  directory: string
  keys: SharedKeys
  local: Pick<TokenStore, 'readApps' | 'updateApps'>
  now: () => number
  /** How this program was started, for hints. */
  command: string
}): TokenStore {
  const { keys, now, command } = options
  const database = openDatabase(options.address, command)
  const rows = openRows(database)
  const directory = localFolder(options.directory, database.identity)
  const sealed = new SealedFiles(directory, keys)
  const copies = new Map<string, LocalCopy>()
  /** In the rescue file too, until the database has confirmed them. */
  const unsaved = new Unsaved()

  function localOf(id: ProfileId): LocalCopy {
    const name = `${id.brand}-${id.appId}-${id.profile}`
    const known = copies.get(name) ?? new LocalCopy(sealed, keys, id)
    copies.set(name, known)
    return known
  }

  async function lock(path: string, deadlineMs: number): Promise<HeldLock | LockHolder | null> {
    try {
      for (const folder of [options.directory, dirname(directory), directory, sealed.folder])
        ensureOwnDirectory(folder)
      return await acquireLock(path, deadlineMs, now)
    } catch (error) {
      throw notWritable(path, error)
    }
  }

  /** What the row says, or this machine's copy where the row is older: a standby that took over may lag behind. */
  async function recordOf(id: ProfileId, row: Row): Promise<TokenRecord> {
    const local = localOf(id)
    if (row.record === null) return { generation: row.generation, tokenSet: null }
    const stored = await local.open(row.record, placeOf(id))
    if (local.has(row.record)) return stored
    const copy = await local.read()
    const lags = copy !== null && copy.record.generation > stored.generation
    if (lags && isNewer(copy.record, stored)) return copy.record
    local.keep(row.record)
    return stored
  }

  async function read(id: ProfileId, look: Look): Promise<TokenRecord> {
    const kept = unsaved.recordAt(localOf(id).files.path)
    if (kept) return kept
    try {
      return await recordOf(id, await look(id))
    } catch (error) {
      const copy = await (isAway(error) ? localOf(id).read() : null)
      if (copy) return copy.record
      throw error
    }
  }

  /** Reads the row, unless the database could not be reached a moment ago. */
  async function lookUp(id: ProfileId): Promise<Row> {
    const outage = database.outage()
    if (outage) throw outage
    return rows.read(id)
  }

  async function orWhileAway<T>(ask: () => Promise<T>, instead: () => T): Promise<T> {
    try {
      const outage = database.outage()
      if (outage) throw outage
      return await ask()
    } catch (error) {
      if (isAway(error)) return instead()
      throw error
    }
  }

  const viewOf = (look: Look): TokenStore => ({
    description: { ...DESCRIPTION, identity: () => database.identity },
    glance: () => viewOf(remembered(lookUp)),
    read: (id) => read(id, look),
    readJournal: async (id) => journalOf(await look(id), localOf(id)),
    async readPending(id) {
      const { pending } = await look(id)
      return pending === null ? null : localOf(id).openPending(pending, placeOf(id))
    },
    keySource: () => keys.last(),
    isUnsaved: (id) => unsaved.recordAt(localOf(id).files.path) !== null,
    outage: () => database.outage(),
    requireLocks,
    async withLock(id, deadlineMs, work) {
      const local = localOf(id)
      const { path } = local.files
      await unsaved.saveFirst(path)
      const keepTrying: KeepTrying = (record, save) => unsaved.keep(path, record, save)
      const profile = await acquireLease(id, { rows, local, now, lock, deadlineMs, keepTrying })
      try {
        return await work(profile)
      } finally {
        await profile.end()
      }
    },
    holdAuthorization: (id) => lock(localOf(id).files.holderLockPath, 0),
    profileNames: (app) =>
      orWhileAway(
        () => rows.names(app),
        () => namesOf(sealed, `${app.brand}-${app.appId}-`),
      ),
    otherApps: (id) =>
      orWhileAway(
        () => rows.otherApps(id),
        () => [],
      ),
    readApps: options.local.readApps,
    updateApps: options.local.updateApps,
    async moveKey() {
      throw new CodedError(
        'config_invalid',
        say`The key of a shared store is not moved from here: all machines have it.`,
        {
          nextStep: say`Each machine may keep it in a key file or in FEISHU_TOKEN_KEY (FEISHU_TOKEN_KEY_SOURCE); for a new key,
              make another database with \`${command} store init\` and use \`${command} store copy\`.`,
        },
      )
    },
    flush: () => unsaved.flush(),
    async init() {
      const made = await initSchema(database, () => keys.first())
      const key = keys.find({ key_source: 'file', key_id: made.keyId })
      return {
        ...made,
        keySource: await key.then(
          ({ source }) => source,
          () => null,
        ),
      }
    },
  })
  return viewOf(lookUp)
}

/** Asks for each profile's row once. */
function remembered(look: Look): Look {
  const rows = new Map<string, Promise<Row>>()
  return (id) => {
    const name = `${id.brand}-${id.appId}-${id.profile}`
    const row = rows.get(name) ?? look(id)
    rows.set(name, row)
    return row
  }
}

/** Whether an error says that the database cannot be reached: then this machine's copy is the best there is. */
function isAway(error: unknown): boolean {
  return error instanceof CodedError && error.code === 'store_not_writable'
}

function namesOf(sealed: SealedFiles, prefix: string): string[] {
  const names = sealed.names().filter((name) => name.startsWith(prefix))
  return names.map((name) => name.slice(prefix.length, -'.json'.length)).sort()
}
