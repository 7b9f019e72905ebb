import { expect, test } from 'vitest'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { expire, force, seed } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import { begin, makeWorld, paste, status, stored, visit } from './fixture.ts'

test('another person than the stored one is refused by name, and the old token set kept', async () => {
  const world = await makeWorld()
  await seed(world)
  const before = await stored(world)
  const eve = world.sandbox.addUser({ name: 'Eve' })
  const page = await visit(await world.sandbox.approve(await begin(world.deps), { user: eve }))
  expect(page.html).toContain('user_mismatch')
  const after = await status(world.deps)
  expect(after).toMatchObject({ status: 'valid', authorization_status: 'failed', generation: 1 })
  expect(String(after.authorization_error)).toContain(`"Eve" (${eve.openId})`)
  expect(String(after.authorization_error)).toContain(world.sandbox.user.openId)
  expect(String(after.next_step)).toMatch(
    /token is valid; to authorize again, call .*another profile.*logout --profile default/,
  )
  expect(await stored(world)).toEqual(before)
})

test('the same person gets a new token set, whose generation goes on', async () => {
  const world = await makeWorld()
  const { record } = await seed(world)
  await visit(await world.sandbox.approve(await begin(world.deps)))
  expect(await status(world.deps)).toMatchObject({ status: 'valid', generation: 2 })
  const renewed = await stored(world)
  expect(renewed.tokenSet?.accessToken?.reveal()).not.toBe(record.tokenSet?.accessToken?.reveal())
})

test('when Feishu does not say who logged in, a first login is kept and the person filled in later', async () => {
  const world = await makeWorld()
  world.sandbox.faults.next({ kind: 'error', code: 20050, endpoint: 'user_info' })
  await visit(await world.sandbox.approve(await begin(world.deps)))
  expect(await status(world.deps)).toMatchObject({ status: 'valid', user_open_id: null, generation: 1 })
  await force(world.deps)
  expect(await status(world.deps)).toMatchObject({ user_open_id: world.sandbox.user.openId })
})

test('what nobody foresaw while the person was asked for is not taken for a person', async () => {
  const world = await makeWorld()
  world.intercept((request) => (options) => {
    if (options.url.includes('user_info')) throw new TypeError('nobody foresaw it')
    return request(options)
  })
  await visit(await world.sandbox.approve(await begin(world.deps)))
  expect((await stored(world)).tokenSet?.user).toBeNull()
  expect(await status(world.deps)).toMatchObject({ status: 'valid', user_open_id: null })
})

test('when Feishu does not say who logged in, the token of a known person stays', async () => {
  const world = await makeWorld()
  await seed(world)
  const before = await stored(world)
  world.sandbox.faults.next({ kind: 'error', code: 20050, endpoint: 'user_info' })
  await visit(await world.sandbox.approve(await begin(world.deps)))
  const after = await status(world.deps)
  expect(after).toMatchObject({ status: 'valid', authorization_status: 'failed' })
  expect(String(after.authorization_error)).toMatch(
    /did not say who logged in.*was kept.*start_authorization again/,
  )
  expect(await stored(world)).toEqual(before)
})

test('why Feishu did not say who logged in is told with its number, or that it refused the token', async () => {
  const world = await makeWorld()
  await seed(world)
  const { name, openId } = world.sandbox.user
  const kept = `Feishu did not say who logged in, so the token of "${name}" (${openId}) was kept. `
  const failWith = async (fault: Fault) => {
    const location = await world.sandbox.approve(await begin(world.deps))
    world.sandbox.faults.next({ ...fault, endpoint: 'user_info' }, fault.kind === 'reset' ? 2 : 1)
    return failureOf(() => paste(world.deps, location))
  }
  expect(await failWith({ kind: 'error', code: 20050 })).toMatchObject({
    code: 'unexpected_response',
    feishuCode: 20050,
    logId: expect.any(String),
    message: expect.stringMatching(/internal error/),
  })
  expect(await failWith({ kind: 'reset', when: 'before_processing' })).toMatchObject({
    code: 'network_error',
    feishuCode: null,
  })
  expect(await failWith({ kind: 'error', code: 20005 })).toMatchObject({
    code: 'unexpected_response',
    feishuCode: null,
    logId: null,
    message: `${kept}It refused the new token.`,
    nextStep: 'Call start_authorization again.',
  })
})

test('a login without a refresh token is kept, with what to mend', async () => {
  const world = await makeWorld({ knobs: { omitRefreshToken: true } })
  await visit(await world.sandbox.approve(await begin(world.deps)))
  const after = await status(world.deps)
  expect(after).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
  expect(after.warnings.join()).toMatch(/Refresh user_access_token.*offline_access.*publish a version/)
  expire(world)
  expect(await status(world.deps)).toMatchObject({ status: 'expired' })
})
