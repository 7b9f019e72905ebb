/** Which requests a fault waits for; `token` where nothing is said. */

export type FaultTarget =
  | 'token'
  | 'user_info'
  | 'api'
  | 'device_authorization'
  | 'registration'
  | 'revoke'
  | 'page'
  | 'mcp'
  | 'any'

/**
 * What goes wrong with one request; plain data, so that it travels over HTTP.
 * `processed`: the request took effect first (a refresh token was rotated), only its answer suffers.
 */
export type Fault = { endpoint?: FaultTarget } & (
  | {
      /** Lets one request pass untouched. */
      kind: 'none'
    }
  | {
      /** Feishu's own error of this code, in the shape of the endpoint; nothing is consumed. */
      kind: 'error'
      code: number
      status?: number
      error?: string
      description?: string
      omitCode?: boolean
      fields?: Record<string, unknown>
      headers?: Record<string, string>
    }
  | {
      /** Any answer. In `body`, `{{answer}}` is the true answer, `{{request}}` the request's own body. */
      kind: 'answer'
      status: number
      headers?: Record<string, string>
      body?: string
      /** How `body` becomes bytes; `latin1` reaches every byte, so also broken UTF-8. */
      encoding?: 'utf8' | 'latin1'
      processed?: boolean
    }
  | {
      /** The true answer with other fields, status or headers. */
      kind: 'edit'
      set?: Record<string, unknown>
      remove?: string[]
      status?: number
      headers?: Record<string, string>
    }
  | {
      /** TCP reset. `connect` hits the next new connection, whatever it is for. */
      kind: 'reset'
      when: 'connect' | 'before_read' | 'before_processing' | 'after_processing'
    }
  | {
      /** The true answer, cut short: too large a Content-Length, a reset in mid-body, or half the JSON. */
      kind: 'cut'
      how: 'content_length' | 'reset' | 'json'
    }
  | { kind: 'silence'; processed?: boolean }
  | {
      /** The true answer, a byte at a time. */
      kind: 'drip'
      everyMs: number
    }
  | {
      /** The true answer, once released. */
      kind: 'hold'
      processed?: boolean
    }
  | {
      /** A body of this many bytes once decoded; with `gzip` it is a bomb. */
      kind: 'bulk'
      bytes: number
      gzip?: boolean
      processed?: boolean
    }
  | {
      /** These bytes on the socket instead of an HTTP answer; templates as in `answer`, and `{{length}}`. */
      kind: 'raw'
      bytes: string
      encoding?: 'utf8' | 'latin1'
      processed?: boolean
      keepOpen?: boolean
    }
)

/**
 * What `next` gives back. `reached`: the first request has met the fault, is in the ledger and has taken effect
 * if it was to. `release`: held requests go on.
 */
type FaultHandle = {
  id: number
  reached: Promise<void>
  release(): void
}

export type Faults = {
  /** Queues the fault for the next `count` matching requests; `Infinity` until `clear()`. */
  next(fault: Fault, count?: number): FaultHandle
  /** Empties the queue and releases what is held. */
  clear(): void
}

/** A fault that a request has met; `meet` says that it has happened, or is held. */
export type MetFault = { fault: Fault; released: Promise<void>; meet: () => void }

export type FaultQueue = Faults & {
  handle(id: number): FaultHandle | null
  /** The fault for a request to this endpoint, if one waits. */
  take(endpoint: Exclude<FaultTarget, 'any'>): MetFault | null
  /** The reset for a new connection, if one waits. */
  takeConnectReset(): boolean
}

type Queued = MetFault & { left: number }

function matches(fault: Fault, endpoint: FaultTarget): boolean {
  if (fault.kind === 'reset' && fault.when === 'connect') return false
  const target = fault.endpoint ?? 'token'
  return target === 'any' || target === endpoint
}

/** The queue of injected faults: first in, first matching out. */
export function createFaultQueue(): FaultQueue {
  const handles = new Map<number, FaultHandle>()
  let queue: Queued[] = []

  function take(found: Queued | undefined): MetFault | null {
    if (!found) return null
    found.left -= 1
    if (found.left <= 0) queue = queue.filter((item) => item !== found)
    return found
  }

  return {
    next(fault, count = 1) {
      let meet = (): void => {}
      let release = (): void => {}
      const reached = new Promise<void>((resolve) => {
        meet = resolve
      })
      const released = new Promise<void>((resolve) => {
        release = resolve
      })
      const handle = { id: handles.size + 1, reached, release }
      handles.set(handle.id, handle)
      queue.push({ fault, left: count, meet, released })
      return handle
    },
    clear() {
      queue = []
      for (const handle of handles.values()) handle.release()
    },
    handle: (id) => handles.get(id) ?? null,
    take: (endpoint) => take(queue.find((item) => matches(item.fault, endpoint))),
    takeConnectReset() {
      const met = take(queue.find((item) => item.fault.kind === 'reset' && item.fault.when === 'connect'))
      met?.meet()
      return met !== null
    },
  }
}
