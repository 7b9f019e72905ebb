import { createHmac } from 'node:crypto'
import { renameSync } from 'node:fs'
import { hostname } from 'node:os'
import { AuthError } from '../errors.ts'
import {
  ensureOwnDirectory,
  isMissing,
  type ReservedFile,
  removeFile,
  replaceFile,
  reserveFile,
} from '../files.ts'
import { encodeRecord, type TokenRecord } from '../oauth/token-set.ts'
import type { Secret } from '../secret.ts'
import type { Binding } from './envelope.ts'
import type { Key, Keys } from './key.ts'
import { acquireLock, type HeldLock, type LockHolder } from './lock.ts'
import { notWritable, ProfileFiles, SealedFiles } from './profile-files.ts'
import type { Journal, LockedProfile, Presentations, ProfileId, TokenStore } from './token-store.ts'

/** Two tokens of 4 KB, sealed and in base64, with room. */
const RESERVED_BYTES = 32_768
/** Between attempts to write a record that is in memory only. */
const SAVE_AGAIN_MS = 1_000
/** How often the last attempts are made before the process leaves; together they stay under two seconds. */
const LAST_ATTEMPTS = 8
const LAST_ATTEMPT_PAUSE_MS = 200
/** A change of app.json takes milliseconds; ten seconds mean that something hangs. */
const APPS_DEADLINE_MS = 10_000
const APPS: Binding = { kind: 'apps', brand: '', app_id: '', profile: '' }

/** A record that could not be written yet: in memory, with the lock still ours. */
type Unsaved = { record: TokenRecord; save: () => boolean; timer: NodeJS.Timeout }

function lockedError(holder: LockHolder | null): AuthError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process'
  return new AuthError('store_locked', `The token set is being worked on by ${who}.`, {
    nextStep: 'Try again in a few seconds; if it stays so, look at that process and end it.',
  })
}

class LockedFiles implements LockedProfile {
  readonly #files: ProfileFiles
  readonly #lock: HeldLock
  readonly #now: () => number
  readonly #keep: (record: TokenRecord, save: () => boolean) => void
  #key: Key | null = null
  #intent: Journal | null = null
  #sent = false
  #reserved: ReservedFile | null = null
  #highest: number
  #released = false

  constructor(
    files: ProfileFiles,
    lock: HeldLock,
    now: () => number,
    keep: (record: TokenRecord, save: () => boolean) => void,
  ) {
    this.#files = files
    this.#lock = lock
    this.#now = now
    this.#keep = keep
    this.#highest = Number(lock.left?.note.generation ?? 0) || 0
  }

  async begin(): Promise<void> {
    await this.#files.cleanUp()
    this.#lock.describe({ generation: this.#highest })
  }

  /** Gives the lock back, unless a record is still to be written. */
  end(): void {
    this.#reserved?.discard()
    this.#reserved = null
    this.#release()
  }

  #release(): void {
    if (!this.#released) this.#lock.release()
    this.#released = true
  }

  async #sealingKey(): Promise<Key> {
    this.#key ??= await this.#files.sealed.sealingKey(this.#files.path)
    return this.#key
  }

  /** A new authorization goes on where the record in place can no longer be opened: it will be set aside. */
  async #keyForAuthorization(): Promise<Key> {
    return this.#sealingKey().catch(() => this.#files.sealed.newKey())
  }

  #writeIntent(journal: Journal): void {
    try {
      replaceFile(this.#files.intentPath, `${JSON.stringify(journal)}\n`)
    } catch (error) {
      throw notWritable(this.#files.intentPath, error)
    }
    this.#intent = journal
  }

  read(): Promise<TokenRecord> {
    return this.#files.readRecord()
  }

  async readJournal(): Promise<Journal | null> {
    return this.#files.readJournal()
  }

  async #hash(refreshToken: Secret): Promise<string> {
    const key = await this.#sealingKey()
    return createHmac('sha256', key.bytes)
      .update('refresh token\0')
      .update(refreshToken.reveal())
      .digest('hex')
  }

  async presentations(refreshToken: Secret): Promise<Presentations> {
    const journal = this.#files.readJournal()
    if (!journal || journal.tokenHash !== (await this.#hash(refreshToken)))
      return { ambiguous: 0, sentAt: null }
    return { ambiguous: journal.ambiguous, sentAt: journal.sentAt }
  }

  async prepare(refreshToken: Secret): Promise<void> {
    const known = await this.presentations(refreshToken)
    const tokenHash = await this.#hash(refreshToken)
    this.#sent = false
    this.#writeIntent({ tokenHash, ...known, pid: process.pid, host: hostname(), cooldownUntil: null })
    try {
      this.#reserved ??= reserveFile(this.#files.nextPath, this.#files.path, RESERVED_BYTES)
    } catch (error) {
      throw notWritable(this.#files.nextPath, error)
    }
  }

  markSent(): void {
    const intent = this.#intent
    if (!intent) return
    this.#writeIntent({ ...intent, ambiguous: intent.ambiguous + 1, sentAt: this.#now() })
    this.#sent = true
  }

  async settle(cooldownUntil: number | null): Promise<void> {
    const intent = this.#intent
    if (!intent) return
    const ambiguous = intent.ambiguous - (this.#sent ? 1 : 0)
    this.#sent = false
    try {
      if (ambiguous === 0 && cooldownUntil === null) removeFile(this.#files.intentPath)
      else
        this.#writeIntent({
          ...intent,
          ambiguous,
          sentAt: ambiguous === 0 ? null : intent.sentAt,
          cooldownUntil,
        })
    } catch {
      // The higher count stays: it errs on the safe side, and the answer itself matters more to the caller.
    }
  }

  async commit(record: TokenRecord, expected: number): Promise<boolean> {
    const stored = await this.#files.readRecord().catch(() => null)
    if (stored && stored.generation !== expected) throw lockedError(null)
    const key = await this.#sealingKey()
    const { sealed } = this.#files
    const text = sealed.seal(key, this.#files.binding('token-set'), record.generation, encodeRecord(record))
    const bytes = Buffer.from(text)
    try {
      if (this.#reserved) await this.#reserved.commit(bytes)
      else replaceFile(this.#files.path, bytes)
    } catch {
      this.#reserved?.leave()
      this.#reserved = null
      this.#keep(record, () => this.#save(record, bytes))
      this.#released = true
      return false
    }
    this.#reserved = null
    this.#conclude(record)
    return true
  }

  #save(record: TokenRecord, bytes: Buffer): boolean {
    try {
      replaceFile(this.#files.path, bytes)
      removeFile(this.#files.nextPath)
      this.#conclude(record)
    } catch {
      return false
    }
    this.#lock.release()
    return true
  }

  /** The record is durable: what was noted for its sake ends. */
  #conclude(record: TokenRecord): void {
    this.#intent = null
    this.#highest = Math.max(this.#highest, record.generation)
    this.#lock.describe({ generation: this.#highest })
    removeFile(this.#files.intentPath)
  }

  async setAside(): Promise<number> {
    const { path } = this.#files
    const time = new Date(this.#now()).toISOString().replaceAll(/[:.]/g, '-')
    try {
      renameSync(path, `${path}.corrupt-${time}`)
    } catch (error) {
      if (!isMissing(error)) throw notWritable(path, error)
    }
    this.#key = null
    this.#key = await this.#keyForAuthorization()
    return this.#highest
  }

  async readPending(): ReturnType<LockedProfile['readPending']> {
    return this.#files.readPending()
  }

  async writePending(pending: Record<string, unknown>): Promise<void> {
    const { sealed, pendingPath } = this.#files
    const key = await this.#keyForAuthorization()
    try {
      replaceFile(pendingPath, sealed.seal(key, this.#files.binding('authorization'), 0, pending))
    } catch (error) {
      throw notWritable(pendingPath, error)
    }
  }
}

/** The store in files under one directory (DESIGN: files). `now` is the wall clock. */
export function createFileStore(options: { directory: string; keys: Keys; now: () => number }): TokenStore {
  const { directory, keys, now } = options
  const sealed = new SealedFiles(directory, keys)
  const filesOf = (id: ProfileId) => new ProfileFiles(sealed, id)
  const unsaved = new Map<string, Unsaved>()

  function keep(path: string, record: TokenRecord, save: () => boolean): void {
    const saveOnce = () => {
      if (!save()) return false
      clearInterval(timer)
      unsaved.delete(path)
      return true
    }
    const timer = setInterval(saveOnce, SAVE_AGAIN_MS).unref()
    unsaved.set(path, { record, save: saveOnce, timer })
  }

  async function lock(path: string, deadlineMs: number): Promise<HeldLock> {
    try {
      ensureOwnDirectory(directory)
      ensureOwnDirectory(sealed.folder)
      const lock = await acquireLock(path, deadlineMs, now)
      if (lock?.kind === 'held') return lock
      throw lockedError(lock)
    } catch (error) {
      throw notWritable(path, error)
    }
  }

  return {
    kind: 'file',
    async read(id) {
      const files = filesOf(id)
      return unsaved.get(files.path)?.record ?? files.readRecord()
    },
    readJournal: async (id) => filesOf(id).readJournal(),
    readPending: (id) => filesOf(id).readPending(),
    keySource: (id) => sealed.anyHeader(filesOf(id).path)?.key_source ?? null,
    isUnsaved: (id) => unsaved.has(filesOf(id).path),
    async withLock(id, deadlineMs, work) {
      const files = filesOf(id)
      const waiting = unsaved.get(files.path)
      if (waiting && !waiting.save()) throw notWritable(files.path, null)
      const held = await lock(files.lockPath, deadlineMs)
      const profile = new LockedFiles(files, held, now, (record, save) => keep(files.path, record, save))
      try {
        await profile.begin().catch((error) => {
          throw notWritable(files.path, error)
        })
        return await work(profile)
      } finally {
        profile.end()
      }
    },
    async holdAuthorization(id) {
      ensureOwnDirectory(directory)
      ensureOwnDirectory(sealed.folder)
      return acquireLock(filesOf(id).holderLockPath, 0, now)
    },
    profileNames({ brand, appId }) {
      const prefix = `${brand}-${appId}-`
      const names = sealed.names().filter((name) => name.startsWith(prefix))
      return names.map((name) => name.slice(prefix.length, -'.json'.length)).sort()
    },
    async readApps() {
      return (await sealed.open(sealed.appsPath, APPS))?.content ?? null
    },
    async updateApps(update) {
      const held = await lock(`${sealed.appsPath}.lock`, APPS_DEADLINE_MS)
      try {
        const apps = (await sealed.open(sealed.appsPath, APPS))?.content ?? {}
        const key = await sealed.sealingKey(sealed.appsPath)
        replaceFile(sealed.appsPath, sealed.seal(key, APPS, 0, update(apps)))
      } catch (error) {
        throw notWritable(sealed.appsPath, error)
      } finally {
        held.release()
      }
    },
    async flush() {
      for (let attempt = 0; unsaved.size > 0 && attempt < LAST_ATTEMPTS; attempt += 1) {
        if (attempt > 0) await new Promise((resume) => setTimeout(resume, LAST_ATTEMPT_PAUSE_MS))
        for (const { save } of [...unsaved.values()]) save()
      }
    },
  }
}
