import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { doctor, loggedInStage, statuses } from './doctor-report.ts'

test('a Feishu that never answers is given up in time', async () => {
  const stage = await loggedInStage()
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  onTestFinished(() => void silent.close())
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const report = await doctor(stage, { FEISHU_ACCOUNTS_URL: url, FEISHU_OPEN_URL: url })
  expect(report.code).toBe(1)
  expect(statuses(report)).toMatchObject({ open_host: 'fail', clock: 'skip', lock: 'pass', store: 'pass' })
})
