import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  listGatewayKeys,
  newGatewayKey,
  removeGatewayKey,
  watchGatewayKeys,
} from '../../src/hand-over/gateway-keys.ts'
import { temporaryName } from '../../src/machine/files.ts'
import { removeProfile, renameProfile } from '../../src/profiles/profiles.ts'
import { makeDeps, seed } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'

/** What is promised is three seconds. */
const LOOK_MS = 1_000

test('what another process changes is seen when the clock has moved by a second, and the file is not read before', async () => {
  const world = await makeDeps()
  const accepts = watchGatewayKeys(world.deps, 'default')
  const first = await newGatewayKey(await world.sibling(), 'default', 'first')
  expect(accepts(first)).toBe(true)
  await removeGatewayKey(await world.sibling(), 'default', 'first')
  const second = await newGatewayKey(await world.sibling(), 'default', 'second')
  expect([accepts(first), accepts(second)]).toEqual([true, false])
  world.pass(LOOK_MS)
  expect([accepts(first), accepts(second)]).toEqual([false, true])
})

test('a damaged file lets nobody in, is told, and is not overwritten', async () => {
  const world = await makeDeps()
  const key = await newGatewayKey(world.deps, 'default', 'app')
  const accepts = watchGatewayKeys(world.deps, 'default')
  expect(accepts(key)).toBe(true)
  for (const text of ['', '{', '{"keys":[{"name":"app"}]}', '[]']) {
    writeFileSync(join(world.directory, 'gateway-keys.json'), text)
    world.pass(LOOK_MS)
    expect(accepts(key)).toBe(false)
    expect(() => listGatewayKeys(world.deps, 'default')).toThrow(
      expect.objectContaining({ code: 'config_invalid' }),
    )
    await expect(newGatewayKey(world.deps, 'default', 'other')).rejects.toMatchObject({
      code: 'config_invalid',
    })
  }
  expect(world.logs.join('\n')).toContain('cannot be read (damaged)')
})

test('a file that cannot be read is no damaged one: the keys in it are not to be given up', async () => {
  const { deps, directory } = await makeDeps()
  await newGatewayKey(deps, 'default', 'app')
  const file = { ...deps, config: { ...deps.config, tokenDir: join(directory, 'gateway-keys.json') } }
  const { message, nextStep } = await failureOf(() => listGatewayKeys(file, 'default'))
  expect(message).toContain('cannot be read (ENOTDIR)')
  expect(nextStep).toMatch(/^Fix the permissions of /)
})

test('what a process left that died while it wrote the file is gone with the next change', async () => {
  const { deps, directory } = await makeDeps()
  await newGatewayKey(deps, 'default', 'one')
  writeFileSync(temporaryName(join(directory, 'gateway-keys.json')), '{')
  await newGatewayKey(deps, 'default', 'two')
  expect(readdirSync(directory).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

test('neither a part of a key nor its hash opens anything', async () => {
  const { deps } = await makeDeps()
  const key = await newGatewayKey(deps, 'default', 'app')
  const accepts = watchGatewayKeys(deps, 'default')
  const [kept] = listGatewayKeys(deps, 'default')
  expect([key, key.slice(0, -1), `${key}x`, String(kept?.hash), ''].map(accepts)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ])
})

test('what is advised about a key names its profile: another one may have a key of the same name', async () => {
  const { deps } = await makeDeps()
  await newGatewayKey(deps, 'work', 'n8n')
  const again = await failureOf(() => newGatewayKey(deps, 'work', 'n8n'))
  expect(again.nextStep).toMatch(/ gateway key remove n8n --profile work` first\.$/)
  const gone = await failureOf(() => removeGatewayKey(deps, 'work', 'other'))
  expect(gone.nextStep).toMatch(/ gateway key list --profile work`\.$/)
})

test('the keys of a profile go with it: a later profile of its name inherits none', async () => {
  const world = await makeDeps()
  const { deps } = world
  await seed(world, 'work')
  const key = await newGatewayKey(deps, 'work', 'n8n')
  await newGatewayKey(deps, 'default', 'other')
  await renameProfile(deps, { from: 'work', to: 'home' })
  expect(listGatewayKeys(deps, 'work')).toEqual([])
  expect(watchGatewayKeys(deps, 'home')(key)).toBe(true)
  await removeProfile(deps, { profile: 'home', force: true })
  expect(listGatewayKeys(deps, 'home')).toEqual([])
  expect(listGatewayKeys(deps, 'default').map(({ name }) => name)).toEqual(['other'])
})
