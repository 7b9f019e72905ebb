// Kills at random moments, over and over, on one store: nothing unreadable, nothing lost but what the ledger explains.

import { CodedError } from '../../src/errors.ts'
import { refreshToken } from '../../src/refresh/refresh.ts'
import { fingerprint } from '../feishu-sandbox/ledger.ts'
import {
  checkFiles,
  checkNoLeftovers,
  checkNoProcess,
  checkText,
  presentationsByToken,
} from '../support/invariants.ts'
import { age, storeIssued } from '../support/stored.ts'
import { goOn, leavePending, paste, setAuthorizationScene } from './authorization.ts'
import { refreshing, start } from './process.ts'
import { type Scene, setScene, type Theatre, wasLost } from './scene.ts'

/** Lost grants count inside the window when the ledger proves it, outside when it does not. */
export type Kills = { kills: number; unreadable: number; lost: number; lostOutside: number; slow: number }

const NONE: Kills = { kills: 0, unreadable: 0, lost: 0, lostOutside: 0, slow: 0 }

/** Some are killed after their end. */
const BEYOND = 1.1
/** The next call after a kill works within this. */
const NEXT_MS = 2_000
/** Those of a run and of the one before. */
const RECENT_SECRETS = 8

function wait(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms))
}

/** The moments at which runs are killed: spread over as long as a run takes here and now, and a little longer. */
function createMoments(firstRunMs: number, random: () => number) {
  let spanMs = firstRunMs * BEYOND
  return {
    next: (): number => random() * spanMs,
    /** A run came to its end before it was killed: that is how long one takes by now. */
    learn(tookMs: number): void {
      spanMs = (spanMs + tookMs * BEYOND) / 2
    },
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await run()
  return performance.now() - startedAt
}

/** The app's own secret and the tokens of the last runs: all of thousands would take longer than the runs. */
function secretsOf(scene: Scene): string[] {
  const [appSecret = '', ...minted] = scene.secrets()
  return [appSecret, ...minted.slice(-RECENT_SECRETS)]
}

function checkScene(scene: Scene, generation: number, before: number): void {
  if (generation < before) throw new Error(`the generation fell from ${before} to ${generation}`)
  for (const entries of presentationsByToken(scene.sandbox.ledger).values()) {
    if (entries.length > 2) throw new Error(`a token was presented ${entries.length} times`)
  }
  checkNoProcess(scene.folder)
  checkFiles(scene.folder, secretsOf(scene))
  checkNoLeftovers(scene.folder)
}

/** Two refreshes at a time, one of them killed; the next one works, or says what was lost. */
export async function killRefreshes(
  theatre: Theatre,
  main: string,
  count: number,
  random: () => number,
): Promise<Kills> {
  const scene = await setScene(theatre)
  const tally = { ...NONE }
  const unharmed = await timed(() => start(scene, refreshing(main, '--force')).end)
  const moments = createMoments(unharmed, random)
  let highest = 1
  while (tally.kills < count) {
    await age((await scene.open()).store, scene.id)
    const victim = start(scene, refreshing(main))
    const took = timed(() => victim.end)
    const witness = random() < 0.3 ? start(scene, refreshing(main)) : null
    await wait(moments.next())
    victim.kill('SIGKILL')
    const ended = [await victim.end, await witness?.end]
    if (ended[0]?.signal !== 'SIGKILL') {
      moments.learn(await took)
      continue
    }
    tally.kills += 1
    const deps = await scene.open()
    const stored = await deps.store.read(scene.id).catch(() => null)
    if (!stored) tally.unreadable += 1
    const held = stored?.tokenSet?.refreshToken?.reveal() ?? ''
    const startedAt = performance.now()
    const next = await refreshToken(deps, { profile: 'default', force: false }).catch((error) => error)
    if (performance.now() - startedAt > NEXT_MS) tally.slow += 1
    for (const { stdout, stderr } of ended.filter((run) => run !== undefined)) {
      checkText('an output', stdout + stderr, secretsOf(scene))
    }
    const generation = (await (await scene.open()).store.read(scene.id)).generation
    checkScene(scene, generation, highest)
    highest = generation
    if (!(next instanceof CodedError)) continue
    if (next.code !== 'refresh_uncertain') throw next
    tally[wasLost(scene, held) ? 'lost' : 'lostOutside'] += 1
    highest += 1
    await storeIssued(deps.store, scene.id, scene.sandbox.issue(), scene.sandbox.user, Date.now())
  }
  scene.close()
  return tally
}

/** Authorizations that are killed on their way; the next process goes on, with a new link at worst. */
export async function killLogins(
  theatre: Theatre,
  main: string,
  count: number,
  random: () => number,
): Promise<Kills> {
  const scene = await setAuthorizationScene(theatre)
  const tally = { ...NONE }
  const logIn = (address: string) => start(scene, [process.execPath, main], { talk: paste(address) })
  const address = await leavePending(scene)
  const moments = createMoments(await timed(() => logIn(address).end), random)
  while (tally.kills < count) {
    const before = (await (await scene.open()).store.read(scene.id)).generation
    const address = await leavePending(scene)
    const code = fingerprint(new URL(address).searchParams.get('code') ?? '')
    const victim = logIn(address)
    const took = timed(() => victim.end)
    await wait(moments.next())
    victim.kill('SIGKILL')
    const ended = await victim.end
    checkText('an output', ended.stdout + ended.stderr, secretsOf(scene))
    if (ended.signal !== 'SIGKILL') {
      moments.learn(await took)
      continue
    }
    tally.kills += 1
    const stored = await (await scene.open()).store.read(scene.id).catch(() => null)
    if (!stored?.tokenSet) tally.unreadable += 1
    const went = await goOn(scene, before)
    const [entry, ...more] = scene.sandbox.ledger.filter((entry) => entry.fingerprint === code)
    if (more.length > 0) throw new Error('a code was presented twice')
    if (entry?.outcome === 'granted' && went === 'new link') tally.lost += 1
    await age((await scene.open()).store, scene.id)
    const next = await refreshToken(await scene.open(), { profile: 'default', force: false })
    if (next.status !== 'refreshed') throw new Error(`the token is ${next.status}`)
    checkScene(scene, next.record.generation, before)
  }
  scene.close()
  return tally
}
