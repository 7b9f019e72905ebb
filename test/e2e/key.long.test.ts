// The key moves while others work, and while it is killed.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { crashAtEveryChange } from '../support/crash.ts'
import { run, startServer } from '../support/program.ts'
import { ENVIRONMENT_KEY, keyFiles, sourcesOf, statusOf, storedStage } from './key-stage.ts'

test('killed before any of its changes, a move leaves everything to be opened, and the next one completes it', async () => {
  const stage = await storedStage(['default', 'work'])
  const env = { FEISHU_TOKEN_KEY: ENVIRONMENT_KEY }
  const { crashes, last } = await crashAtEveryChange(
    stage,
    ['key', '--move-to', 'env'],
    async () => {
      for (const profile of ['default', 'work'])
        expect(await statusOf(stage, profile, env)).toMatchObject({ status: 'valid', generation: 1 })
    },
    env,
  )
  // Three files sealed anew, and the old key removed.
  expect(crashes).toBeGreaterThanOrEqual(3)
  expect(last.code).toBe(0)
  expect(sourcesOf(stage)).toEqual(['env'])
  expect(readdirSync(join(stage.tokenDir, 'key'))).toEqual([])
})

test('while other copies refresh and look, the key moves to and fro and nobody notices', async () => {
  const stage = await storedStage(['default', 'work'])
  const env = { FEISHU_TOKEN_KEY: ENVIRONMENT_KEY }
  const server = await startServer(stage, { env })
  let moving = true
  const busy = async (profile: string) => {
    let calls = 0
    for (; moving; calls += 1) {
      const refreshed = await server.call('refresh_token', { force: true, profile })
      expect(refreshed.text).not.toMatch(/FAILED/)
      expect((await server.call('token_status', { profile })).data).toMatchObject({ status: 'valid' })
    }
    return calls
  }
  const others = [busy('default'), busy('work')]
  for (const to of ['env', 'file', 'env', 'file']) {
    const moved = await run(stage, ['key', '--move-to', to, '--json'], { env })
    expect(JSON.parse(moved.stdout)).toMatchObject({ status: 'moved', key_source: to, left: [] })
  }
  moving = false
  const calls = await Promise.all(others)
  for (const [index, profile] of ['default', 'work'].entries()) {
    const status = await statusOf(stage, profile)
    expect(status).toMatchObject({ status: 'valid', key_source: 'file', generation: 1 + (calls[index] ?? 0) })
  }
  expect(keyFiles(stage)).toHaveLength(1)
})
