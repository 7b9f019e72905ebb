// The built program under a clock that is wrong, or jumps while it runs (libfaketime; the monotonic clock stays true).

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { age } from '../support/stored.ts'
import { refreshing, start } from './process.ts'
import { openTheatre, presentationsOf, type Scene, setScene, type Theatre } from './scene.ts'
import type { Talk } from './strace.ts'
import { buildVariant } from './variant.ts'

const LIBRARIES = ['x86_64', 'aarch64'].map(
  (machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`,
)
const library = LIBRARIES.find((path) => existsSync(path))
if (!library) console.warn('SKIPPED: clocks that jump. libfaketime is missing: apt-get install libfaketime')

const faked = { LD_PRELOAD: library ?? '', FAKETIME_DONT_FAKE_MONOTONIC: '1' }
const JUMPS = ['+400d', '-400d', '+3d', '-3d', '+2h', '-2h']

/** A server whose clock stands in a file, and the calls to it in turn. */
async function talkThrough(
  scene: Scene,
  main: string,
  steps: { clock: string; stop?: boolean }[],
): Promise<string[]> {
  const clock = join(scene.home, 'clock')
  writeFileSync(clock, '+0')
  const env = { ...faked, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1' }
  const statuses: string[] = []
  const line = (message: object) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`
  const call = (id: number) =>
    line({ id, method: 'tools/call', params: { name: 'refresh_token', arguments: {} } })
  const talk: Talk = (child) => {
    const clientInfo = { name: 'test', version: '0' }
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }
    child.stdin?.write(line({ id: 1, method: 'initialize', params }))
    child.stdin?.write(line({ method: 'notifications/initialized', params: {} }))
    child.stdin?.write(call(2))
    let rest = ''
    child.stdout?.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const message of lines.map((text) => JSON.parse(text))) {
        if (!(message.id > 1)) continue
        const { structuredContent, content } = message.result
        statuses.push(structuredContent?.status ?? content[0].text)
        const step = steps[message.id - 2]
        if (!step) {
          child.stdin?.end()
          return
        }
        if (step.stop) child.kill('SIGSTOP')
        writeFileSync(clock, step.clock)
        child.kill('SIGCONT')
        child.stdin?.write(call(message.id + 1))
      }
    })
  }
  await start(scene, [process.execPath, main], { env, talk }).end
  return statuses
}

describe.skipIf(!library)('a clock', () => {
  let theatre: Theatre
  let main: string
  beforeAll(async () => {
    theatre = await openTheatre()
    main = await buildVariant('whole')
  })
  afterAll(() => theatre.close())

  test.each(JUMPS)(
    'that is wrong by %s costs at most one refresh, and no verdict without Feishu',
    async (offset) => {
      const scene = await setScene(theatre)
      const env = { ...faked, FAKETIME: offset }
      const status = await start(scene, [process.execPath, main, 'status', '--json'], { env }).end
      expect(['valid', 'needs_refresh']).toContain(JSON.parse(status.stdout).status)
      const refreshed = await start(scene, refreshing(main), { env }).end
      expect(['refreshed', 'still_valid'], refreshed.stdout).toContain(JSON.parse(refreshed.stdout).status)
      const again = await start(scene, refreshing(main), { env }).end
      expect(JSON.parse(again.stdout).status).toBe('still_valid')
      expect(presentationsOf(scene)).toBeLessThanOrEqual(1)
      const righted = await start(scene, refreshing(main)).end
      expect(['refreshed', 'still_valid'], righted.stdout).toContain(JSON.parse(righted.stdout).status)
      scene.close()
    },
  )

  test('that jumps while a server runs costs at most one refresh a jump', async () => {
    const scene = await setScene(theatre)
    const before = theatre.sandbox.ledger.length
    const steps = [...JUMPS, '+0'].flatMap((clock) => [{ clock }, { clock }])
    const statuses = await talkThrough(scene, main, steps)
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
    const statuses = await talkThrough(scene, main, [{ clock: '+3h', stop: true }, { clock: '+3h' }])
    expect(statuses).toEqual(['still_valid', 'refreshed', 'still_valid'])
    scene.close()
  })

  test('that is set back while the token expires does not keep it alive', async () => {
    const scene = await setScene(theatre)
    await age(scene.open().store, scene.id, 3_000_000)
    const statuses = await talkThrough(scene, main, [{ clock: '+1h' }, { clock: '+0' }])
    expect(statuses).toEqual(['still_valid', 'refreshed', 'refreshed'])
    scene.close()
  })
})
