// The other server: opened with the first request that needs it, opened again when it is gone.

import { type CallOptions, type Link, type RequestHeaders, silent } from './link.ts'
import type { Call, Reply, RpcObject } from './message.ts'

export type Hello = { protocolVersion: string; capabilities: RpcObject; clientInfo: RpcObject }

export type Peer = {
  /** Sends a request; one that met a lost session is sent once more in a new one. */
  request: (call: Call, options: CallOptions) => Promise<Reply>
  /** Tells the other server something, if it is there. */
  notify: (call: Call) => void
  /** What it can do; null: it is not open. */
  capabilities: () => RpcObject | null
  close: () => Promise<void>
}

/** A connection, before the handshake. `setProtocolVersion`: what was agreed on. */
export type Connection = {
  link: Link
  closed: Promise<unknown>
  setProtocolVersion: (version: string) => void
}

type Session = { link: Link; capabilities: RpcObject }

export type PeerOptions = {
  connect: () => Promise<Connection>
  hello: () => Hello
  /** For how long it may say nothing until its first answer. */
  startMs: number
  /** For how long a request waits for it to be open. */
  waitMs: number
}

/** A server that `connect` reaches. */
export function createPeer({ connect, hello, startMs, waitMs }: PeerOptions): Peer {
  let opening: Promise<Session | Reply> | null = null
  let current: Session | null = null
  /** The latest connection, its handshake over or not: a program that never answers must end with us, too. */
  let connecting: Promise<Connection> | null = null

  function open(headers: RequestHeaders): Promise<Session | Reply> {
    if (opening) return opening
    const attempt = shakeHands(headers)
    opening = attempt
    const forget = () => {
      if (opening === attempt) opening = null
    }
    attempt.then((opened) => 'link' in opened || forget(), forget)
    return attempt
  }

  async function shakeHands(headers: RequestHeaders): Promise<Session | Reply> {
    connecting = connect()
    const { link, closed, setProtocolVersion } = await connecting
    // Whoever waits for it may leave; the next one still wants it.
    const signal = new AbortController().signal
    try {
      const params = { ...hello() }
      const options = { signal, headers, silenceMs: startMs }
      const reply = await link.request({ method: 'initialize', params }, options)
      if (!reply.result) {
        await link.close()
        return reply
      }
      setProtocolVersion(String(reply.result.protocolVersion))
      await link.notify({ method: 'notifications/initialized' }, headers).catch(() => undefined)
      const session = { link, capabilities: (reply.result.capabilities ?? {}) as RpcObject }
      current = session
      void closed.then(() => drop(session))
      return session
    } catch (error) {
      await link.close()
      throw error
    }
  }

  function drop(session: Session): void {
    if (current !== session) return
    current = null
    opening = null
  }

  return {
    async request(call, options) {
      for (let reopened = false; ; reopened = true) {
        const session = await within(open(options.headers), options.signal, waitMs)
        if (!('link' in session)) return session
        const reply = await session.link.request(call, options)
        if (!reply.lost || reopened) return reply
        drop(session)
        session.link.retire()
      }
    },
    notify(call) {
      if (current) current.link.notify(call, null).catch(() => undefined)
    },
    capabilities: () => current?.capabilities ?? null,
    async close() {
      const latest = await connecting?.catch(() => null)
      await latest?.link.close()
    },
  }
}

function within<T>(work: Promise<T>, signal: AbortSignal, ms: number): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(silent(ms)), ms)
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    })
  })
}
