import { expect, test } from 'vitest'
import { authorize, presentations, setStage, startServer } from '../support/program.ts'

test('settings that name another app present nothing, and the message names both apps', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  await authorize(stage, server)
  await server.close()
  const other = stage.sandbox.addApp({ redirectUrls: [] })
  const swapped = await startServer(stage, {
    env: { FEISHU_APP_ID: other.appId, FEISHU_APP_SECRET: other.appSecret },
  })
  const refused = await swapped.call('refresh_token', { force: true })
  expect(refused.isError).toBe(true)
  expect(refused.text).toContain(stage.sandbox.app.appId)
  expect(refused.text).toContain(other.appId)
  expect(presentations(stage)).toBe(0)
})
