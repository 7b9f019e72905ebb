// The page of an authorization that has ended waits under an address of its own: the spent code leaves the address bar,
// the history and what a person copies from there. The path stays the same, because a proxy may pass on no other.

import { randomBytes } from 'node:crypto'
import type { Page } from './page-text.ts'

/** A browser follows a redirect at once; a program that does not follow it must not hold the port for long. */
const FOLLOW_MS = 1_000
/** Waited in so many parts: a process that stands still (a slow disk, a suspended machine) reads no one's request. */
const PARTS = 20

const PARAMETER = 'page'

export type EndPages = {
  /** Keeps a page for one reader; returns the query of its address, or null once the end has come. */
  keep(page: Page): string | null
  /** The page at an address, given once; null: there is none. */
  take(query: URLSearchParams): Page | null
  /** Keeps no more. Resolves when every page was taken, or a second after the last was kept; null: none waits. */
  end(): Promise<void> | null
}

export function createEndPages(): EndPages {
  const pages = new Map<string, Page>()
  let waiting: { over: Promise<void>; end: () => void } | null = null
  let ended = false

  function wait(): void {
    let end = (): void => undefined
    const over = new Promise<void>((resolve) => {
      let timer: NodeJS.Timeout
      const waitFor = (parts: number): void => {
        timer = setTimeout(() => (parts > 1 ? waitFor(parts - 1) : resolve()), FOLLOW_MS / PARTS)
      }
      waitFor(PARTS)
      end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    waiting = { over, end }
  }

  return {
    keep(page) {
      if (ended) return null
      const key = randomBytes(16).toString('hex')
      pages.set(key, page)
      waiting?.end()
      wait()
      return `?${PARAMETER}=${key}`
    },
    take(query) {
      const key = query.get(PARAMETER) ?? ''
      const page = pages.get(key) ?? null
      pages.delete(key)
      if (pages.size === 0) waiting?.end()
      return page
    },
    end() {
      ended = true
      return pages.size === 0 ? null : (waiting?.over ?? null)
    },
  }
}
