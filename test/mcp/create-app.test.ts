// From nothing to a token in the chat: the person has Feishu create the app at a first link, and approves at a second.

import { inflateSync } from 'node:zlib'
import { encode } from 'uqr'
import { expect, onTestFinished, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { keepApp } from '../../src/app/setup.ts'
import type { Deps } from '../../src/deps.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import { Secret } from '../../src/secret.ts'
import { settle } from '../../src/wiring/settle.ts'
import { type Connection, connect } from '../support/connection.ts'
import { makeDeps, type World, withSleep } from '../support/deps.ts'

const CREATE = { create_app: true, open_browser: false }

/** A world without an app, in which Feishu is asked once a second, and does not mind: its clock stands still. */
async function emptyWorld(): Promise<World> {
  return makeDeps({
    env: { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '', FEISHU_TOKEN_KEY_SOURCE: 'file' },
    knobs: { deviceIntervalMs: 1_000, enforcePollInterval: false },
  })
}

/** `waits` resolves when a call looks for the first time and waits: what has changed before is no new step to it. */
async function connectTo(deps: Deps): Promise<Connection & { waits: () => Promise<void> }> {
  onTestFinished(() => settle(deps))
  let told = () => {}
  const watched = withSleep(deps, (...pause) => {
    told()
    return deps.clock.sleep(...pause)
  })
  const waits = () => new Promise<void>((resolve) => (told = resolve))
  return { ...(await connect(() => watched)), waits }
}

test('two links, and the profile and the scopes hold for both', async () => {
  const world = await emptyWorld()
  const { call, waits } = await connectTo(world.deps)
  const wish = { ...CREATE, profile: 'work', scopes: ['im:message'] }
  const { data: first } = await call('start_authorization', wish)
  expect(first).toMatchObject({
    status: 'pending',
    profile: 'work',
    authorization_step: 'create_app',
    redirect_uri: null,
    joined: false,
    requested_scopes: ['im:message', 'offline_access'],
  })
  expect(first.authorization_url).toContain(`${world.sandbox.url}/page/launcher?`)
  expect(first.next_step).toContain('not in its public documentation')
  const creating = await call('token_status', { profile: 'work' })
  expect(creating.data).toMatchObject({
    status: 'not_configured',
    authorization_status: 'pending',
    authorization_step: 'create_app',
    authorization_url: first.authorization_url,
    authorization_expires_at: first.expires_at,
  })
  expect((await call('token_status')).data).toMatchObject({ authorization_status: 'none' })

  const waiting = waits()
  const approving = call('token_status', { profile: 'work', wait_seconds: 45 })
  await waiting
  await world.sandbox.approveDevice(String(first.user_code))
  const { data: second } = await approving
  expect(second).toMatchObject({
    status: 'not_authorized',
    authorization_status: 'pending',
    authorization_step: 'approve',
  })
  expect(second.authorization_url).not.toBe(first.authorization_url)
  const { data: joined } = await call('start_authorization', { profile: 'work', open_browser: false })
  expect(joined).toMatchObject({
    joined: true,
    authorization_step: 'approve',
    authorization_url: second.authorization_url,
    requested_scopes: ['im:message', 'offline_access'],
  })
  await world.sandbox.approveDevice(String(joined.user_code))
  const { data: ended } = await call('token_status', { profile: 'work', wait_seconds: 45 })
  expect(ended).toMatchObject({
    status: 'valid',
    authorization_status: 'succeeded',
    authorization_step: null,
  })
  expect(ended.app_id).not.toBe(world.sandbox.app.appId)
})

test('another process joins the creation, sees the second link, and goes on when the first is gone', async () => {
  const world = await emptyWorld()
  const one = await connectTo(world.deps)
  const { data: first } = await one.call('start_authorization', CREATE)
  const other = await connectTo(await world.sibling())
  // Without create_app as well: what is pending is joined before the settings are judged.
  const { data: joined } = await other.call('start_authorization', { open_browser: false })
  expect(joined).toMatchObject({
    joined: true,
    authorization_step: 'create_app',
    authorization_url: first.authorization_url,
  })
  await settle(world.deps)
  await other.call('start_authorization', CREATE)
  const waiting = other.waits()
  const approving = other.call('token_status', { wait_seconds: 45 })
  await waiting
  await world.sandbox.approveDevice(String(first.user_code))
  expect((await approving).data.authorization_step).toBe('approve')
  const { data: again } = await one.call('start_authorization', CREATE)
  expect(again).toMatchObject({ joined: true, authorization_step: 'approve' })
})

test('where a process ended after it had kept the app, the next goes on with the approval', async () => {
  const world = await emptyWorld()
  const { call } = await connectTo(world.deps)
  await call('start_authorization', { ...CREATE, scopes: ['im:message'] })
  await settle(world.deps)
  const { appId, appSecret, brand } = world.sandbox.app
  await keepApp(world.deps, 'default', {
    brand,
    appId,
    appSecret: new Secret(appSecret),
    endpoints: endpointsOf(brand, world.deps.config),
  })
  expect((await call('token_status')).data).toMatchObject({ authorization_step: 'create_app' })
  const { data } = await call('start_authorization', CREATE)
  expect(data).toMatchObject({
    joined: true,
    authorization_step: 'approve',
    requested_scopes: ['im:message', 'offline_access'],
  })
})

test('a denial of the creation keeps nothing; a denial of the approval keeps the app', async () => {
  const world = await emptyWorld()
  const { call, waits } = await connectTo(world.deps)
  const { data: first } = await call('start_authorization', CREATE)
  const waiting = call('token_status', { wait_seconds: 45 })
  await world.sandbox.denyDevice(String(first.user_code))
  const { data: declined } = await waiting
  expect(declined).toMatchObject({ status: 'not_configured', authorization_status: 'denied' })
  expect(declined.next_step).toMatch(/create_app.*developer console.*setup/)

  const { data: second } = await call('start_authorization', CREATE)
  const begun = waits()
  const created = call('token_status', { wait_seconds: 45 })
  await begun
  await world.sandbox.approveDevice(String(second.user_code))
  await created
  const { data: approval } = await call('start_authorization', { open_browser: false })
  const denied = call('token_status', { wait_seconds: 45 })
  await world.sandbox.denyDevice(String(approval.user_code))
  expect((await denied).data).toMatchObject({ status: 'not_authorized', authorization_status: 'denied' })
  const { id } = await resolveApp(await world.sibling(), 'default')
  const refused = await call('start_authorization', CREATE)
  expect(refused.text).toContain(`The app ${id.appId} is configured`)
  expect(refused.text).toMatch(/\[code=config_invalid recovery=fix_config\]$/)
})

test('Feishu may give no code for the approval: then it has failed, and the app stays', async () => {
  const world = await emptyWorld()
  const { call } = await connectTo(world.deps)
  const { data: first } = await call('start_authorization', CREATE)
  world.sandbox.faults.next({
    endpoint: 'device_authorization',
    kind: 'answer',
    status: 400,
    body: '{"error":"unauthorized_client"}',
  })
  const waiting = call('token_status', { wait_seconds: 45 })
  await world.sandbox.approveDevice(String(first.user_code))
  expect((await waiting).data).toMatchObject({ status: 'not_authorized', authorization_status: 'failed' })
})

test('the creation is cancelled and ends like an authorization, and needs no address', async () => {
  const world = await emptyWorld()
  const { call } = await connectTo(world.deps)
  const { data: first } = await call('start_authorization', CREATE)
  const pasted = await call('start_authorization', { callback_url: 'http://localhost:9000/callback?code=1' })
  expect(pasted.text).toContain('code=state_mismatch')
  expect((await call('start_authorization', { cancel: true })).data.status).toBe('cancelled')
  expect((await call('token_status')).data).toMatchObject({ authorization_status: 'cancelled' })
  const { data: next } = await call('start_authorization', CREATE)
  expect(next.authorization_url).not.toBe(first.authorization_url)
  world.pass(11 * 60_000)
  expect((await call('token_status', { wait_seconds: 20 })).data).toMatchObject({
    status: 'not_configured',
    authorization_status: 'expired',
  })
})

test('with an app in the settings none is created, and nobody is asked', async () => {
  const world = await makeDeps()
  const { call } = await connectTo(world.deps)
  const { text } = await call('start_authorization', CREATE)
  expect(text).toMatch(/start_authorization without create_app.*code=config_invalid/)
  expect(world.sandbox.requests).toEqual([])
})

test('not_configured names the way first', async () => {
  const world = await emptyWorld()
  const { call } = await connectTo(world.deps)
  for (const name of ['start_authorization', 'refresh_token']) {
    expect((await call(name)).text).toMatch(
      /call start_authorization with create_app true, .*setup.*code=not_configured/,
    )
  }
  const { next_step } = (await call('token_status')).data
  expect(next_step).toMatch(/^An app is needed: call start_authorization with create_app true, /)
})

/** Reads a PNG of one bit a pixel: which pixels are dark. */
function readPixels(png: Buffer): boolean[][] {
  const chunks = new Map<string, Buffer>()
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    chunks.set(png.toString('latin1', at + 4, at + 8), png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  }
  const width = chunks.get('IHDR')?.readUInt32BE(0) ?? 0
  const rows = inflateSync(chunks.get('IDAT') ?? Buffer.alloc(0))
  const rowBytes = 1 + Math.ceil(width / 8)
  return Array.from({ length: width }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const byte = rows[y * rowBytes + 1 + (x >> 3)] ?? 0
      return (byte & (0x80 >> (x & 7))) === 0
    }),
  )
}

test.each([
  ['the creation of the app', CREATE, ''],
  ['a device code', { method: 'device', open_browser: false }, null],
])('the link of %s is also a picture that a phone scans', async (_, args, appId) => {
  const world = appId === null ? await makeDeps() : await emptyWorld()
  const { client } = await connectTo(world.deps)
  const { content, structuredContent } = (await client.callTool({
    name: 'start_authorization',
    arguments: args,
  })) as { content: { type: string; data: string; mimeType: string }[]; structuredContent: object }
  expect(content.map(({ type, mimeType }) => [type, mimeType])).toEqual([
    ['text', undefined],
    ['image', 'image/png'],
  ])
  const { authorization_url } = structuredContent as { authorization_url: string }
  const pixels = readPixels(Buffer.from(content[1]?.data ?? '', 'base64'))
  const { data, size } = encode(authorization_url, { border: 4 })
  const scale = pixels.length / size
  expect(Number.isInteger(scale)).toBe(true)
  const drawn = Array.from({ length: size }, (_, y) =>
    Array.from({ length: size }, (_, x) => pixels[y * scale]?.[x * scale]),
  )
  expect(drawn).toEqual(data)
})
