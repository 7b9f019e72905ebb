// The ways to a host, as undici's dispatchers: direct on loopback, through the proxy where one is set.

import type { Dispatcher, Pool } from 'undici'
import { CodedError, errnoOf } from '../errors.ts'
import { isLoopbackUrl } from './address.ts'
import { noProxyList, type ProxySettings, proxyAddress } from './proxy.ts'

type Limits = { headersTimeout: number; bodyTimeout: number; connect: { timeout: number } }

/**
 * undici's own time limits are off: one deadline stands over all, and knows about suspended processes. A connection
 * that no one waits for any longer is given up after the longest deadline.
 */
export const ONE_DEADLINE: Limits = { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 30_000 } }
/** The gateway bounds silence itself; what cannot be connected within this is down. */
export const GATEWAY_LIMITS: Limits = { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 10_000 } }

/** undici takes a proxy that hangs up for a mishap and asks it again at once, without end: it must look like a failure. */
function tryingOnce(proxy: Pool, unusable: CodedError | null): Pool {
  const connect: (options: Dispatcher.ConnectOptions) => Promise<Dispatcher.ConnectData> =
    proxy.connect.bind(proxy)
  const connectOnce = (options: Dispatcher.ConnectOptions) =>
    unusable
      ? Promise.reject(unusable)
      : connect(options).catch((error) => {
          const mishap = ['UND_ERR_SOCKET', 'UND_ERR_INFO'].includes(errnoOf(error) ?? '')
          throw mishap ? Object.assign(new Error('the proxy hung up'), { code: 'ECONNRESET' }) : error
        })
  return Object.assign(proxy, { connect: connectOnce })
}

/** The way to a URL's host, opened once for each kind of way. undici is loaded with the first. */
export function createDispatchers(
  settings: ProxySettings,
): (url: string, limits: Limits) => Promise<Dispatcher> {
  const dispatchers = new Map<string, Dispatcher>()

  return async (url, limits) => {
    const { Agent, EnvHttpProxyAgent, Pool } = await import('./undici.ts')
    const direct = !settings.proxy || isLoopbackUrl(new URL(url))
    const name = `${direct ? 'direct' : 'proxied'} ${limits.connect.timeout}`
    const known = dispatchers.get(name)
    if (known) return known
    const address = settings.proxy && proxyAddress(settings.proxy)
    const unusable = address instanceof CodedError ? address : null
    // Only a request that needs the proxy hears of it: NO_PROXY may exempt the host.
    const proxy = unusable ? 'http://unusable.invalid' : String(address)
    const noProxy = noProxyList(settings.noProxy)
    // It is asked for nothing but the way to a host: until its answer there is no connection.
    const answerBy = { headersTimeout: limits.connect.timeout }
    const clientFactory = (origin: URL, options: object) =>
      tryingOnce(new Pool(origin, { ...options, ...answerBy }), unusable)
    const created = direct
      ? new Agent(limits)
      : new EnvHttpProxyAgent({ ...limits, httpProxy: proxy, httpsProxy: proxy, noProxy, clientFactory })
    dispatchers.set(name, created)
    return created
  }
}
