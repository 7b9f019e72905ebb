import { expect, test } from 'vitest'
import { processDeviceAuthorization } from '../../src/oauth/device.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'

const FEISHU = endpointsOf('feishu', { accountsUrl: null, openUrl: null })

function read(times: object): { lifetimeMs: number; intervalMs: number } {
  const json = {
    device_code: 'device-code-1234',
    user_code: 'ABCD-EFGH',
    verification_uri: 'https://accounts.feishu.cn/oauth/v1/device/verify',
    ...times,
  }
  const body = Buffer.from(JSON.stringify(json))
  return processDeviceAuthorization({ kind: 'answer', status: 200, headers: {}, body }, FEISHU)
}

test('the times of an answer are seconds, and have fallbacks', () => {
  expect(read({ expires_in: 600, interval: 7 })).toMatchObject({ lifetimeMs: 600_000, intervalMs: 7_000 })
  expect(read({ expires_in: '600', interval: '7' })).toMatchObject({
    lifetimeMs: 600_000,
    intervalMs: 7_000,
  })
  expect(read({})).toMatchObject({ lifetimeMs: 240_000, intervalMs: 5_000 })
  expect(read({ expires_in: 0, interval: -1 })).toMatchObject({ lifetimeMs: 240_000, intervalMs: 5_000 })
})

test.each([0.001, 0.5])('an interval of %d s makes no flood of polls', (interval) => {
  expect(read({ interval }).intervalMs).toBe(1_000)
})

// Node takes a timer of more than 2^31 - 1 ms for one of 1 ms.
test.each([5_000, 2_147_484, 1e300])('an interval of %d s is waited for at most a minute', (interval) => {
  expect(read({ interval }).intervalMs).toBe(60_000)
})

test('a link that Feishu would keep for ever is waited for at most an hour', () => {
  expect(read({ expires_in: 1e300 }).lifetimeMs).toBe(3_600_000)
})
