// One presentation of a refresh token, without the call around it.

import { resolveApp } from '../../src/app/app.ts'
import type { Deps } from '../../src/deps.ts'
import { type Presented, presentRefreshToken } from '../../src/refresh/presentation.ts'
import { makeDeps, seed, type World } from '../support/deps.ts'

/** The network must be done after this. */
const CALL_MS = 26_000
/** An answer is lost, and nothing was spent. */
export const LOST: { kind: 'reset'; when: 'before_processing' } = { kind: 'reset', when: 'before_processing' }

/** Nothing was spent, and the next request may do. */
export const SERVER_ERROR: { kind: 'error'; code: number } = { kind: 'error', code: 20050 }

/** A world in which waiting takes no time, with a token set in the store. */
export async function makeWorld(): Promise<World> {
  const world = await makeDeps({ hurried: true })
  await seed(world)
  return world
}

/** Presents what is stored, in a call that has so much time left. */
export async function present(
  world: World,
  { deps = world.deps, leftMs = CALL_MS, unneeded = false }: Partial<Given> = {},
): Promise<Presented> {
  const app = await resolveApp(deps, 'default')
  return deps.store.withLock(app.id, 1_000, async (locked) => {
    const record = await locked.read()
    const { tokenSet } = record
    if (!tokenSet?.refreshToken) throw new Error('nothing is stored')
    const startedAt = deps.clock.elapsed() - (CALL_MS - leftMs)
    const { refreshToken } = tokenSet
    const attempt = { app, locked, record, tokenSet, refreshToken, unneeded, startedAt }
    return presentRefreshToken(deps, attempt)
  })
}
type Given = { deps: Deps; leftMs: number; unneeded: boolean }

/** How it ended, or why not. */
export function codeOf(outcome: Presented): string {
  return outcome.kind === 'failed' ? outcome.error.code : outcome.kind
}
