import { expect, test } from 'vitest'
import { settle } from '../../src/wiring/settle.ts'
import {
  begin,
  DEADLINE_MS,
  expectFreePort,
  linkOf,
  makeWorld,
  start,
  startProcess,
  status,
  visit,
} from './fixture.ts'

test('two processes that ask at once get the same link, and one of them listens', async () => {
  const world = await makeWorld()
  const processes = [world.deps, await startProcess(world), await startProcess(world)]
  const results = await Promise.all(processes.map((deps) => start(deps)))
  expect(new Set(results.map(linkOf)).size).toBe(1)
  expect(results.map((result) => result.joined).sort()).toEqual([false, true, true])
  expect(processes.filter((deps) => deps.underWay.holders.size === 1)).toHaveLength(1)
})

test('a link that nobody opens expires, and its port is free by the time this is told', async () => {
  const world = await makeWorld()
  await begin(world.deps)
  const waiting = status(await startProcess(world))
  world.pass(DEADLINE_MS)
  expect(await waiting).toMatchObject({ status: 'not_authorized', authorization_status: 'expired' })
  await expectFreePort(world)
})

test('a wall clock that is set back keeps neither link nor port beyond the deadline', async () => {
  const world = await makeWorld()
  await begin(world.deps)
  world.jump(-86_400_000)
  const waiting = status(await startProcess(world), 5)
  world.pass(DEADLINE_MS)
  expect(await waiting).toMatchObject({ authorization_status: 'expired' })
  await expectFreePort(world)
})

test('a link whose process died before the deadline expires all the same', async () => {
  const world = await makeWorld()
  await begin(world.deps)
  await settle(world.deps)
  world.pass(DEADLINE_MS + 5_000)
  expect(await status(await startProcess(world), 0)).toMatchObject({ authorization_status: 'expired' })
})

test('a call at the very deadline begins anew, in the same process and in another', async () => {
  const world = await makeWorld()
  const first = await begin(world.deps)
  world.pass(DEADLINE_MS)
  const second = await begin(world.deps)
  world.pass(DEADLINE_MS)
  const third = await begin(await startProcess(world))
  expect(new Set([first, second, third]).size).toBe(3)
  await visit(await world.sandbox.approve(third))
  expect(await status(world.deps)).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
})

test('a cancel frees the port before it answers, and the next call begins at once', async () => {
  const world = await makeWorld()
  const other = await startProcess(world)
  for (const [holder, canceller] of [
    [world.deps, world.deps],
    [world.deps, other],
  ] as const) {
    const first = await begin(holder)
    expect((await start(canceller, { cancel: true })).status).toBe('cancelled')
    await expectFreePort(world)
    expect(await status(other, 0)).toMatchObject({ authorization_status: 'cancelled' })
    const next = await start(other)
    expect(next.joined).toBe(false)
    expect(linkOf(next)).not.toBe(first)
    await start(holder, { cancel: true })
  }
})

test('a link that a newer one has replaced is called out of date, and the newest works', async () => {
  const world = await makeWorld()
  const old = await world.sandbox.approve(await begin(world.deps))
  await start(world.deps, { cancel: true })
  const newest = await begin(world.deps)
  const page = await visit(old)
  expect(page.status).toBe(400)
  expect(page.html).toMatch(/This link is out of date[\s\S]*Use the newest link/)
  expect((await visit(world.deps.config.redirectUri)).html).toContain('This is not a login page')
  expect(await status(world.deps, 0)).toMatchObject({ authorization_status: 'pending' })
  await visit(await world.sandbox.approve(newest))
  expect(await status(world.deps)).toMatchObject({ status: 'valid' })
})

test('a cancel and a new call at once end with one authorization that works', async () => {
  const world = await makeWorld()
  const other = await startProcess(world)
  const first = await begin(world.deps)
  const [, next] = await Promise.all([start(other, { cancel: true }), start(world.deps)])
  const url = linkOf(next)
  if (url === first) expect(await status(other)).toMatchObject({ authorization_status: 'cancelled' })
  else await visit(await world.sandbox.approve(url))
  const again = url === first ? await begin(other) : null
  if (again) await visit(await world.sandbox.approve(again))
  expect(await status(other)).toMatchObject({ status: 'valid' })
})

test('the browser is opened for a new authorization, and for a joined one on request alone', async () => {
  const world = await makeWorld()
  const opened: string[] = []
  const openBrowser = async (url: string): Promise<null> => {
    opened.push(url)
    return null
  }
  const deps = { ...world.deps, openBrowser }
  const first = await start(deps, { openBrowser: null })
  expect(first).toMatchObject({ joined: false, browserOpened: true })
  expect(await start(deps, { openBrowser: null })).toMatchObject({ joined: true, browserOpened: false })
  expect(await start(deps, { openBrowser: true })).toMatchObject({ joined: true, browserOpened: true })
  const config = { ...world.deps.config, openBrowser: false }
  expect(await start({ ...deps, config }, { openBrowser: true })).toMatchObject({ browserOpened: false })
  expect(opened).toEqual([linkOf(first), linkOf(first)])
})
