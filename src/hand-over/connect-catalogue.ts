// When the lists of the other server are fetched anew (connect-fetch.ts): when there is a token, and after each login and
// refresh, whichever process made it. The client is told only of what differs from what it has seen.

import { resolveApp } from '../app/app.ts'
import type { ListMethod, Lists } from '../bridge/message.ts'
import type { Deps } from '../deps.ts'
import { CodedError, describeError, toCodedError } from '../errors.ts'
import { say } from '../sentence.ts'
import type { Destination } from './connect-destination.ts'
import { fetchLists, type Send } from './connect-fetch.ts'
import { differing, emptyLists, type Kept, listsFile, readLists, writeLists } from './connect-lists.ts'

/** A login or refresh of another process is noticed within a second, and the list is there in two more. */
const LOOK_MS = 1_000
/** Some clients start a copy only to probe it, and end it at once. */
const FIRST_LOOK_MS = 300
/** A client that asks for nothing is left alone for as long as by the plain server. */
const UNASKED_LOOK_MS = 5_000
/** For how long the lists of a server that was never seen may keep a client waiting: Codex asks once in a session. */
const FIRST_LISTS_MS = 2_000
/** After a failure, doubling: a server that is down must not be asked every second. */
const RETRY_MS = 5_000
const MAX_RETRY_MS = 300_000

type Opened = { deps: Deps; profile: string; destination: Destination }

export type CatalogueOptions = {
  open: () => Promise<Opened>
  tools: string[] | null
  send: Send
  changed: (methods: ListMethod[]) => void
}

export type Catalogue = {
  lists: () => Promise<Lists>
  /** The names that the hosted server is known to take; null: not tried yet. */
  allowed: () => string[] | null
  begin: () => void
  wake: () => void
  /** The other server says that it has changed. */
  refetch: () => void
  stop: () => void
}

/** Creates the catalogue of one server. */
export function createCatalogue({ open, tools, send, changed }: CatalogueOptions): Catalogue {
  let kept: Kept | null = null
  /** The generation that the lists were fetched with; null: not in this process. */
  let fetchedWith: number | null = null
  let failed: { generation: number; waitMs: number; until: number; final: boolean } | null = null
  let timer: NodeJS.Timeout | null = null
  let stopped = false
  let looking = false
  let firstLooked = () => {}
  const firstLook = new Promise<void>((resolve) => {
    firstLooked = resolve
  })
  let firstLists: Promise<void> | null = null

  async function load(): Promise<Kept> {
    if (kept) return kept
    const nothing = { lists: emptyLists(), asked: [], allowed: null }
    const opened = await open().catch(() => null)
    if (!opened) return nothing
    kept ??= readLists(fileOf(opened)) ?? nothing
    return kept
  }

  function fileOf({ deps, profile, destination }: Opened): string {
    return listsFile(deps.config.tokenDir, [...destination.key, profile, tools])
  }

  async function fetchAnew(opened: Opened): Promise<void> {
    const known = await load()
    const { fetched, problem } = await fetchLists(opened, { send, tools, known })
    const methods = differing(known.lists, fetched.lists)
    kept = fetched
    if (methods.length > 0) changed(methods)
    const { deps } = opened
    try {
      writeLists(deps.config.tokenDir, fileOf(opened), fetched)
    } catch (error) {
      deps.log('debug', say`the list was not kept: ${describeError(error)}`)
    }
    if (problem !== null) throw problem
  }

  async function look(): Promise<void> {
    const opened = await open()
    const { deps, destination } = opened
    const generation = await generationOf(opened)
    if (generation === null || generation === fetchedWith) return
    if (failed?.generation === generation && (failed.final || deps.clock.elapsed() < failed.until)) return
    // Before, not after: what the other server tells of a change meanwhile counts.
    fetchedWith = generation
    try {
      await fetchAnew(opened)
      failed = null
    } catch (error) {
      fetchedWith = null
      if (stopped) return
      const known = toCodedError(error)
      const waitMs = failed?.generation === generation ? Math.min(failed.waitMs * 2, MAX_RETRY_MS) : RETRY_MS
      if (failed?.generation !== generation) deps.log('warn', say`${destination.name}: ${known.said}`)
      const final = known.recovery === 'reauthorize'
      failed = { generation, waitMs, until: deps.clock.elapsed() + waitMs, final }
    }
  }

  /** The generation of the token that the lists are fetched with; null: there is none, and one is needed. */
  async function generationOf({ deps, profile, destination }: Opened): Promise<number | null> {
    try {
      const app = await resolveApp(deps, profile)
      const record = await deps.store.read(app.id)
      return record.tokenSet || !destination.remote?.needsToken ? record.generation : null
    } catch (error) {
      if (!destination.remote?.needsToken && error instanceof CodedError) return 0
      throw error
    }
  }

  /** Resolves once the first look is over, unless it takes too long or cannot find anything. */
  async function awaitFirstLook(): Promise<void> {
    const opened = await open().catch(() => null)
    if (!opened || (await generationOf(opened).catch(() => null)) === null) return
    if (!looking) schedule(0)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FIRST_LISTS_MS)
    })
    await Promise.race([firstLook, late]).finally(() => clearTimeout(timer))
  }

  async function lists(): Promise<Lists> {
    let known = await load()
    if (known.asked.length === 0) {
      firstLists ??= awaitFirstLook()
      await firstLists
      known = await load()
    }
    const opened = await open().catch(() => null)
    if (opened) remarkUnlisted(opened, known.asked.length === 0)
    return known.lists
  }

  function remarkUnlisted({ deps, destination }: Opened, isUnlisted: boolean): void {
    const key = `${destination.name}/unlisted`
    const text = say`The tools of ${destination.name} are not listed yet: they come within seconds of a login. If this client does not show them then, start a new session in it.`
    if (isUnlisted) deps.remarks.set(key, text)
    else deps.remarks.delete(key)
  }

  function schedule(ms: number): void {
    if (stopped) return
    if (timer) clearTimeout(timer)
    timer = setTimeout(() => {
      looking = true
      look()
        .catch(() => undefined)
        .finally(() => {
          looking = false
          firstLooked()
          schedule(LOOK_MS)
        })
    }, ms).unref()
  }

  let awake = false
  return {
    lists,
    allowed: () => kept?.allowed ?? null,
    begin() {
      if (!awake) schedule(UNASKED_LOOK_MS)
    },
    wake() {
      if (awake) return
      awake = true
      schedule(FIRST_LOOK_MS)
    },
    refetch() {
      fetchedWith = null
    },
    stop() {
      stopped = true
      if (timer) clearTimeout(timer)
    },
  }
}
