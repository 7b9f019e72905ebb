import { expect, onTestFinished, test } from 'vitest'
import { type App, resolveApp } from '../../src/app/app.ts'
import { pollDevice } from '../../src/authorize/device-poll.ts'
import type { AuthorizationAnswer } from '../../src/authorize/finish.ts'
import { newAuthorization } from '../../src/authorize/new-authorization.ts'
import type { HttpRequest } from '../../src/oauth/http.ts'
import type { PendingAuthorization } from '../../src/oauth/pending-authorization.ts'
import type { World } from '../support/deps.ts'
import { makeWorld } from './fixture.ts'

type Device = NonNullable<PendingAuthorization['device']>

/** A code that waits for its person, asked for every 20 ms; what is told of it is taken the second time only. */
async function poll(): Promise<{
  world: World
  app: App
  device: Device
  asked: HttpRequest[]
  told: AuthorizationAnswer[]
}> {
  const world = await makeWorld({ knobs: { enforcePollInterval: false } })
  const app = await resolveApp(world.deps, 'default')
  const pending = await newAuthorization(world.deps, app, { scopes: ['offline_access'], method: 'device' })
  if (!pending.device) throw new Error('a code was asked for')
  const device = { ...pending.device, intervalMs: 20 }
  const asked: HttpRequest[] = []
  const told: AuthorizationAnswer[] = []
  world.intercept((request) => (options) => {
    asked.push(options)
    return request(options)
  })
  const polling = pollDevice(world.deps, app, { ...pending, device }, async (answer) => {
    told.push(answer)
    return told.length === 2
  })
  onTestFinished(() => polling.close())
  return { world, app, device, asked, told }
}

test('the tokens are told until they are taken, and asked for no more once they are there', async () => {
  const { world, app, device, asked, told } = await poll()
  await expect.poll(() => asked.length).toBeGreaterThan(1)
  expect(told).toEqual([])
  await world.sandbox.approveDevice(device.userCode)
  await expect.poll(() => told.length).toBe(2)
  expect(told[0]).toMatchObject({ kind: 'tokens', response: { problem: null } })
  expect(told[1]).toBe(told[0])
  const before = asked.length
  await new Promise((resume) => setTimeout(resume, 100))
  expect([asked.length, told.length]).toEqual([before, 2])
  for (const { url, deadlineMs, account, body } of asked) {
    expect(url).toBe(app.endpoints.token.v2)
    expect([deadlineMs, account]).toEqual([8_000, { key: app.key, forced: false }])
    expect(body).toContain(device.deviceCode.reveal())
  }
})

test('a denial is told as a failure', async () => {
  const { world, device, told } = await poll()
  await world.sandbox.denyDevice(device.userCode)
  await expect.poll(() => told.length).toBe(2)
  expect(told[0]).toMatchObject({ kind: 'failure', error: { code: 'access_denied' } })
})

test('an error that repeats the device code is told without it', async () => {
  const { world, device, told } = await poll()
  world.sandbox.faults.next({
    kind: 'error',
    code: 29_999,
    error: 'invalid_request',
    description: `no ${device.deviceCode.reveal()}`,
  })
  await expect.poll(() => told.length).toBe(2)
  const [answer] = told
  if (answer?.kind !== 'failure') throw new Error('it failed')
  expect(answer.error.message).toBe('Feishu answered 29999: a number that is not known here ("no [secret]").')
})
