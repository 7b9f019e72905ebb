import { expect, test } from 'vitest'
import { setStage, startServer } from '../support/program.ts'

test('slow_down is obeyed', async () => {
  const stage = await setStage({ knobs: { deviceIntervalMs: 1_000 } })
  const server = await startServer(stage)
  stage.sandbox.faults.next({ kind: 'error', code: 0, error: 'slow_down', status: 400, omitCode: true })
  const started = await server.call('start_authorization', { method: 'device', open_browser: false })
  await stage.sandbox.approveDevice(String(started.data.user_code))
  const status = await server.call('token_status', { wait_seconds: 30 })
  expect(status.data.status).toBe('valid')
  const polls = stage.sandbox.requests.filter(({ path }) => path.endsWith('/oauth/token'))
  const [first, second] = polls.map(({ at }) => at)
  expect(Number(second) - Number(first)).toBeGreaterThan(5_500)
})
