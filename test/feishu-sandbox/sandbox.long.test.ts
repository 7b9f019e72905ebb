import { expect, test } from 'vitest'
import { startSandbox } from './sandbox.ts'

test('thousands of refreshes do not slow the token endpoint down', async () => {
  const sandbox = await startSandbox()
  const url = `${sandbox.url}/open-apis/authen/v2/oauth/token`
  let { refresh_token } = sandbox.issue()
  const spent: number[] = []
  for (let round = 0; round < 2_000; round += 1) {
    const { user, system } = process.cpuUsage()
    spent.push(user + system)
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        grant_type: 'refresh_token',
        client_id: sandbox.app.appId,
        client_secret: sandbox.app.appSecret,
        refresh_token,
      }),
    })
    ;({ refresh_token } = (await response.json()) as { refresh_token: string })
  }
  await sandbox.close()
  // The processor's time, whatever else the machine does.
  const effort = (from: number, to: number) => Number(spent[to]) - Number(spent[from])
  expect(sandbox.ledger.filter((entry) => entry.outcome === 'rotated')).toHaveLength(2_000)
  // The same work at the start and at the end; a factor of three is far beyond noise, a linear scan far beyond it.
  expect(effort(1_499, 1_999)).toBeLessThan(3 * effort(200, 700))
})
