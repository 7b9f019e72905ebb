// Holders of the lock that are stopped for longer than anybody waits, each on a profile of its own.

import { rateLimited } from '../feishu-sandbox/fault-presets.ts'
import { fingerprint } from '../feishu-sandbox/ledger.ts'
import { presentationsByToken } from '../support/invariants.ts'
import { age, storeIssued } from '../support/stored.ts'
import { refreshing, start } from './process.ts'
import { inParallel, setScene, type Theatre } from './scene.ts'

export type Stops = {
  rounds: number
  doubled: number
  ended: number
  unanswered: number
  slowestMs: number
}

/** Any call ends within this (docs/design.md): ten seconds for the lock, and the start of a process. */
const ANSWER_MS = 30_000
/** More would measure how long it takes to start them. */
const WAITING_AT_ONCE = 25

/** Stops `rounds` holders for `stopMs` while others want their locks; half of them between two requests. */
export async function stopHolders(
  theatre: Theatre,
  main: string,
  rounds: number,
  stopMs: number,
): Promise<Stops> {
  const { sandbox } = theatre
  const scene = await setScene(theatre)
  const { store } = await scene.open()
  const tally: Stops = { rounds, doubled: 0, ended: 0, unanswered: 0, slowestMs: 0 }
  const holders = []
  for (let round = 1; round <= rounds; round += 1) {
    const profile = `p${round}`
    const id = { ...scene.id, profile }
    const issued = sandbox.issue()
    await storeIssued(store, id, issued, sandbox.user, Date.now())
    await age(store, id)
    const between = round % 2 === 0
    const fault = between ? sandbox.faults.next(rateLimited({ reset: '4' })) : null
    const held = between ? null : sandbox.faults.next({ kind: 'hold', processed: true })
    const run = start(scene, refreshing(main, '--profile', profile))
    await (fault ?? held)?.reached
    run.kill('SIGSTOP')
    holders.push({ profile, run, held, between, token: fingerprint(issued.refresh_token ?? '') })
  }
  const stoppedAt = performance.now()
  for (const { held } of holders) held?.release()
  await inParallel(holders, WAITING_AT_ONCE, async ({ profile }) => {
    const startedAt = performance.now()
    const { stdout } = await start(scene, refreshing(main, '--profile', profile)).end
    const tookMs = performance.now() - startedAt
    tally.slowestMs = Math.max(tally.slowestMs, tookMs)
    if (tookMs > ANSWER_MS || JSON.parse(stdout).error?.code !== 'store_locked') tally.unanswered += 1
  })
  await new Promise((resume) => setTimeout(resume, Math.max(0, stopMs - (performance.now() - stoppedAt))))
  for (const { run } of holders) run.kill('SIGCONT')
  for (const { run, token, between } of holders) {
    const answer = JSON.parse((await run.end).stdout)
    // With the pause slept through there may be no time left for the request after it.
    if (answer.status === 'refreshed' || (between && answer.error?.code === 'rate_limited')) tally.ended += 1
    const entries = presentationsByToken(sandbox.ledger).get(token) ?? []
    // The pause between two requests was asked for with an answer that consumed nothing.
    if (entries.length > (between ? 2 : 1)) tally.doubled += 1
  }
  scene.close()
  return tally
}
