import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tokenStatus } from '../../src/status/status.ts'
import {
  afterAnswer,
  expire,
  force,
  makeDeps,
  presented,
  refreshDue,
  seed,
  type World,
} from '../support/deps.ts'
import { NO_POSIX_FILES, testIf } from '../support/needs.ts'

function pathOf(world: World): string {
  return join(world.directory, 'store', `feishu-${world.sandbox.app.appId}-default.json`)
}

/** A folder where a file is to be: nothing can be renamed onto it, not even by root. */
function block(path: string): void {
  mkdirSync(join(path, 'x'), { recursive: true, mode: 0o700 })
}

test('a store that takes no intent spends nothing, and names the path', async () => {
  const world = await makeDeps()
  await seed(world)
  const intent = `${pathOf(world)}.intent`
  block(intent)
  await expect(force(world.deps)).rejects.toMatchObject({
    code: 'store_unreadable',
    message: expect.stringContaining(intent),
  })
  expect(presented(world)).toBe(0)
  rmSync(intent, { recursive: true })
  expect((await force(world.deps)).status).toBe('refreshed')
})

test('a store that stops taking writes just before the first byte spends nothing', async () => {
  const world = await makeDeps()
  await seed(world)
  const intent = `${pathOf(world)}.intent`
  world.intercept((request) => (options) => {
    rmSync(intent)
    block(intent)
    return request(options)
  })
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'store_not_writable', recovery: 'retry' })
  expect(presented(world)).toBe(0)
  world.intercept(null)
  rmSync(intent, { recursive: true })
  expect((await force(world.deps)).status).toBe('refreshed')
})

test('an answer that cannot be written stays in memory, holds the lock, and is written when it can be', async () => {
  const world = await makeDeps()
  const { app } = await seed(world)
  const folder = join(world.directory, 'store')
  // The whole folder is gone under another name: neither the reserved file nor a new one can take its place.
  world.intercept(
    afterAnswer(() => {
      renameSync(folder, `${folder}.away`)
      writeFileSync(folder, '', { mode: 0o600 })
    }),
  )
  const result = await force(world.deps)
  expect(result).toMatchObject({ status: 'refreshed', persisted: false, record: { generation: 2 } })
  world.intercept(null)
  expect(await refreshDue(world.deps)).toMatchObject({ status: 'still_valid', persisted: false })
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'store_not_writable' })
  const { warnings } = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
  expect(warnings.join(' ')).toContain('in memory only')
  rmSync(folder)
  renameSync(`${folder}.away`, folder)
  const busy = (await world.sibling()).store.withLock(app.id, 50, async () => undefined)
  await expect(busy).rejects.toMatchObject({ code: 'store_locked' })
  await world.deps.store.flush()
  expect(world.deps.store.isUnsaved(app.id)).toBe(false)
  const stored = await (await world.sibling()).store.read(app.id)
  expect(stored.tokenSet?.refreshToken?.reveal()).toBe(result.record.tokenSet?.refreshToken?.reveal())
  expect((await force(await world.sibling())).record.generation).toBe(3)
  expect(presented(world)).toBe(2)
})

test('a store that vanishes, and one that is set back, while the answer is under way, still take it', async () => {
  const harms: ((path: string) => void)[] = [
    (path) => rmSync(path),
    (path) => copyFileSync(`${path}.backup`, path),
    (path) => writeFileSync(path, 'garbage'),
    (path) => {
      rmSync(path)
      block(path)
    },
  ]
  for (const harm of harms) {
    const world = await makeDeps()
    const { app } = await seed(world)
    const path = pathOf(world)
    copyFileSync(path, `${path}.backup`)
    await force(world.deps)
    world.intercept(afterAnswer(() => harm(path)))
    const result = await force(world.deps)
    expect(result).toMatchObject({ persisted: true, record: { generation: 3 } })
    world.intercept(null)
    expect((await (await world.sibling()).store.read(app.id)).tokenSet?.refusal).toBeNull()
    expect((await force(await world.sibling())).record.generation).toBe(4)
    for (const name of readdirSync(join(world.directory, 'store'))) {
      if (/backup|corrupt/.test(name)) rmSync(join(world.directory, 'store', name), { recursive: true })
    }
  }
})

test('a newer token set that somebody else put there wins over a refusal', async () => {
  const world = await makeDeps()
  const { app } = await seed(world)
  const path = pathOf(world)
  copyFileSync(path, `${path}.old`)
  await force(world.deps)
  const newest = readFileSync(path)
  // As a synchronized folder would: the old copy is back, and the newer one comes while Feishu refuses the old.
  copyFileSync(`${path}.old`, path)
  writeFileSync(`${path}.lock`, '')
  world.intercept(afterAnswer(() => writeFileSync(path, newest)))
  const result = await force(await world.sibling())
  expect(result).toMatchObject({ status: 'refreshed_elsewhere', record: { generation: 2 } })
  world.intercept(null)
  expect((await world.deps.store.read(app.id)).tokenSet?.refusal).toBeNull()
  rmSync(`${path}.old`)
})

test('a record that cannot be opened is reported, left as it is, and nothing is sent', async () => {
  const world = await makeDeps()
  await seed(world)
  const path = pathOf(world)
  const damaged = readFileSync(path, 'utf8').slice(0, -9)
  writeFileSync(path, damaged)
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'store_unreadable', recovery: 'fix_config' })
  await expect(refreshDue(world.deps)).rejects.toMatchObject({ code: 'store_unreadable' })
  const status = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
  expect(status.status).toBe('store_unreadable')
  expect(readFileSync(path, 'utf8')).toBe(damaged)
  expect(presented(world)).toBe(0)
})

test('the reserved room takes the answer when a process died before it could be renamed', async () => {
  const world = await makeDeps()
  const { app } = await seed(world)
  const path = pathOf(world)
  const before = readFileSync(path)
  const result = await force(world.deps)
  // The kill came between the flush and the rename.
  writeFileSync(`${path}.next`, Buffer.concat([readFileSync(path), Buffer.alloc(9_000, ' ')]), {
    mode: 0o600,
  })
  writeFileSync(path, before)
  writeFileSync(`${path}.lock`, '')
  expire(world)
  const after = await refreshDue(await world.sibling())
  expect(after.record.generation).toBe(3)
  expect(existsSync(`${path}.next`)).toBe(false)
  expect(world.sandbox.inspect(result.record.tokenSet?.refreshToken?.reveal() ?? '')?.status).toBe('used')
  expect((await world.deps.store.read(app.id)).tokenSet?.refusal).toBeNull()
})

testIf(NO_POSIX_FILES)(
  'a token folder that is removed during a refresh is written back, with the key',
  async () => {
    const world = await makeDeps({ env: { FEISHU_TOKEN_KEY_SOURCE: 'file' } })
    const { app } = await seed(world)
    world.intercept(afterAnswer(() => rmSync(world.directory, { recursive: true })))
    expect(await force(world.deps)).toMatchObject({ status: 'refreshed', persisted: false })
    world.intercept(null)
    expect((await force(world.deps)).status).toBe('refreshed')
    expect((await (await world.sibling()).store.read(app.id)).generation).toBe(3)
  },
)
