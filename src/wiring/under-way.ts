// What this process has begun and sees through before it ends. Whatever may have sent something that works only once (a
// refresh token, a code, a revocation) does so under a profile's lock: so what holds one is under way, in every verb.

import type { UnderWay } from '../deps.ts'
import type { TokenStore } from '../store/token-store.ts'

export function createUnderWay(): UnderWay {
  const works = new Set<Promise<unknown>>()
  const underWay: UnderWay = {
    refreshes: new Map(),
    holders: new Map(),
    see(work) {
      const settled = work.catch(() => undefined).finally(() => works.delete(settled))
      works.add(settled)
      return work
    },
    async settled() {
      // What comes of one may begin another: the page that tells of a login, the note that it has ended.
      while (works.size > 0) {
        await Promise.all(works)
        await new Promise((resume) => setImmediate(resume))
      }
    },
  }
  return underWay
}

/** The same store; what is done under its locks is seen through, from the moment that the lock is held. */
export function seenThrough(store: TokenStore, underWay: UnderWay): TokenStore {
  return {
    ...store,
    glance: () => seenThrough(store.glance(), underWay),
    withLock(id, deadlineMs, work) {
      const whole = store.withLock(id, deadlineMs, (locked) => {
        void underWay.see<unknown>(whole)
        return work(locked)
      })
      return whole
    },
    updateApps: (update) => underWay.see(store.updateApps(update)),
    moveKey: (to) => underWay.see(store.moveKey(to)),
  }
}
