// A reverse proxy that ends TLS in front of the callback listener, as nginx, Caddy or a tunnel would.

import { once } from 'node:events'
import { type IncomingHttpHeaders, request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export type TlsProxy = { port: number }

/** Forwards to 127.0.0.1:`to` until the test ends; `rewrite` may change the headers that it passes on. */
export async function startTlsProxy(
  tls: { cert: Buffer; key: Buffer },
  to: number,
  rewrite: (headers: IncomingHttpHeaders) => IncomingHttpHeaders = (headers) => headers,
): Promise<TlsProxy> {
  const server = createServer(tls, (asked, answered) => {
    const forwarded = {
      ...asked.headers,
      'x-forwarded-for': asked.socket.remoteAddress,
      'x-forwarded-host': asked.headers.host,
      'x-forwarded-proto': 'https',
    }
    const headers = rewrite(forwarded)
    const onward = request({ host: '127.0.0.1', port: to, method: asked.method, path: asked.url, headers })
    onward.on('response', (response) => {
      answered.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answered)
    })
    onward.on('error', () => answered.writeHead(502).end('nobody listens behind the proxy'))
    asked.pipe(onward)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return { port: (server.address() as AddressInfo).port }
}
