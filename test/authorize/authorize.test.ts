import { expect, test } from 'vitest'
import { say } from '../../src/sentence.ts'
import { failureOf } from '../support/failure.ts'
import {
  begin,
  codePresentations,
  DEADLINE_MS,
  expectFreePort,
  leaveHalfway,
  makeWorld,
  paste,
  start,
  startProcess,
  status,
  visit,
} from './fixture.ts'

test('only the answer with our state decides: a forged one with the code of a stranger changes nothing', async () => {
  const world = await makeWorld()
  const stranger = world.sandbox.addUser({ name: 'Eve' })
  const url = await begin(world.deps)
  const location = await world.sandbox.approve(url)
  const strangers = new URL(await world.sandbox.approve(url, { user: stranger }))
  const forge = (edit: (query: URLSearchParams) => void): string => {
    const forged = new URL(strangers)
    edit(forged.searchParams)
    return forged.href
  }
  const forgeries = [
    forge((query) => query.delete('state')),
    forge((query) => query.set('state', 'x'.repeat(43))),
    forge((query) => query.append('state', 'twice')),
    forge((query) => query.append('code', 'twice')),
    forge((query) => query.set('error', 'access_denied')),
    forge((query) => query.set('iss', 'https://attacker.example')),
    forge((query) => query.delete('code')),
  ]
  for (const forged of forgeries) expect((await visit(forged)).status).toBe(400)
  expect(codePresentations(world)).toBe(0)
  expect(await status(world.deps, 0)).toMatchObject({ authorization_status: 'pending' })
  expect((await visit(location)).status).toBe(200)
  expect(await status(world.deps)).toMatchObject({ user_open_id: world.sandbox.user.openId, generation: 1 })
})

test('an answer that arrives twice is exchanged once', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  const held = world.sandbox.faults.next({ kind: 'hold' })
  const first = visit(location)
  await held.reached
  expect((await visit(location)).status).toBe(410)
  held.release()
  expect((await first).status).toBe(200)
  expect(codePresentations(world)).toBe(1)
  expect(await status(world.deps)).toMatchObject({ status: 'valid' })
})

test('a pasted address is used once, in any process, and what is wrong with it is told', async () => {
  const world = await makeWorld()
  const other = await startProcess(world)
  const location = await world.sandbox.approve(await begin(world.deps))
  const wrong = [
    location.replace('state=', 'state=x'),
    location.replace('/callback', '/elsewhere'),
    location.split('?')[0] ?? '',
    'https://attacker.example/callback',
    'not an address',
    '',
  ]
  for (const address of wrong) {
    const error = await failureOf(() => paste(other, address))
    expect(error.code, address).toBe('state_mismatch')
    expect(error.nextStep).toContain(world.deps.config.redirectUri)
  }
  expect((await status(world.deps, 0)).authorization_status).toBe('pending')
  expect((await paste(other, `<${location.replace('localhost', '127.0.0.1')}>.`)).status).toBe('succeeded')
  await expectFreePort(world)
  expect(await failureOf(() => paste(other, location))).toMatchObject({
    code: 'state_mismatch',
    message: expect.stringContaining('has succeeded'),
  })
  expect(codePresentations(world)).toBe(1)
})

test('a pasted address that comes too late is told apart from one that belongs to nothing', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  world.pass(DEADLINE_MS)
  expect(await failureOf(() => paste(world.deps, location))).toMatchObject({ code: 'authorization_expired' })
  await start(world.deps)
  expect(await failureOf(() => paste(world.deps, location))).toMatchObject({ code: 'state_mismatch' })
})

test('a denial is told as one, any other error of the redirect by its name', async () => {
  const world = await makeWorld()
  const denied = await world.sandbox.deny(await begin(world.deps))
  expect(await failureOf(() => paste(world.deps, denied))).toMatchObject({
    code: 'access_denied',
    message: 'The person declined on the consent page.',
    nextStep: 'Call start_authorization again when the person wants to approve.',
  })
  expect((await status(world.deps, 0)).authorization_status).toBe('denied')
  const url = await begin(world.deps)
  const other = new URL(await world.sandbox.deny(url))
  other.searchParams.set('error', 'server_error')
  expect(await failureOf(() => paste(world.deps, other.href))).toMatchObject({
    code: 'unexpected_response',
    message: 'Feishu ended the authorization with "server_error".',
    nextStep: 'Call start_authorization again.',
  })
  expect((await status(world.deps, 0)).authorization_status).toBe('failed')
})

test('a device code that the person denies ends as a denial', async () => {
  const world = await makeWorld({ knobs: { deviceIntervalMs: 1_000, enforcePollInterval: false } })
  const { pending } = await start(world.deps, { method: 'device' })
  await world.sandbox.denyDevice(pending?.device?.userCode ?? '')
  expect(await status(world.deps)).toMatchObject({
    status: 'not_authorized',
    authorization_status: 'denied',
  })
})

test('why an address is of no use is told, with what to do', async () => {
  const world = await makeWorld()
  const nextStep = 'Call start_authorization for a new link, and paste the address that it ends on.'
  const none = {
    code: 'state_mismatch',
    message: 'No authorization is waiting for this address.',
    nextStep,
  }
  const expired = {
    code: 'authorization_expired',
    message: 'The authorization of this address has expired.',
    nextStep,
  }
  const told = (location: string) => failureOf(() => paste(world.deps, location))
  expect(await told(`${world.deps.config.redirectUri}?code=c&state=s`)).toMatchObject(none)
  const late = await world.sandbox.approve(await begin(world.deps))
  world.pass(DEADLINE_MS)
  expect(await told(late)).toMatchObject(expired)
  await expect.poll(async () => (await status(world.deps, 0)).authorization_status).toBe('expired')
  expect(await told(late)).toMatchObject(expired)
  const cancelled = await world.sandbox.approve(await begin(world.deps))
  await start(world.deps, { cancel: true })
  expect(await told(cancelled)).toMatchObject(none)
  const used = await world.sandbox.approve(await begin(world.deps))
  await paste(world.deps, used)
  expect(await told(used)).toMatchObject({
    code: 'state_mismatch',
    nextStep: 'Call token_status to see the token; call start_authorization without callback_url for a link.',
  })
  expect(await told(cancelled)).toMatchObject(none)
})

test('an address is of no use to a code, nor to one whose code is being exchanged', async () => {
  const world = await makeWorld()
  await leaveHalfway(world, { phase: 'exchanging' })
  const address = `${world.deps.config.redirectUri}?code=c&state=s`
  expect(await failureOf(() => paste(world.deps, address))).toMatchObject({
    code: 'state_mismatch',
    message: 'No authorization is waiting for this address.',
  })
  await start(world.deps, { method: 'device' })
  expect(await failureOf(() => paste(world.deps, address))).toMatchObject({
    code: 'state_mismatch',
    message: 'The pending authorization goes by a code and ends on no address.',
    nextStep:
      'Call token_status with wait_seconds 45 to learn when the person has approved; call start_authorization without callback_url for a link.',
  })
})

test('a cancel where nothing waits any more cancels nothing', async () => {
  const world = await makeWorld()
  const nothing = {
    status: 'cancelled',
    pending: null,
    joined: false,
    browserOpened: false,
    unknownScopes: [],
  }
  expect(await start(world.deps, { cancel: true })).toMatchObject(nothing)
  await begin(world.deps)
  world.pass(DEADLINE_MS)
  expect(await start(world.deps, { cancel: true })).toMatchObject(nothing)
  expect(world.logs).toEqual([])
})

test('scopes that are not known are told of a new link, not of one that is joined', async () => {
  const world = await makeWorld()
  const deps = { ...world.deps, openBrowser: async () => say`no browser` }
  const options = { scopes: ['im:message', 'no:such:scope'], openBrowser: true }
  expect(await start(deps, options)).toMatchObject({
    joined: false,
    unknownScopes: ['no:such:scope'],
    browserOpened: false,
    browserProblem: expect.objectContaining({ texts: ['no browser'] }),
  })
  expect(await start(deps, { ...options, openBrowser: null })).toMatchObject({
    joined: true,
    unknownScopes: [],
    browserProblem: null,
  })
})
