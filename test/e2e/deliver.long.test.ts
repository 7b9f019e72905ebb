// A running server looks for what others have stored five seconds after its start, and then each minute.

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { HANGS_MS } from '../support/patience.ts'
import { authorize, run, startServer } from '../support/program.ts'
import { stageWithTargets } from './deliver-stage.ts'

test('a running server delivers a token that another process has refreshed', async () => {
  const { stage, dotenv } = await stageWithTargets()
  const { FEISHU_DELIVER_TO: _, ...quiet } = stage.env
  const other = { ...stage, env: quiet }
  const server = await startServer(stage)
  await authorize(stage, server)
  const first = (await run(other, ['token'])).stdout.trim()
  expect(await readFile(dotenv, 'utf8')).toBe(`# mine\nFEISHU_TOKEN=${first}\n`)
  expect((await run(other, ['refresh', '--force'])).code).toBe(0)
  const second = (await run(other, ['token'])).stdout.trim()
  expect(second).not.toBe(first)
  await expect
    .poll(() => readFile(dotenv, 'utf8'), { timeout: HANGS_MS })
    .toBe(`# mine\nFEISHU_TOKEN=${second}\n`)
  expect((await server.call('token_status')).data.deliveries).toHaveLength(3)
})
