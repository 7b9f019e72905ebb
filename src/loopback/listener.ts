// The loopback listener for the authorization response (RFC 8252 §7.3, §8.3).
// Any page in the person's browser and any local program can reach it, so it decides nothing: it hands on the query of
// what can only be a top-level navigation to the redirect URI and shows the page it is given.

import { once } from 'node:events'
import type { Server } from 'node:net'
import { CodedError } from '../errors.ts'
import { portOf } from '../machine/address.ts'
import { call, say } from '../sentence.ts'
import { createCallbackServer } from './callback-server.ts'
import type { Tls } from './certificate.ts'
import { type Connections, trackConnections } from './connections.ts'
import { createEndPages } from './end-pages.ts'
import type { Page } from './page-text.ts'

export type ListenerOptions = {
  redirectUri: string
  /** Where to listen when a proxy ends TLS; null = the redirect URI's host and port. */
  listen: { host: string; port: number } | null
  /** Our own certificate, checked: the listener itself speaks https. */
  tls: Tls | null
  /** null = by `Accept-Language`. */
  language: 'zh' | 'en' | null
  /**
   * Decides about the query of a well-formed request and says what the person reads.
   * It reports its failures itself: what it throws is answered with a fixed page and goes nowhere else.
   */
  onResponse: (query: URLSearchParams) => Promise<Page>
}

export type Listener = {
  /**
   * The port is free, and the answers in flight are out, when the promise resolves: at once, or, where a browser is on
   * its way to the page of the end, within a second. `onResponse` may call it but not wait for it.
   */
  close(): Promise<void>
  /** Each `host:port` that is held. */
  addresses: string[]
}

/** Far more than a page needs to reach a browser, and short enough that the end is felt as immediate. */
const ANSWER_GRACE_MS = 1_000

/** Opens the redirect URI's port, and only that, on loopback, and only there, until `close()`. */
export async function listenForCallback(options: ListenerOptions): Promise<Listener> {
  const redirectUri = new URL(options.redirectUri)
  const { host, port } = options.listen ?? { host: redirectUri.hostname, port: portOf(redirectUri) }
  const connections = trackConnections()
  const endPages = createEndPages()
  const servers = new Map<string, Server>()
  for (const address of loopbackAddresses(host)) {
    const server = createCallbackServer({ ...options, redirectUri, endPages }, connections)
    try {
      await bind(server, address, port)
    } catch (cause) {
      // A machine without IPv6: then no one else can hold [::1] either.
      if (servers.size > 0 && ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(errorCode(cause) ?? '')) continue
      await closeAll([...servers.values()], connections)
      throw portError(cause, address, port, options.listen !== null)
    }
    servers.set(address === '::1' ? `[::1]:${port}` : `${address}:${port}`, server)
  }
  let closing: Promise<void> | null = null
  const close = (): Promise<void> => {
    const end = () => closeAll([...servers.values()], connections)
    closing ??= endPages.end()?.then(end) ?? end()
    return closing
  }
  return { close, addresses: [...servers.keys()] }
}

/** `localhost` is both families: otherwise another program could hold the one that the browser tries first. */
function loopbackAddresses(host: string): string[] {
  if (host === 'localhost') return ['127.0.0.1', '::1']
  if (host === '127.0.0.1') return ['127.0.0.1']
  if (host === '::1' || host === '[::1]') return ['::1']
  throw new CodedError(
    'config_invalid',
    say`The callback listener opens on loopback only, not on "${host}".`,
    {
      nextStep: say`Set FEISHU_CALLBACK_LISTEN to 127.0.0.1:PORT and let the proxy or tunnel forward to it.`,
    },
  )
}

async function bind(server: Server, host: string, port: number): Promise<void> {
  // exclusive: not shared with a cluster's siblings; ipv6Only: [::1] says nothing about 127.0.0.1.
  server.listen({ host, port, exclusive: true, ipv6Only: true })
  await once(server, 'listening')
  // A connection that cannot be accepted (EMFILE) is reported here; unheard, it would end the process.
  server.on('error', () => {})
}

function errorCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error ? String(error.code) : null
}

function portError(cause: unknown, address: string, port: number, isListenSet: boolean): CodedError {
  const code = errorCode(cause)
  const problem =
    code === 'EADDRINUSE' ? say`is in use` : say`cannot be opened (${code ?? say`unknown error`})`
  const elsewhere = isListenSet
    ? say`set FEISHU_CALLBACK_LISTEN to a free port and point the proxy there`
    : say`register a redirect URL with another port in the Feishu console and set FEISHU_REDIRECT_URI to it`
  return new CodedError('callback_port_in_use', say`Port ${port} on ${address} ${problem}.`, {
    nextStep: say`Stop the program that holds port ${port}, or ${elsewhere}; then ${call('start_authorization')} again.`,
    cause,
  })
}

async function closeAll(servers: Server[], connections: Connections): Promise<void> {
  const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)))
  connections.dropSilent()
  const grace = setTimeout(connections.dropAll, ANSWER_GRACE_MS)
  await Promise.all(closed)
  clearTimeout(grace)
}
