// What every store promises, wherever it keeps the sealed bytes. A single-use refresh token needs more than files:
//
// - Everything that changes a profile happens under its lock ({@link TokenStore.withLock}).
// - Before a refresh token is presented, {@link LockedProfile.prepare} has put the intent and the room for the next
//   record on disk; just before the first byte goes out, {@link LockedProfile.markSent} counts the presentation. So
//   every process, also after a crash, knows how often a token may have been spent.
// - {@link LockedProfile.commit} compares the generation and swaps. If the record cannot be written, it stays in
//   memory, the lock stays ours, and it is tried again until it succeeds: no one presents the spent token meanwhile.

import type { CodedError } from '../errors.ts'
import type { Json } from '../oauth/answer.ts'
import type { TokenRecord } from '../oauth/token-set.ts'
import type { AppKey, ProfileId } from '../profile.ts'
import type { Secret } from '../secret.ts'
import type { Sentence, Value } from '../sentence.ts'
import type { KeySource } from './envelope.ts'
import type { HeldLock, LockHolder } from './lock.ts'

/** Presentations of one refresh token whose outcome no one knows. */
export type Presentations = {
  ambiguous: number
  /** When the last of them began; null: none. */
  sentAt: number | null
  /** It was refused once by someone who is not Feishu: the first time that counts for nothing. */
  refusedByOthers?: true
}

/** What is known of a refresh that did not come to an end. It holds no secret. */
export type Interrupted = Presentations & {
  pid: number
  host: string
  /** No request before this instant; null: Feishu asked for no pause. */
  cooldownUntil: number | null
}

/** What a refresh that did not come to an end has left behind. */
export type Journal = Interrupted & {
  /** Keyed hash of the refresh token it is about. */
  tokenHash: string
  /** The same with the key that the record is being moved to. */
  movedHash?: string
}

/** What can be done to a profile while its lock is held. */
export type LockedProfile = {
  read(): Promise<TokenRecord>
  readJournal(): Promise<Journal | null>
  /** Earlier presentations of this very token whose outcome is unknown. */
  presentations(refreshToken: Secret): Promise<Presentations>
  /** Proves that the disk takes the next record, and records the intent to present the token. */
  prepare(refreshToken: Secret): Promise<void>
  /** Counts the presentation, durably, before its first byte goes out. Synchronous: it runs between two bytes. */
  markSent(): void
  /**
   * Nothing was consumed: takes the count of {@link markSent} back, if there was one, and ends the intent.
   * `cooldownUntil` binds every process; `refusedByOthers` is remembered.
   */
  settle(end: { cooldownUntil?: number | null; refusedByOthers?: true }): Promise<void>
  /**
   * Replaces the record of generation `expected`; its journal ends with it, and what is given of the new refresh token
   * begins. Resolves to false when the record could not be written and is kept in memory.
   */
  commit(record: TokenRecord, expected: number, interrupted?: Interrupted | null): Promise<boolean>
  /** Moves a record that cannot be opened aside, as `*.corrupt-<time>`; resolves to the generation to go on from. */
  setAside(): Promise<number>
  readPending(): Promise<Json | null>
  writePending(pending: Json): Promise<void>
  /** Removes the record and all that belongs to it; the generation counter stays. */
  remove(): Promise<void>
}

/** What {@link TokenStore.init} made, and the key that the store is sealed with. */
export type Initialized = {
  status: 'created' | 'migrated' | 'unchanged'
  version: number
  keyId: string
  /** Where this machine has that key; null: it lacks it. */
  keySource: KeySource | null
}

/** What became of a store whose key was moved. */
export type KeyMove = {
  /** Where the keys were that are not in use any more. */
  from: KeySource[]
  /** How many files (rows) were sealed again. */
  resealed: number
  /** What could not be opened and was left as it is, with why. */
  left: { path: string; why: string }[]
  /**
   * What became of the keys that were replaced. `given`: the environment has one, which is not ours to change;
   * `needed`: another file of this machine names one, which stays; `stuck`: one could not be removed.
   */
  oldKeys: 'removed' | 'given' | 'needed' | 'stuck'
}

/** What a store tells of itself. */
export type StoreDescription = {
  kind: 'file' | 'postgres'
  /** Tells it from every other store, also on other machines. Only with a lock of it held. */
  identity: () => string
  /** The folder of its files; null: it has none that is its own. */
  folder: string | null
  /** Where it lies, in words. */
  place: string
  /** How a move to it that was interrupted is taken up again: a next step without its end. */
  moveAgain: (copy: Value) => Sentence
  /** A record that cannot be written yet: where it is meanwhile, and what that asks for. */
  unsaved: { place: Sentence; nextStep: Sentence }
  /** Whether its key may be in a keychain. */
  keychain: boolean
}

export type TokenStore = {
  description: StoreDescription
  /** The same store for one look around: where reading is dear, what was read is not read again. */
  glance(): TokenStore
  /** The record, read without the lock; where there is none, null and the highest generation there ever was. */
  read(id: ProfileId): Promise<TokenRecord>
  readJournal(id: ProfileId): Promise<Journal | null>
  readPending(id: ProfileId): Promise<Json | null>
  /** What keeps the key of the profile's record, or would; null: not decided before the first use. */
  keySource(id: ProfileId): KeySource | null
  /** Whether the newest record is not in its place yet: in memory, or in a file of this machine. */
  isUnsaved(id: ProfileId): boolean
  /** Why a shared store cannot be reached at the moment: then {@link read} tells what this machine saw last. */
  outage(): CodedError | null
  /** @throws CodedError `config_invalid` where this Node can lock no file: then nothing is ever refreshed here */
  requireLocks(): void
  /** @throws CodedError `store_locked` after `deadlineMs`, naming the holder */
  withLock<T>(id: ProfileId, deadlineMs: number, work: (profile: LockedProfile) => Promise<T>): Promise<T>
  /** Takes the lock of whoever waits for the answer to the pending authorization, if no one holds it. */
  holdAuthorization(id: ProfileId): Promise<HeldLock | LockHolder | null>
  /** The names of the profiles of an app that have a record, in order. Reads names alone. */
  profileNames(app: AppKey): Promise<string[]>
  /** Other apps that have a record under the same profile name, as `<brand>-<app id>`: the settings may be mixed up. */
  otherApps(id: ProfileId): Promise<string[]>
  /** The apps' credentials that `setup` kept. */
  readApps(): Promise<Json | null>
  updateApps(update: (apps: Json) => Json): Promise<void>
  /** Makes what the store needs before its first use; safe to call again. Null: it needs nothing. */
  init(): Promise<Initialized | null>
  /** Seals everything again with a key that `to` keeps, then removes the old keys. */
  moveKey(to: KeySource): Promise<KeyMove>
  /** Last attempts to write what is in memory only; resolves to whether all is written. */
  flush(): Promise<boolean>
}

/** Waiting calls included; longer than any healthy refresh of another process, short enough to answer in time. */
export const LOCK_MS = 10_000
