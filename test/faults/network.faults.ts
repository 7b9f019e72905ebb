// A machine without a network: names that cannot be resolved, hosts that cannot be reached.

import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refreshing, start } from './process.ts'
import { openTheatre, presentationsOf, setScene, type Theatre } from './scene.ts'
import { buildVariant } from './variant.ts'

const isolated = spawnSync('unshare', ['-n', 'true']).status === 0
if (!isolated) console.warn('SKIPPED: a machine without a network. unshare -n needs root on Linux')

describe.skipIf(!isolated)('without a network', () => {
  let theatre: Theatre
  let main: string
  beforeAll(async () => {
    theatre = await openTheatre()
    main = await buildVariant('whole')
  })
  afterAll(() => theatre.close())

  test.each([
    [
      'a name cannot be resolved',
      { FEISHU_OPEN_URL: 'https://open.feishu.cn' },
      /open\.feishu\.cn.*(EAI_AGAIN|ENOTFOUND)/,
    ],
    ['the host cannot be reached', {}, /127\.0\.0\.1.*(ENETUNREACH|EHOSTUNREACH|ECONNREFUSED)/],
  ])('%s: it says so in time, and spends nothing', async (_name, settings, cause) => {
    const scene = await setScene(theatre, settings)
    const startedAt = performance.now()
    const ended = await start(scene, ['unshare', '-n', ...refreshing(main, '--force')]).end
    expect(performance.now() - startedAt).toBeLessThan(15_000)
    expect(ended.code).toBe(1)
    expect(JSON.parse(ended.stdout).error).toMatchObject({
      code: 'network_error',
      recovery: 'retry',
      message: expect.stringMatching(cause),
    })
    expect(presentationsOf(scene)).toBe(0)
    const { FEISHU_OPEN_URL: _, ...env } = scene.env
    expect(
      (
        await start(
          { ...scene, env: { ...env, FEISHU_OPEN_URL: theatre.sandbox.url } },
          refreshing(main, '--force'),
        ).end
      ).code,
    ).toBe(0)
    scene.close()
  })
})
