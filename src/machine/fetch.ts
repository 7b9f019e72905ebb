// A fetch on our own way to the network: through the proxy where one is set, and never along a redirect. Not undici's own,
// which takes longer over a call than all else that `connect` does for it.

import type { Dispatcher } from 'undici'
import { networkError } from './network-error.ts'

export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/** Fetch Standard, "null body status": a Response with one must have no body. */
const WITHOUT_BODY = [204, 205, 304]

/** What is sent where the caller says nothing else. */
const USUAL_HEADERS = { 'accept-encoding': 'gzip', 'user-agent': 'feishu-token-mcp' }

/** What may wait for its reader; the server has to wait with more. */
const AHEAD = new ByteLengthQueuingStrategy({ highWaterMark: 65_536 })

/**
 * A fetch by this dispatcher. Where nothing was sent it throws what a person can fix; else what undici says, because the
 * request may have been fulfilled.
 */
export function fetchThrough(dispatcher: Dispatcher): Fetch {
  return async (url, init = {}) => {
    const { origin, host, pathname, search } = new URL(url)
    const { method = 'GET', body = null, signal = null } = init
    const headers = { ...USUAL_HEADERS, ...Object.fromEntries(new Headers(init.headers)) }
    const request = { origin, path: pathname + search, method, headers, body } as Dispatcher.DispatchOptions
    return new Promise((resolve, reject) => {
      const fail = (error: unknown, sent: boolean) => reject(sent ? error : networkError(error, host))
      dispatcher.dispatch(request, answering(signal, resolve, fail))
    })
  }
}

/** Hands on the answer once its head is there, and then its body as it comes. */
function answering(
  signal: AbortSignal | null,
  resolve: (response: Response) => void,
  fail: (error: unknown, sent: boolean) => void,
): Dispatcher.DispatchHandler {
  let sent = false
  let body: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null
  let leave = () => {}
  const abort = () => leave()
  const end = () => signal?.removeEventListener('abort', abort)
  signal?.addEventListener('abort', abort)
  return {
    onRequestStart(controller) {
      sent = true
      leave = () => controller.abort(signal?.reason)
      if (signal?.aborted) leave()
    },
    onResponseStart(controller, status, headers) {
      // Before the answer others may come (RFC 9110 §15.2).
      if (status < 200) return
      const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
        {
          start(given) {
            body = given
          },
          pull: () => controller.resume(),
          cancel: (reason) => controller.abort(reason),
        },
        AHEAD,
      )
      resolve(responseOf(status, headers, stream))
    },
    onResponseData(controller, chunk) {
      body?.enqueue(chunk as Uint8Array<ArrayBuffer>)
      if ((body?.desiredSize ?? 0) <= 0) controller.pause()
    },
    onResponseEnd() {
      end()
      body?.close()
    },
    onResponseError(_controller, error) {
      end()
      body?.error(error)
      // Also where the head came: it may be none that a Response can have.
      fail(error, sent)
    },
  }
}

function responseOf(
  status: number,
  given: Readonly<Record<string, string | string[] | undefined>>,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): Response {
  const headers = new Headers()
  for (const [name, values] of Object.entries(given))
    for (const value of [values ?? []].flat()) headers.append(name, value)
  if (WITHOUT_BODY.includes(status)) return new Response(null, { status, headers })
  const isPacked = headers.get('content-encoding')?.toLowerCase() === 'gzip'
  return new Response(isPacked ? body.pipeThrough(new DecompressionStream('gzip')) : body, {
    status,
    headers,
  })
}
