// What the verbs need of the world, as types alone.

import type { Dispatcher } from 'undici'
import type { Config, LogLevel } from './config/config.ts'
import type { Delivery } from './delivery/deliver.ts'
import type { Seat } from './loopback/page-text.ts'
import type { ActivityLog } from './machine/activity.ts'
import type { Clock } from './machine/clock.ts'
import type { Exposure } from './machine/closed-folder.ts'
import type { Request } from './oauth/http.ts'
import type { TokenRecord, TokenSet } from './oauth/token-set.ts'
import type { ProfileId } from './profile.ts'
import type { Secret } from './secret.ts'
import type { Sentence } from './sentence.ts'
import type { TokenStore } from './store/token-store.ts'
import type { TimerHost } from './timer/timer.ts'

/** Writes one line to stderr. Nothing secret is ever given to it. */
export type Log = (level: LogLevel, message: Sentence) => void

/** What the verbs need of the world. Tests hand in their own clock, browser and store. */
export type Deps = {
  config: Config
  store: TokenStore
  /** Another store than the one in use: in the database at an address, or (null) in files. */
  openStore: (address: Secret | null) => Promise<TokenStore>
  request: Request
  /** The way to a host for the gateway. */
  upstream: (url: string) => Promise<Dispatcher>
  activity: ActivityLog
  exposure: Exposure
  clock: Clock
  /** Opens a page for the person; resolves to why it could not, or null when it was opened. */
  openBrowser: (url: string) => Promise<Sentence | null>
  /** The person sits at another machine (SSH): their browser does not reach our listener. */
  remote: boolean
  /** Writes the access token to the configured targets; never fails, never throws. */
  deliver: (id: ProfileId, tokenSet: TokenSet) => Promise<Delivery[]>
  /** The last results of {@link Deps.deliver}; no file is read. */
  lastDeliveries: () => Delivery[]
  log: Log
  /** Where the person sits whom this process serves. */
  seat: Seat
  /** How this process was started, for hints that name a command: `feishu-token-mcp`, `npx -y feishu-token-mcp`, … */
  command: string
  /** What goes on in this process beside the calls and people should know, a sentence for each matter. */
  remarks: Map<string, Sentence>
  /** How the system's scheduler would start this program. */
  timerHost: TimerHost
  underWay: UnderWay
  /** Aborted when the process is told to end: nothing new is sent (a replay belongs to what was), and no one waits for a person any longer. */
  closing: AbortSignal
}

/** What this process has begun and sees through before it ends. */
export type UnderWay = {
  /** Refreshes, by profile: calls share them. */
  readonly refreshes: Map<string, Promise<RefreshResult>>
  /** Authorizations whose answer this process waits for, by profile. */
  readonly holders: Map<string, Waiting>
  /** Has the end of the process wait for this work, too; gives it back. */
  see<T>(work: Promise<T>): Promise<T>
  /** Resolves when none of it is left. */
  settled(): Promise<void>
}

/** A process that waits for the answer to a pending authorization. */
export type Waiting = { readonly id: string; stop(): Promise<void> }

export type RefreshResult = {
  /**
   * `still_valid`: not forced and not due, seen before the lock (refresh/refresh.ts) or under it (refresh/under-lock.ts);
   * or, not forced, the lock was not got in time and the token is good still (refresh/refresh.ts). `refreshed_elsewhere`: another process was faster.
   */
  status: 'refreshed' | 'still_valid' | 'refreshed_elsewhere'
  record: TokenRecord
  remainingMs: number
  /** False: the new token set is in memory only, so far. */
  persisted: boolean
  deliveries: Delivery[]
}
