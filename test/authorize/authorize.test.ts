import { expect, test } from 'vitest'
import { failureOf } from '../support/failure.ts'
import {
  begin,
  codePresentations,
  DEADLINE_MS,
  expectFreePort,
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
