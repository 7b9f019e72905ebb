// What a thousand profiles cost whoever asks for one of them.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import { tokenStatus } from '../../src/status/status.ts'
import { makeDeps, seed, type World } from '../support/deps.ts'

const OPTIONS = { profile: 'default', verify: false, waitSeconds: 0 }
/** The contract's: the status is told of so many. */
const SHOWN = 20

type Counts = { read: string[]; looks: number; unsealedApps: number }

/** The same process, with what it asks of its store counted. */
function counted(deps: Deps): { deps: Deps; counts: Counts } {
  const counts: Counts = { read: [], looks: 0, unsealedApps: 0 }
  const { store } = deps
  const watched: Deps['store'] = {
    ...store,
    glance: () => watched,
    read: (id) => {
      counts.read.push(id.profile)
      return store.read(id)
    },
    profileNames: (app) => {
      counts.looks += 1
      return store.profileNames(app)
    },
    readApps: () => {
      counts.unsealedApps += 1
      return store.readApps()
    },
  }
  return { deps: { ...deps, store: watched }, counts }
}

/** Records with the right names. They hold garbage: whoever opens one of them has an error to tell. */
function addRecords(world: World, names: string[]): void {
  const folder = join(world.directory, 'store')
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const name of names) {
    const file = `feishu-${world.sandbox.app.appId}-${name}.json`
    writeFileSync(join(folder, file), 'garbage', { mode: 0o600 })
  }
}

const thousand: string[] = Array.from({ length: 1_000 }, (_, index) => `p${String(index).padStart(4, '0')}`)

test('of a thousand profiles token_status names all, opens the first twenty, and looks into the folder once', async () => {
  const world = await makeDeps()
  await seed(world)
  addRecords(world, thousand)
  const { deps, counts } = counted(world.deps)
  const { status, profiles } = await tokenStatus(deps, OPTIONS)
  expect(status).toBe('valid')
  expect(profiles.map(({ profile }) => profile)).toEqual(['default', ...thousand])
  const shown = thousand.slice(0, SHOWN - 1)
  expect(profiles.map((row) => row.status)).toEqual([
    'valid',
    ...shown.map(() => 'store_unreadable'),
    ...thousand.slice(SHOWN - 1).map(() => null),
  ])
  expect(counts.read).toEqual(['default', ...shown])
  expect(counts).toMatchObject({ looks: 1, unsealedApps: 1 })
})

test('a thousand apps of their own are opened once, and cost no look into the folder each', async () => {
  const world = await makeDeps()
  const { appId, appSecret } = world.sandbox.app
  await seed(world)
  await world.deps.store.updateApps(() =>
    Object.fromEntries(
      ['default', ...thousand].map((name, index) => [
        name,
        { app_id: name === 'default' ? appId : `cli_${index}`, app_secret: appSecret, brand: 'feishu' },
      ]),
    ),
  )
  const { deps, counts } = counted(world.deps)
  const { profiles } = await tokenStatus(deps, OPTIONS)
  expect(profiles.map(({ profile }) => profile)).toEqual(['default', ...thousand])
  expect(profiles.slice(0, SHOWN).map((row) => row.status)).toEqual([
    'valid',
    ...thousand.slice(0, SHOWN - 1).map(() => 'not_authorized'),
  ])
  expect(counts).toMatchObject({ looks: 2, unsealedApps: 1 })
})

test('asking for a thousand profiles leaves nothing behind for any of them', async () => {
  const world = await makeDeps()
  await seed(world)
  addRecords(world, thousand)
  const before = readdirSync(join(world.directory, 'store'))
  await tokenStatus(world.deps, OPTIONS)
  expect(readdirSync(join(world.directory, 'store'))).toEqual(before)
})
