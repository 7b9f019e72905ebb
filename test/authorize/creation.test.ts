import { expect, onTestFinished, test } from 'vitest'
import { newCreation, pollCreation } from '../../src/authorize/creation.ts'
import type { CodedError } from '../../src/errors.ts'
import type { NewApp } from '../../src/oauth/credentials.ts'
import { makeDeps, type World } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import { start } from './fixture.ts'

const SCOPES = ['im:message', 'offline_access']

async function emptyWorld(): Promise<World> {
  return makeDeps({
    env: { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' },
    knobs: { deviceIntervalMs: 1_000, enforcePollInterval: false },
  })
}

test('a creation is a code that has no secrets of its own, and lives as long as Feishu says', async () => {
  const world = await emptyWorld()
  const pending = await newCreation(world.deps, SCOPES)
  expect(pending).toMatchObject({
    step: 'create_app',
    method: 'device',
    scopes: SCOPES,
    redirectUri: world.deps.config.redirectUri,
    authorizationUrl: expect.stringContaining(`${world.sandbox.url}/page/launcher?`),
    device: { userCode: expect.any(String), intervalMs: 1_000 },
    startedAt: world.now(),
    deadlineAt: world.now() + world.sandbox.knobs.deviceCodeLifetimeMs,
    phase: 'waiting',
    tokens: null,
    outcome: null,
  })
  expect([pending.state.reveal(), pending.codeVerifier.reveal()]).toEqual(['', ''])
  expect((await newCreation(world.deps, SCOPES)).id).not.toBe(pending.id)
})

test('where the store cannot be read nobody is asked for an app, whose secret would be lost', async () => {
  const world = await emptyWorld()
  const store = { ...world.deps.store, readApps: () => Promise.reject(new Error('torn')) }
  await expect(newCreation({ ...world.deps, store }, SCOPES)).rejects.toThrow('torn')
  expect(world.sandbox.requests).toEqual([])
})

/** Polls every 20 ms; the end is taken the second time that it is told. */
async function poll(world: World): Promise<{ userCode: string; apps: NewApp[]; errors: CodedError[] }> {
  const { device } = await newCreation(world.deps, SCOPES)
  if (!device) throw new Error('a code was asked for')
  const apps: NewApp[] = []
  const errors: CodedError[] = []
  const polling = pollCreation(
    world.deps,
    { ...device, intervalMs: 20 },
    async (app) => apps.push(app) === 2,
    async (error) => errors.push(error) === 2,
  )
  onTestFinished(() => polling.close())
  return { userCode: device.userCode, apps, errors }
}

test('the new app is told until it is taken: its secret comes only once', async () => {
  const world = await emptyWorld()
  const { userCode, apps, errors } = await poll(world)
  await world.sandbox.approveDevice(userCode)
  await expect.poll(() => apps.length).toBe(2)
  expect(apps[1]).toBe(apps[0])
  expect(apps[0]).toMatchObject({ brand: 'feishu', appId: expect.stringMatching(/^cli_/) })
  const asked = world.sandbox.requests.length
  await new Promise((resume) => setTimeout(resume, 100))
  expect([world.sandbox.requests.length, apps.length, errors.length]).toEqual([asked, 2, 0])
})

test('a denial is told with the two ways that are left', async () => {
  const world = await emptyWorld()
  const { userCode, apps, errors } = await poll(world)
  await world.sandbox.denyDevice(userCode)
  await expect.poll(() => errors.length).toBe(2)
  expect(apps).toEqual([])
  expect(errors[0]).toMatchObject({
    code: 'access_denied',
    nextStep: `Call start_authorization with create_app true for a new link, or create the app in the developer console (${world.sandbox.url}/app) and run \`feishu-token-mcp setup\`.`,
  })
})

test('where no app is configured one is created on request alone, and the creation is joined without it', async () => {
  const world = await emptyWorld()
  expect((await failureOf(() => start(world.deps))).code).toBe('not_configured')
  const first = await start(world.deps, { createApp: true })
  onTestFinished(() => start(world.deps, { cancel: true }).then(() => undefined))
  expect(first).toMatchObject({ joined: false, pending: { step: 'create_app' } })
  expect(await start(world.deps)).toMatchObject({ joined: true, pending: { id: first.pending?.id } })
})

test('where an app is configured none is created; what is wrong with the credentials is told as it is', async () => {
  const world = await makeDeps()
  const { appId } = world.sandbox.app
  expect(await failureOf(() => start(world.deps, { createApp: true }))).toMatchObject({
    code: 'config_invalid',
    message: `The app ${appId} is configured, so none is created.`,
    nextStep: 'Call start_authorization without create_app.',
  })
  const empty = await emptyWorld()
  const store = { ...empty.deps.store, readApps: () => Promise.reject(new TypeError('torn')) }
  await expect(start({ ...empty.deps, store }, { createApp: true })).rejects.toThrow('torn')
})
