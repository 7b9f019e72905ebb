// Waiting for the answer to a pending authorization: the listener, the deadline, and an end that comes from elsewhere.

import type { App } from '../app/app.ts'
import type { Deps, Waiting } from '../deps.ts'
import { describeError } from '../errors.ts'
import { type Listener, listenForCallback } from '../loopback/listener.ts'
import type { Page } from '../loopback/page-text.ts'
import { readAuthorizationResponse } from '../oauth/authorization.ts'
import { decodePending, type PendingAuthorization } from '../oauth/pending-authorization.ts'
import { say } from '../sentence.ts'
import type { HeldLock } from '../store/lock.ts'
import { LOCK_MS } from '../store/token-store.ts'
import { claimPort, namePortOwner, readCallbackTls } from './callback.ts'
import { endPage, unstoredPage } from './callback-page.ts'
import { pollDevice } from './device-poll.ts'
import { conclude, expire, readPending } from './end.ts'
import { type AuthorizationAnswer, finishAuthorization } from './finish.ts'

/** How often a waiting process looks whether another one ended the authorization. */
const WATCH_MS = 200

/** Takes the answer; false: it is to be given again. */
type Take = (answer: AuthorizationAnswer) => Promise<boolean>
/** Another way to wait than those of an authorization. */
type WaitingWay = (take: Take) => { close(): Promise<void> }

/** A pending authorization while the lock of its holder is held. */
export type HeldAuthorization = { app: App; pending: PendingAuthorization; held: HeldLock }

/** A process that waits for the answer to a pending authorization. */
class Holder implements Waiting {
  readonly id: string
  readonly #deps: Deps
  readonly #app: App
  readonly #pending: PendingAuthorization
  readonly #held: HeldLock
  /** The listener, or the polling of the device grant. */
  #waiting: { close(): Promise<void> } | null = null
  /** Names us to other profiles that want the port. */
  #port: HeldLock | null = null
  #watch: NodeJS.Timeout | null = null
  #decided = false
  /** By the monotonic clock: a wall clock that is set back must not keep the port open. */
  readonly #endsAt: number
  readonly #wait: WaitingWay | null
  #stopped: Promise<void> | null = null

  constructor(deps: Deps, { app, pending, held }: HeldAuthorization, wait: WaitingWay | null) {
    this.id = pending.id
    this.#wait = wait
    this.#deps = deps
    this.#app = app
    this.#pending = pending
    this.#held = held
    const { deadlineAt, startedAt } = pending
    this.#endsAt = deps.clock.elapsed() + deadlineAt - Math.max(startedAt, deps.clock.now())
  }

  async begin(): Promise<void> {
    const pending = this.#pending
    this.#held.describe({})
    const take: Take = async (answer) => (await this.#take(answer)).over
    if (this.#wait) {
      this.#waiting = this.#wait(take)
    } else if (pending.device) {
      const { device } = pending
      this.#waiting = pollDevice(this.#deps, this.#app, { ...pending, device }, take)
    } else {
      const { redirectUri } = pending
      this.#waiting = await this.#listen().catch(async (error) => {
        throw await namePortOwner(this.#deps, error, redirectUri)
      })
      this.#port = await claimPort(this.#deps, this.#app, redirectUri)
    }
  }

  #listen(): Promise<Listener> {
    const { config, clock } = this.#deps
    return listenForCallback({
      redirectUri: this.#pending.redirectUri,
      listen: config.callbackListen,
      tls: readCallbackTls(config, clock.now()),
      language: config.language,
      onResponse: (query) => this.#decide(query),
    })
  }

  watch(): void {
    this.#watch = setInterval(() => void this.#look(), WATCH_MS)
    this.#deps.underWay.holders.set(this.#app.key, this)
  }

  /** Closes the listener and gives the holder lock back. What is pending stays pending. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    if (this.#watch) clearInterval(this.#watch)
    // Before the port is free: whoever opens it next puts its own name there.
    this.#port?.release()
    await this.#waiting?.close()
    this.#held.release()
    const { holders } = this.#deps.underWay
    if (holders.get(this.#app.key) === this) holders.delete(this.#app.key)
  }

  async #end(): Promise<void> {
    // The page is handed over first: closing waits for those that are on their way.
    await new Promise((resume) => setImmediate(resume))
    await conclude(this.#deps, this.#app, this.#pending)
  }

  async #decide(query: URLSearchParams): Promise<Page> {
    const response = readAuthorizationResponse(query, expectedOf(this.#app, this.#pending))
    if (response) return (await this.#take(response)).page
    // Only Feishu's own redirect brings both; with another `state` it follows a link of earlier.
    return { kind: query.has('state') && (query.has('code') || query.has('error')) ? 'outdated' : 'ignored' }
  }

  async #take(response: AuthorizationAnswer): Promise<{ page: Page; over: boolean }> {
    if (this.#decided) return { page: { kind: 'already_used' }, over: true }
    this.#decided = true
    const { underWay } = this.#deps
    const { page, over } = await underWay.see(answerPage(this.#deps, this.#app, this.#pending, response))
    if (over) void underWay.see(this.#end())
    else this.#decided = false
    return { page, over }
  }

  /** Another process may have ended it, or no one has in time. */
  async #look(): Promise<void> {
    const { store, clock } = this.#deps
    const stored = decodePending(await store.readPending(this.#app.id).catch(() => null))
    if (this.#decided) return
    if (stored && (stored.id !== this.id || stored.outcome)) return this.stop()
    if (clock.now() < this.#pending.deadlineAt && clock.elapsed() < this.#endsAt) return
    this.#decided = true
    try {
      // In this order: a new authorization that comes meanwhile needs the port, and holds the profile's lock.
      await this.stop()
      await expire(this.#deps, this.#app, this.#pending)
    } catch (error) {
      this.#deps.log('warn', say`authorization: ${describeError(error)}`)
    }
  }
}

/** Begins to wait. `afterListening` runs with the port held, before anyone is told the link. */
export async function holdAuthorization(
  deps: Deps,
  authorization: HeldAuthorization,
  afterListening: () => Promise<void>,
  wait: WaitingWay | null = null,
): Promise<void> {
  const holder = new Holder(deps, authorization, wait)
  try {
    await holder.begin()
    await afterListening()
  } catch (error) {
    await holder.stop()
    throw error
  }
  holder.watch()
}

/** What the answer to a pending authorization must bear. */
export function expectedOf(
  app: App,
  pending: PendingAuthorization,
): { state: string; issuer: string; redirectUri: string } {
  return { state: pending.state.reveal(), issuer: app.endpoints.accounts, redirectUri: pending.redirectUri }
}

async function answerPage(
  deps: Deps,
  app: App,
  pending: PendingAuthorization,
  response: AuthorizationAnswer,
): Promise<{ page: Page; over: boolean }> {
  try {
    const ending = await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
      const current = await readPending(locked)
      if (current?.id !== pending.id || current.phase !== 'waiting') return null
      return finishAuthorization(deps, { app, locked, pending: current }, response)
    })
    return {
      page: ending ? endPage(app, ending, pending.scopes, deps.seat) : { kind: 'already_used' },
      over: true,
    }
  } catch (error) {
    deps.log('warn', say`authorization: ${describeError(error)}`)
    return { page: unstoredPage(error), over: false }
  }
}
