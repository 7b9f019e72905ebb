// The built program under a clock that is wrong, or jumps while it runs (libfaketime; the monotonic clock stays true).

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { age } from '../support/stored.ts'
import { refreshing, serve, start } from './process.ts'
import { openTheatre, presentationsOf, type Scene, setScene, type Theatre } from './scene.ts'
import { WHOLE } from './variant.ts'

const LIBRARIES = ['x86_64', 'aarch64'].map(
  (machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`,
)
const library = LIBRARIES.find((path) => existsSync(path))
if (!library) console.warn('SKIPPED: clocks that jump. libfaketime is missing: apt-get install libfaketime')

const faked = { LD_PRELOAD: library ?? '', FAKETIME_DONT_FAKE_MONOTONIC: '1' }
const JUMPS = ['+400d', '-400d', '+3d', '-3d', '+2h', '-2h']

type Step = { clock: string; stop?: boolean }

/** The calls to a server whose clock stands in a file: one before the steps, and one after each. */
async function callThrough(scene: Scene, steps: Step[]): Promise<unknown[]> {
  const clock = join(scene.home, 'clock')
  writeFileSync(clock, '+0')
  const server = serve(scene, WHOLE, { ...faked, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1' })
  const call = async () => (await server.call('refresh_token')).structuredContent?.status
  const statuses = [await call()]
  for (const step of steps) {
    if (step.stop) server.kill('SIGSTOP')
    writeFileSync(clock, step.clock)
    server.kill('SIGCONT')
    statuses.push(await call())
  }
  await server.close()
  return statuses
}

describe.skipIf(!library)('a clock', () => {
  let theatre: Theatre
  beforeAll(async () => {
    theatre = await openTheatre()
  })
  afterAll(() => theatre.close())

  test.each(JUMPS)(
    'that is wrong by %s costs at most one refresh, and no verdict without Feishu',
    async (offset) => {
      const scene = await setScene(theatre)
      const env = { ...faked, FAKETIME: offset }
      const status = await start(scene, [process.execPath, WHOLE, 'status', '--json'], { env }).end
      expect(['valid', 'needs_refresh']).toContain(JSON.parse(status.stdout).status)
      const refreshed = await start(scene, refreshing(WHOLE), { env }).end
      expect(['refreshed', 'still_valid'], refreshed.stdout).toContain(JSON.parse(refreshed.stdout).status)
      const again = await start(scene, refreshing(WHOLE), { env }).end
      expect(JSON.parse(again.stdout).status).toBe('still_valid')
      expect(presentationsOf(scene)).toBeLessThanOrEqual(1)
      const righted = await start(scene, refreshing(WHOLE)).end
      expect(['refreshed', 'still_valid'], righted.stdout).toContain(JSON.parse(righted.stdout).status)
      scene.close()
    },
  )

  test('that jumps while a server runs costs at most one refresh a jump', async () => {
    const scene = await setScene(theatre)
    const before = theatre.sandbox.ledger.length
    const steps = [...JUMPS, '+0'].flatMap((clock) => [{ clock }, { clock }])
    const statuses = await callThrough(scene, steps)
    expect(statuses).toHaveLength(steps.length + 1)
    expect(statuses[0]).toBe('still_valid')
    expect(new Set(statuses.slice(1))).toEqual(new Set(['refreshed', 'still_valid']))
    // After each jump the second call finds nothing to do.
    for (let index = 2; index < statuses.length; index += 2) expect(statuses[index]).toBe('still_valid')
    expect(theatre.sandbox.ledger.length - before).toBeLessThanOrEqual(JUMPS.length + 1)
    scene.close()
  })

  test('that goes on while the machine sleeps makes the token due at once', async () => {
    const scene = await setScene(theatre)
    const statuses = await callThrough(scene, [{ clock: '+3h', stop: true }, { clock: '+3h' }])
    expect(statuses).toEqual(['still_valid', 'refreshed', 'still_valid'])
    scene.close()
  })

  test('that is set back while the token expires does not keep it alive', async () => {
    const scene = await setScene(theatre)
    await age((await scene.open()).store, scene.id, 3_000_000)
    const statuses = await callThrough(scene, [{ clock: '+1h' }, { clock: '+0' }])
    expect(statuses).toEqual(['still_valid', 'refreshed', 'refreshed'])
    scene.close()
  })
})
