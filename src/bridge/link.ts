// One connection to the other server. Every request that goes over it is answered: by the other side, or with an error
// once the connection breaks or nothing has been heard for too long.

import { CodedError } from '../errors.ts'
import { say } from '../sentence.ts'
import {
  type Answer,
  type Call,
  INTERNAL_ERROR,
  METHOD_NOT_FOUND,
  type Message,
  type Reply,
} from './message.ts'

/** A minute without a word or progress is the end; clients give up a call after about as long. */
export const SILENCE_MS = 60_000

/** Headers of one request; a child has none. */
export type RequestHeaders = Readonly<Record<string, string>>

/** What carries messages; a failed send is thrown. `headers` null: as for what belongs to no request. */
export type Wire = {
  send: (message: Message, headers: RequestHeaders | null) => Promise<void>
  close: () => Promise<void>
}

/** What takes what the other server says of its own accord. */
export type Handlers = {
  notice: (call: Call) => void
  /** `signal`: the question was taken back, and no answer is waited for. */
  ask: (call: Call, signal: AbortSignal) => Promise<Answer>
}

/** One request: whoever waits for it, and for how long nothing may be heard of it, if that is not the link's own. */
export type CallOptions = { signal: AbortSignal; headers: RequestHeaders; silenceMs?: number }

export type Link = {
  request: (call: Call, options: CallOptions) => Promise<Reply>
  notify: (call: Call, headers: RequestHeaders | null) => Promise<void>
  /** Takes a message that came. */
  receive: (message: Message) => void
  /** Ends a request, or all, with what went wrong. */
  fail: (id: number | null, error: CodedError) => void
  /** Whether a request is still waited for. */
  isWaiting: (id: number) => boolean
  close: () => Promise<void>
  /** Closes as soon as nothing is waited for. */
  retire: () => void
}

type OpenRequest = {
  progressToken: unknown
  finish: (end: { reply: Reply } | { error: unknown }) => void
  heard: () => void
}

/** Opens a link over what `createWire` makes. */
export function openLink(options: { silenceMs: number; handlers: Handlers; wire: Wire }): Link {
  const { handlers, wire } = options
  const waiting = new Map<number, OpenRequest>()
  let lastId = 0
  /** Questions of the other side that are not answered yet: a person may be thinking. */
  const asked = new Map<string | number, AbortController>()
  let retired = false

  function request(call: Call, given: CallOptions): Promise<Reply> {
    const { signal, headers, silenceMs = options.silenceMs } = given
    lastId += 1
    const id = lastId
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout
      const cancelThere = (reason: string) => {
        const params = { requestId: id, reason }
        notify({ method: 'notifications/cancelled', params }, headers).catch(() => undefined)
      }
      const entry: OpenRequest = {
        progressToken: (call.params?._meta as { progressToken?: unknown } | undefined)?.progressToken,
        finish(end) {
          clearTimeout(timer)
          waiting.delete(id)
          if (retired && waiting.size === 0) void close()
          signal.removeEventListener('abort', abort)
          if ('reply' in end) resolve(end.reply)
          else reject(end.error)
        },
        heard() {
          clearTimeout(timer)
          timer = setTimeout(giveUp, silenceMs)
        },
      }
      const giveUp = () => {
        if (asked.size > 0) return entry.heard()
        cancelThere('no answer in time')
        entry.finish({ error: silent(silenceMs) })
      }
      const abort = () => {
        cancelThere('the client cancelled it')
        entry.finish({ error: signal.reason })
      }
      if (signal.aborted) return reject(signal.reason)
      signal.addEventListener('abort', abort)
      waiting.set(id, entry)
      entry.heard()
      wire.send({ jsonrpc: '2.0', id, ...call }, headers).catch((error) => entry.finish({ error }))
    })
  }

  async function notify(call: Call, headers: RequestHeaders | null): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(silent(options.silenceMs)), options.silenceMs)
    })
    const sent = wire.send({ jsonrpc: '2.0', ...call }, headers)
    await Promise.race([sent, late]).finally(() => clearTimeout(timer))
  }

  async function answer({ id = '', method = '', params }: Message): Promise<void> {
    const controller = new AbortController()
    asked.set(id, controller)
    const { signal } = controller
    const asking =
      method === 'ping' ? Promise.resolve({ result: {} }) : handlers.ask({ method, params }, signal)
    const answered = await asking.catch(() => NO_ANSWER)
    if (signal.aborted) return
    asked.delete(id)
    await wire.send({ jsonrpc: '2.0', id, ...answered }, null)
  }

  /** The other side wants no answer any more. What it means by other ids is not known here, and nobody else's business. */
  function takeBack(id: unknown): void {
    asked.get(id as string | number)?.abort()
    asked.delete(id as string | number)
  }

  function close(): Promise<void> {
    for (const id of [...asked.keys()]) takeBack(id)
    return wire.close()
  }

  return {
    request,
    notify,
    receive(message) {
      if (message.method !== undefined && message.id !== undefined) {
        answer(message).catch(() => undefined)
      } else if (message.method !== undefined) {
        const { method, params } = message
        if (method === 'notifications/cancelled') return takeBack(params?.requestId)
        const token = method === 'notifications/progress' ? params?.progressToken : undefined
        for (const entry of waiting.values())
          if (token !== undefined && entry.progressToken === token) entry.heard()
        handlers.notice({ method, params })
      } else {
        waiting.get(Number(message.id))?.finish({ reply: message as Reply })
      }
    },
    fail(id, error) {
      for (const [known, entry] of waiting) if (id === null || known === id) entry.finish({ error })
      if (id === null) for (const question of [...asked.keys()]) takeBack(question)
    },
    isWaiting: (id) => waiting.has(id),
    close,
    retire() {
      retired = true
      if (waiting.size === 0) void close()
    },
  }
}

/** The other server has said nothing for too long. */
export function silent(silenceMs: number): CodedError {
  return new CodedError(
    'network_error',
    say`The other server has said nothing for ${Math.round(silenceMs / 1000)} s; the call was given up.`,
    { nextStep: say`See whether it was done all the same before it is sent again.` },
  )
}

const NO_ANSWER: Answer = { error: { code: INTERNAL_ERROR, message: 'The client gave no answer.' } }

/** What the other server is told that asks for what the client does not offer. */
export const NOT_OFFERED: Answer = {
  error: { code: METHOD_NOT_FOUND, message: 'The client does not offer this.' },
}
