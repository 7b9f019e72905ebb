// Many processes on one refresh token, and what becomes of the lock when its holder dies.

import { refreshing, serve, start } from '../test/faults/process.ts'
import { openTheatre, setScene } from '../test/faults/scene.ts'
import { checkText, presentationsByToken } from '../test/support/invariants.ts'
import { age } from '../test/support/stored.ts'

const SERVERS = 8
const CALLS = 25
/** As much as the program and Node can be made to tell. */
const LOUD = { FEISHU_LOG_LEVEL: 'debug', NODE_DEBUG: 'http,net,tls,undici' }

export type Crowd = { rounds: number; requests: number; calls: number; good: number }

/** Rounds in which every server calls at once on an expired token. */
export async function measureCrowd(main: string, rounds: number): Promise<Crowd> {
  const theatre = await openTheatre()
  const scene = await setScene(theatre)
  const { store } = await scene.open()
  const servers = Array.from({ length: SERVERS }, () => serve(scene, main))
  const crowd: Crowd = { rounds, requests: 0, calls: 0, good: 0 }
  for (let round = 1; round <= rounds; round += 1) {
    await age(store, scene.id)
    const calls = servers.flatMap((server) =>
      Array.from({ length: CALLS }, () => server.call('refresh_token')),
    )
    const answers = await Promise.all(calls)
    crowd.calls += answers.length
    crowd.good += answers.filter(
      ({ structuredContent }) => structuredContent?.generation === round + 1,
    ).length
  }
  await Promise.all(servers.map((server) => server.close()))
  crowd.requests = [...presentationsByToken(theatre.sandbox.ledger).values()].flat().length
  await theatre.close()
  return crowd
}

/** How long after the death of its holder the lock is somebody else's; milliseconds, one for each time. */
export async function measureSuccession(main: string, times: number): Promise<number[]> {
  const theatre = await openTheatre()
  const took: number[] = []
  for (let time = 0; time < times; time += 1) {
    const scene = await setScene(theatre)
    const next = serve(scene, main, LOUD)
    await next.call('token_status')
    await age((await scene.open()).store, scene.id)
    const held = theatre.sandbox.faults.next({ kind: 'hold' })
    const second = theatre.sandbox.faults.next({ kind: 'none' })
    const holder = start(scene, refreshing(main), { env: LOUD })
    await held.reached
    const answer = next.call('refresh_token')
    const killedAt = performance.now()
    holder.kill('SIGKILL')
    await second.reached
    took.push(performance.now() - killedAt)
    await answer
    for (const { stdout, stderr } of [await next.close(), await holder.end]) {
      checkText('an output', stdout + stderr, scene.secrets())
    }
    scene.close()
  }
  await theatre.close()
  return took
}
