import { expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { awaitRegistration, beginRegistration, keepApp } from '../../src/app/setup.ts'
import { makeDeps, type World, withSleep } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'

const NO_APP = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' }

/** Waits by the test's own clock, here and at Feishu; the pauses are kept, and `during` happens in the first one. */
function clockwork(world: World, during: () => Promise<unknown> | undefined = () => undefined) {
  const pauses: number[] = []
  const wait = async (ms: number): Promise<void> => {
    pauses.push(ms)
    world.pass(ms)
    if (pauses.length === 1) await during()
  }
  return { pauses, wait }
}

function polls(world: World): number {
  return world.sandbox.requests.filter(({ path }) => path === '/oauth/v1/app/registration').length - 1
}

test('an app that a person has had created is kept, its secret sealed', async () => {
  const world = await makeDeps({ env: NO_APP })
  const registration = await beginRegistration(world.deps, world.deps.config.scopes)
  expect(registration.verificationUrl.startsWith(`${world.sandbox.url}/page/launcher?`)).toBe(true)
  const { pauses, wait } = clockwork(world, () => world.sandbox.approveDevice(registration.userCode))
  const app = await awaitRegistration(withSleep(world.deps, wait), registration)
  expect(app.brand).toBe('feishu')
  expect(pauses).toEqual([5_000])
  await keepApp(world.deps, 'default', app)
  // checkFiles of makeDeps proves that the secret is in no file as it is.
  const kept = await resolveApp(await world.sibling(), 'default')
  expect(kept.id).toEqual({ brand: 'feishu', appId: app.appId, profile: 'default' })
  expect(kept.client.appSecret.reveal()).toBe(app.appSecret.reveal())
})

test('a person of Lark is followed to Lark once, and the app is of that brand', async () => {
  const world = await makeDeps({ env: NO_APP, knobs: { registrationBrand: 'lark' } })
  const registration = await beginRegistration(world.deps, world.deps.config.scopes)
  const { pauses, wait } = clockwork(world, () => world.sandbox.approveDevice(registration.userCode))
  const app = await awaitRegistration(withSleep(world.deps, wait), registration)
  expect(app.brand).toBe('lark')
  // The accounts host of the settings stays: both polls went there.
  expect([polls(world), pauses]).toEqual([2, [5_000, 5_000]])
})

test("without a host of their own, Lark's people are asked for at Lark's host", async () => {
  const world = await makeDeps({ env: NO_APP, knobs: { registrationBrand: 'lark' } })
  const { sandbox } = world
  const asked: string[] = []
  const deps = {
    ...world.deps,
    config: { ...world.deps.config, accountsUrl: null, openUrl: null },
    request: ((request) => {
      asked.push(new URL(request.url).origin)
      const { pathname } = new URL(request.url)
      return world.deps.request({ ...request, url: `${sandbox.url}${pathname}` })
    }) as typeof world.deps.request,
  }
  // Feishu's own link is not the sandbox's: only the polls are of interest here.
  const registration = await beginRegistration(world.deps, world.deps.config.scopes)
  const { wait } = clockwork(world, () => sandbox.approveDevice(registration.userCode))
  const app = await awaitRegistration(withSleep(deps, wait), registration)
  expect(asked).toEqual(['https://accounts.feishu.cn', 'https://accounts.larksuite.com'])
  expect(app.endpoints.open).toBe('https://open.larksuite.com')
})

test('a person who declines, and one who never comes, end it with the way through the console', async () => {
  const world = await makeDeps({ env: NO_APP })
  const first = await beginRegistration(world.deps, world.deps.config.scopes)
  const declining = clockwork(world, () => world.sandbox.denyDevice(first.userCode))
  const denied = await failureOf(() => awaitRegistration(withSleep(world.deps, declining.wait), first))
  expect([denied.code, denied.nextStep]).toEqual([
    'access_denied',
    expect.stringContaining(`${world.sandbox.url}/app`),
  ])
  const second = await beginRegistration(world.deps, world.deps.config.scopes)
  const { wait, pauses } = clockwork(world)
  const expired = await failureOf(() => awaitRegistration(withSleep(world.deps, wait), second))
  expect(expired.code).toBe('authorization_expired')
  expect(pauses.reduce((sum, ms) => sum + ms)).toBeGreaterThanOrEqual(second.lifetimeMs)
  expect(await world.deps.store.readApps()).toBeNull()
})

test('a Feishu that goes on saying "pending" after the end is not asked for ever', async () => {
  const world = await makeDeps({ env: NO_APP })
  const registration = await beginRegistration(world.deps, world.deps.config.scopes)
  const pending = {
    endpoint: 'registration',
    kind: 'error',
    code: 0,
    error: 'authorization_pending',
    status: 400,
    omitCode: true,
  } as const
  world.sandbox.faults.next(pending, Number.POSITIVE_INFINITY)
  const { wait } = clockwork(world)
  const error = await failureOf(() => awaitRegistration(withSleep(world.deps, wait), registration))
  expect(error.code).toBe('authorization_expired')
  expect(polls(world)).toBeLessThan(registration.lifetimeMs / registration.intervalMs + 2)
})

test('slow_down and an outage make the polls slower, and the app still comes', async () => {
  const world = await makeDeps({ env: NO_APP })
  const registration = await beginRegistration(world.deps, world.deps.config.scopes)
  world.sandbox.faults.next({
    endpoint: 'registration',
    kind: 'error',
    code: 0,
    error: 'slow_down',
    status: 400,
    omitCode: true,
  })
  world.sandbox.faults.next({ endpoint: 'registration', kind: 'reset', when: 'before_processing' })
  const { pauses, wait } = clockwork(world, () => world.sandbox.approveDevice(registration.userCode))
  await awaitRegistration(withSleep(world.deps, wait), registration)
  expect(pauses).toEqual([5_000, 10_000, 15_000])
})

test('a Feishu without this flow is named, and the console as the way', async () => {
  const world = await makeDeps({ env: NO_APP })
  world.sandbox.faults.next({
    endpoint: 'registration',
    kind: 'error',
    code: 0,
    error: 'unauthorized_client',
    status: 400,
    omitCode: true,
  })
  const error = await failureOf(() => beginRegistration(world.deps, world.deps.config.scopes))
  expect([error.code, error.nextStep]).toEqual([
    'unauthorized_client',
    expect.stringContaining('developer console'),
  ])
})
