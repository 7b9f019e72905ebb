// The gateway that lives as long as one program: its key, and what it lets in.

import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Fault } from './fault.ts'
import { type ProxyOptions, startProxy } from './proxy.ts'
import { OPEN_API } from './refusal.ts'
import type { TokenSource } from './renewal.ts'
import { findKey, upstreamHeaders } from './rewrite.ts'
import type { Route } from './route.ts'

// A child that lives for days must not hold a token that lives for two hours. It holds a key that only this proxy
// accepts; each request that bears the key goes on to the open host with the access token of that moment in its place.

export type GatewayOptions = TokenSource & {
  /** Origin of the open host in force, e.g. `https://open.feishu.cn`; requests go nowhere else. */
  openUrl: string
  /** Called at the first request only. Its connect time-out and its proxies are the caller's. */
  dispatcher: (origin: string) => Promise<Dispatcher>
} & Pick<ProxyOptions, 'log' | 'idleTimeoutMs'>

export type Gateway = {
  /** `http://127.0.0.1:PORT` */
  origin: string
  /** What the child holds in place of a token. */
  key: string
  /** Ends within about a second, whatever is under way. */
  close: () => Promise<void>
}

/** The child has ended when the gateway closes: a second is for grandchildren in the middle of an answer. */
const CLOSE_GRACE_MS = 1_000

/** 256 bits, like the keys of the store: cannot be guessed. */
const KEY_BYTES = 32

/** Where programs fetch their app's own token: they bear no credential there, but send the App Secret. */
const APP_TOKEN_PATH = /^\/open-apis\/auth\/[\w./-]*(?:\?|$)/

/** A new key. Some programs look for the prefix of Feishu's older user tokens. */
export function createKey(): string {
  return `u-${randomBytes(KEY_BYTES).toString('base64url')}`
}

/** Starts the gateway of one child on a free loopback port; it lives until `close`. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const key = createKey()
  const origin = new URL(options.openUrl).origin
  const { address, close } = await startProxy({
    ...options,
    dispatcher: oncePerOrigin(options.dispatcher),
    listen: { host: '127.0.0.1', port: 0 },
    anyHost: false,
    keepAliveMs: 0,
    route: async (req) => routeOf(req, key, origin),
  })
  return { origin: `http://127.0.0.1:${address.port}`, key, close: () => close(CLOSE_GRACE_MS) }
}

function routeOf({ url, headers }: IncomingMessage, key: string, origin: string): Route | Fault {
  const path = url as string
  const places = findKey(headers, key)
  if (places === null) return WRONG_KEY
  const anonymous = !headers.authorization?.trim() && places.length === 0
  if (anonymous && (!APP_TOKEN_PATH.test(path) || path.includes('..'))) return NO_KEY
  return {
    origin,
    path,
    takesToken: places.length > 0,
    headers: (accessToken) => upstreamHeaders(headers, places, accessToken ?? ''),
    refusals: OPEN_API,
  }
}

const WRONG_KEY: Fault = {
  status: 401,
  reason: 'credential_refused',
  message: 'This address takes only the token that it gave out, or a tenant token.',
  nextStep: 'Send the value of USER_ACCESS_TOKEN that this program was started with.',
}

const NO_KEY: Fault = {
  ...WRONG_KEY,
  message: 'This request bears no credential, which is for the paths below /open-apis/auth/ alone.',
}

/** Calls `load` once for each origin, but again after a failure. */
export function oncePerOrigin<T>(load: (origin: string) => Promise<T>): (origin: string) => Promise<T> {
  const loaded = new Map<string, Promise<T>>()
  return (origin) => {
    const known = loaded.get(origin)
    if (known !== undefined) return known
    const loading = load(origin)
    loading.catch(() => loaded.delete(origin))
    loaded.set(origin, loading)
    return loading
  }
}
