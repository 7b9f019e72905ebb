// The fetch of the standard on our own way to the network: through the proxy where one is set, and never along a redirect.

import type { Dispatcher } from 'undici'
import { networkError } from './network-error.ts'

export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/** A fetch by this dispatcher. It throws what a person can fix, not what undici says. */
export async function fetchThrough(dispatcher: Dispatcher): Promise<Fetch> {
  const { fetch } = await import('./undici.ts')
  return async (url, init) => {
    try {
      const options = { ...init, dispatcher, redirect: 'manual' } as Parameters<typeof fetch>[1]
      return (await fetch(url, options)) as unknown as Response
    } catch (error) {
      throw networkError(error, new URL(url).host)
    }
  }
}
