// The store in files.

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { CodedError } from '../../errors.ts'
import { replaceFile } from '../../machine/files.ts'
import { ensureOwnDirectory } from '../../machine/own-directory.ts'
import type { ProfileId } from '../../profile.ts'
import { call, Sentence, say } from '../../sentence.ts'
import { KEEPS_ASIDE } from '../envelope.ts'
import { KEEPS_OLD_FILE, type Keys } from '../key.ts'
import { acquireLock, type HeldLock, type LockHolder, lockedError, requireLocks } from '../lock.ts'
import { APPS, notWritable, readText, SealedFiles } from '../sealed-files.ts'
import type { StoreDescription, TokenStore } from '../token-store.ts'
import { Unsaved } from '../unsaved.ts'
import { createLooks } from './looks.ts'
import { ProfileFiles } from './profile-files.ts'

/** A change of app.json takes milliseconds; ten seconds mean that something hangs. */
const APPS_DEADLINE_MS = 10_000

/** Any refresh is over by then, whatever it meets. */
const MOVE_DEADLINE_MS = 30_000

/** No authorization replaces the credentials that `setup` kept: what fixes a record does not fix them. */
function credentialsError(path: string, error: unknown): unknown {
  if (!(error instanceof CodedError)) return error
  const fix =
    error.code === 'store_unreadable'
      ? say`move ${path} away, set FEISHU_APP_ID and FEISHU_APP_SECRET, then ${call('start_authorization')}`
      : say`set FEISHU_APP_ID and FEISHU_APP_SECRET, then ${call('start_authorization')}`
  const { texts, values } = error.step
  const mended = values.map((value) => (value === KEEPS_ASIDE || value === KEEPS_OLD_FILE ? fix : value))
  return new CodedError(error.code, error.said, { ...error, nextStep: new Sentence(texts, mended) })
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** A name of its own, given when a token is first moved here: that of the machine may change. */
function identityOf(folder: string): string {
  const path = join(folder, 'identity')
  const known = readText(path)
  if (known !== null && UUID.test(known)) return known
  const given = randomUUID()
  try {
    replaceFile(path, given)
  } catch (error) {
    throw notWritable(path, error)
  }
  return given
}

function describe(directory: string, folder: string): StoreDescription {
  return {
    kind: 'file',
    identity: () => identityOf(folder),
    folder,
    place: directory,
    moveAgain: (copy) =>
      say`Run ${copy} on the machine where it was begun, with the FEISHU_TOKEN_DIR of then`,
    unsaved: {
      place: say`in memory only`,
      nextStep: say`Free some disk space or fix the permissions of ${directory}: the new token is in memory only, and lost if this process ends; it is tried again every second.`,
    },
    keychain: true,
  }
}

/** The store in files under one directory (docs/design.md). `now` is the wall clock. */
export function createFileStore(options: { directory: string; keys: Keys; now: () => number }): TokenStore {
  const { directory, keys, now } = options
  const sealed = new SealedFiles(directory, keys)
  const filesOf = (id: ProfileId) => new ProfileFiles(sealed, id)
  const unsaved = new Unsaved()

  async function tryLock(path: string, deadlineMs: number): Promise<HeldLock | LockHolder | null> {
    try {
      ensureOwnDirectory(directory)
      ensureOwnDirectory(sealed.folder)
      return await acquireLock(path, deadlineMs, now)
    } catch (error) {
      throw notWritable(path, error)
    }
  }

  async function lock(path: string, deadlineMs: number): Promise<HeldLock> {
    const lock = await tryLock(path, deadlineMs)
    if (lock?.kind === 'held') return lock
    throw lockedError(lock)
  }

  const store: TokenStore = {
    description: describe(directory, sealed.folder),
    glance: () => glancing,
    async read(id) {
      const files = filesOf(id)
      return unsaved.recordAt(files.path) ?? files.readRecord()
    },
    readJournal: async (id) => filesOf(id).readJournal(),
    readPending: (id) => filesOf(id).readPending(),
    keySource: (id) => sealed.anyHeader(filesOf(id).path)?.key_source ?? null,
    isUnsaved: (id) => unsaved.recordAt(filesOf(id).path) !== null,
    outage: () => null,
    requireLocks,
    async withLock(id, deadlineMs, work) {
      const files = filesOf(id)
      // Before the lock: where the program was removed meanwhile, nothing is held.
      const { LockedFiles } = await import('./locked-files.ts')
      await unsaved.saveFirst(files.path)
      const held = await lock(files.lockPath, deadlineMs)
      const profile = new LockedFiles(files, held, now, (record, save) =>
        unsaved.keep(files.path, record, save),
      )
      try {
        await profile.begin().catch((error) => {
          throw notWritable(files.path, error)
        })
        return await work(profile)
      } finally {
        profile.end()
      }
    },
    holdAuthorization: (id) => tryLock(filesOf(id).holderLockPath, 0),
    async profileNames({ brand, appId }) {
      const prefix = `${brand}-${appId}-`
      const names = sealed.names().filter((name) => name.startsWith(prefix))
      return names.map((name) => name.slice(prefix.length, -'.json'.length)).sort()
    },
    async otherApps({ brand, appId, profile }) {
      const suffix = `-${profile}.json`
      const apps = sealed.names().filter((name) => name.endsWith(suffix))
      // Feishu's app ids have no "-": what has a second one is another profile, whose name ends like this one's.
      const ids = apps
        .map((name) => name.slice(0, -suffix.length))
        .filter((name) => /^[^-]+-[^-]+$/.test(name))
      return ids.filter((name) => name !== `${brand}-${appId}`)
    },
    async readApps() {
      const { appsPath } = sealed
      const opened = await sealed.open(appsPath, APPS).catch((error) => {
        throw credentialsError(appsPath, error)
      })
      return opened?.content ?? null
    },
    async updateApps(update) {
      const { appsPath } = sealed
      const held = await lock(`${appsPath}.lock`, APPS_DEADLINE_MS)
      try {
        sealed.cleanUpApps()
        const apps = (await sealed.open(appsPath, APPS))?.content ?? {}
        const key = await sealed.sealingKey(appsPath)
        replaceFile(appsPath, sealed.seal(key, APPS, 0, update(apps)))
      } catch (error) {
        throw credentialsError(appsPath, notWritable(appsPath, error))
      } finally {
        held.release()
      }
    },
    init: async () => null,
    async moveKey(to) {
      const { moveKey } = await import('./key-move.ts')
      return moveKey({ directory, sealed, keys, lock: (path) => lock(path, MOVE_DEADLINE_MS) }, to)
    },
    flush: () => unsaved.flush(),
  }
  const looks = createLooks(now)
  const glancing: TokenStore = {
    ...store,
    glance: () => glancing,
    async read(id) {
      const files = filesOf(id)
      return unsaved.recordAt(files.path) ?? looks.record(files)
    },
    profileNames: (app) =>
      looks.names(sealed.folder, `${app.brand}-${app.appId}`, () => store.profileNames(app)),
    readApps: () => looks.file(sealed.appsPath, store.readApps),
  }
  return store
}
