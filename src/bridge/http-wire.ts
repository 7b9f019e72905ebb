// The SDK's streamable HTTP transport as a wire. Around it stands a fetch that gives each request its own headers, lets
// no redirect be followed, and tells of every request whether it can still be answered.

import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import { CodedError, errnoOf } from '../errors.ts'
import { say } from '../sentence.ts'
import { MAX_CHARACTERS } from './lines.ts'
import type { Link, RequestHeaders, Wire } from './link.ts'
import type { Message, Reply } from './message.ts'
import { Resumption, TRIES } from './resumption.ts'

export type HttpOptions = {
  url: URL
  fetch: FetchLike
  /** Headers for what belongs to no request: the stream on which the server speaks of its own accord. */
  streamHeaders: () => Promise<RequestHeaders>
  /** No message is longer; what is holds this process up while it is read. */
  maxBytes?: number
}

/** No refusal comes near; more is not read. */
const MAX_REFUSAL_BYTES = 65_536

/** No server is waited for longer when we leave: that is for it, not for us. */
const FAREWELL_MS = 1_000

/** A stream that ends at once is asked for again no sooner, whatever the server says of it. */
const STREAM_MS = 1_000

/** What may be better in a moment; any other refusal of a stream stands. */
function isPassing(status: number): boolean {
  return status === 429 || status >= 500
}

/** What the transport takes for a server that speaks only when it is asked; it would follow a redirect. */
const NO_STREAM = () => new Response(null, { status: 405 })

type Failed = Error & { reply: Reply }

/** An answer that is no success, as what the transport throws on. */
function failed(reply: Reply): Failed {
  return Object.assign(new Error(`HTTP ${reply.status}`), { reply })
}

function replyOf(status: number, text: string): Reply {
  try {
    const { error } = JSON.parse(text) as { error?: Reply['error'] }
    if (typeof error?.code === 'number')
      return { status, error: { ...error, message: String(error.message) } }
  } catch {
    // No JSON: the status says it all.
  }
  return { status }
}

function typeOf({ headers }: Response): string | undefined {
  return headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
}

/** An answer, or its beginning where it is longer. */
async function textOf(response: Response, maxBytes: number): Promise<string> {
  const reader = response.body?.getReader()
  const chunks: Uint8Array[] = []
  for (let bytes = 0; reader && bytes < maxBytes; ) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    bytes += value.length
  }
  await reader?.cancel()
  // As any reader of JSON, without a byte order mark.
  return new TextDecoder().decode(Buffer.concat(chunks))
}

/** Whether there is a blank line, which ends an event. */
function endsEvent(bytes: Buffer): boolean {
  return ['\n\n', '\n\r', '\r\r'].some((end) => bytes.includes(end))
}

/** Opens a wire; `link` is asked for once the wire is in use. */
export async function openHttpWire(
  { url, fetch, streamHeaders, maxBytes = MAX_CHARACTERS }: HttpOptions,
  link: () => Link,
): Promise<Wire & { setProtocolVersion: (version: string) => void }> {
  const headersOf = new Map<string, RequestHeaders>()
  /** Those of the last request: the end of a session must cost no refresh. */
  let latest: RequestHeaders = {}
  let sessionLost = false
  const resumption = new Resumption((id) => link().fail(id, broken(url, null)))
  let streamAskedAt = Number.NEGATIVE_INFINITY

  const guarded: FetchLike = async (input, init = {}) => {
    const sent = typeof init.body === 'string' ? init.body : null
    const isEnd = init.method === 'DELETE'
    if (sent === null && !isEnd) {
      const early = streamAskedAt + STREAM_MS - performance.now()
      if (early > 0) await new Promise((resume) => setTimeout(resume, early).unref())
      streamAskedAt = performance.now()
    }
    const own = isEnd ? latest : ((sent === null ? null : headersOf.get(sent)) ?? (await streamHeaders()))
    latest = own
    const headers = new Headers(init.headers)
    for (const [name, value] of Object.entries(own)) headers.set(name, value)
    // Without a session no server knows whom a stream of its own is for: it is not asked for one.
    if (sent === null && !headers.has('mcp-session-id')) return NO_STREAM()
    if (resumption.isGivenUp && headers.has('last-event-id')) return NO_STREAM()
    const asked = fetch(input, { ...init, headers, redirect: 'manual' })
    if (isEnd) return asked
    if (sent === null) return stream(asked, headers.get('last-event-id'))
    const response = await asked
    const id = (JSON.parse(sent) as Message).id
    const lost = response.status === 404 && headers.has('mcp-session-id')
    sessionLost ||= lost
    if (!response.ok)
      throw failed({ ...replyOf(response.status, await textOf(response, MAX_REFUSAL_BYTES)), lost })
    const type = typeOf(response)
    if (type === 'application/json') return withNamedErrors(response)
    return type === 'text/event-stream' && typeof id === 'number' ? watched(response, id) : response
  }

  /** Errors that name no request (no `id`, or null) are errors of the request that they answer; the transport drops them. */
  function withNamedErrors(response: Response): Response {
    const json = async () => {
      const data = JSON.parse(await textOf(response, maxBytes)) as {
        id?: unknown
        error?: Reply['error']
      } | null
      if (data?.error && (data.id ?? null) === null)
        throw failed({ status: response.status, error: data.error })
      return data
    }
    return Object.defineProperty(response, 'json', { value: json })
  }

  /** The same answer, whose end is noticed. */
  function watched(response: Response, id: number): Response {
    resumption.begin(id)
    // What was read last is still being taken apart.
    return bounded(response, () => setImmediate(() => resumption.end(id)))
  }

  /** The stream that was asked for, or that there is none; the transport asks again for what only failed for now. */
  async function stream(asked: Promise<Response>, after: string | null): Promise<Response> {
    const fail = (tries: number) => after !== null && resumption.failAfter(after, tries)
    const response = await asked.catch((error) => {
      fail(1)
      throw error
    })
    if (response.ok && typeOf(response) === 'text/event-stream')
      // Where no event came, the transport does not know any more what it was to come after.
      return bounded(response, () => setImmediate(() => fail(TRIES)))
    const passing = isPassing(response.status)
    fail(passing ? 1 : TRIES)
    return passing ? response : NO_STREAM()
  }

  /** The same events, of which none is longer than a message may be. */
  function bounded(response: Response, ended: () => void): Response {
    const reader = response.body?.getReader()
    let bytes = 0
    let last: Uint8Array = Buffer.alloc(0)
    const body = new ReadableStream({
      async pull(controller) {
        try {
          const chunk = await reader?.read()
          if (chunk && !chunk.done) {
            bytes = endsEvent(Buffer.concat([last, chunk.value])) ? 0 : bytes + chunk.value.length
            last = chunk.value.subarray(-1)
            if (bytes <= maxBytes) return controller.enqueue(chunk.value)
            resumption.giveUp()
            await reader?.cancel()
          }
          controller.close()
        } catch (error) {
          controller.error(error)
        }
        ended()
      },
      cancel: () => reader?.cancel(),
    })
    const { status } = response
    return new Response(body, { status, headers: Object.fromEntries(response.headers) })
  }

  const reconnectionOptions = {
    initialReconnectionDelay: 1_000,
    maxReconnectionDelay: 30_000,
    reconnectionDelayGrowFactor: 1.5,
    maxRetries: TRIES,
  }
  const transport = new StreamableHTTPClientTransport(url, { fetch: guarded, reconnectionOptions })
  transport.onmessage = (message) => link().receive(message as Message)
  await transport.start()

  async function send(message: Message, headers: RequestHeaders | null): Promise<void> {
    const body = JSON.stringify(message)
    const id = message.method !== undefined && typeof message.id === 'number' ? message.id : null
    if (headers) headersOf.set(body, headers)
    try {
      await transport.send(message as never, {
        onresumptiontoken: (event) => {
          if (id !== null) resumption.note(id, event)
        },
      })
    } catch (error) {
      const { reply } = error as Partial<Failed>
      if (reply && id !== null) return link().receive({ id, ...reply } as Message)
      throw reply ? error : broken(url, error)
    } finally {
      headersOf.delete(body)
    }
    if (id !== null && !resumption.isOpen(id) && link().isWaiting(id)) throw unreadable(url)
  }

  async function close(): Promise<void> {
    if (!sessionLost) await farewell()
    await transport.close()
  }

  /** Ends the session there; a server that does not answer is not waited for. */
  async function farewell(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FAREWELL_MS)
    })
    await Promise.race([transport.terminateSession().catch(() => undefined), late])
    clearTimeout(timer)
  }

  return {
    send,
    close,
    setProtocolVersion: (version) => transport.setProtocolVersion(version),
  }
}

function broken({ host }: URL, error: unknown): CodedError {
  if (error instanceof CodedError) return error
  const errno = errnoOf((error as Error | null)?.cause) ?? errnoOf(error)
  // What was read and is no message.
  if (error !== null && errno === null && !(error instanceof TypeError)) return unreadable({ host })
  return new CodedError(
    'network_error',
    say`The connection to ${host} broke off${errno === null ? say`` : say` (${errno})`}.`,
    {
      nextStep: say`Check the network, HTTPS_PROXY and NODE_EXTRA_CA_CERTS; see whether it was done before it is sent again.`,
    },
  )
}

function unreadable({ host }: { host: string }): CodedError {
  return new CodedError('unexpected_response', say`The answer of ${host} is not an MCP message.`, {
    nextStep: say`Check the address, and whether a proxy answers in its place.`,
  })
}
