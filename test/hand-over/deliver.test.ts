import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import { deliverByHand, deliverCopies } from '../../src/hand-over/deliver.ts'
import { importTokens } from '../../src/profiles/import.ts'
import { openDeps } from '../support/deps.ts'
import { makeFolder } from '../support/folder.ts'

const NAMES = ['a', 'b', 'c', 'd']
const TOKEN = 'eyJ.access'

/** A profile with a token and four files that it goes to; each look at the monotonic clock is a second later. */
async function setScene(): Promise<{ deps: Deps; read: () => string[]; locks: () => number }> {
  const folder = makeFolder()
  const files = NAMES.map((name) => join(folder, `${name}.env`))
  for (const file of files) writeFileSync(file, 'TOKEN=x\n', { mode: 0o600 })
  const env = {
    FEISHU_APP_ID: 'cli_a1',
    FEISHU_APP_SECRET: 's',
    FEISHU_TOKEN_DIR: join(folder, 'tokens'),
    FEISHU_DELIVER_TO: files.map((file) => `dotenv:${file}#TOKEN`).join(','),
  }
  const opened = await openDeps(env, folder, { elapsed: () => 0 })
  const path = join(folder, 'token.json')
  writeFileSync(path, JSON.stringify({ access_token: TOKEN, expires_at: opened.clock.now() + 3_600_000 }))
  await importTokens(opened, { profile: 'default', path, force: false })
  const withLock = vi.spyOn(opened.store, 'withLock')
  let at = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (at += 1_000))
  onTestFinished(() => void clock.mockRestore())
  return {
    deps: opened,
    read: () => files.map((file) => readFileSync(file, 'utf8')),
    locks: () => withLock.mock.calls.length,
  }
}

test('a person’s deliver takes the time that it needs, and one lock for each target', async () => {
  const { deps, read, locks } = await setScene()
  const deliveries = await deliverByHand(deps, 'default', { dryRun: false, force: false })
  expect(deliveries.map(({ status }) => status)).toEqual(NAMES.map(() => 'delivered'))
  expect(read()).toEqual(NAMES.map(() => `TOKEN=${TOKEN}\n`))
  expect(locks()).toBe(NAMES.length)
})

test('a delivery after a refresh ends with its deadline', async () => {
  const { deps, read } = await setScene()
  const id = { brand: 'feishu', appId: 'cli_a1', profile: 'default' } as const
  const { tokenSet } = await deps.store.read(id)
  if (!tokenSet) throw new Error('the scene has a token')
  const options = { now: deps.clock.now(), byHand: false, dryRun: false }
  const deliveries = await deliverCopies(deps.config, tokenSet, options)
  expect(deliveries.at(-1)).toMatchObject({ status: 'failed' })
  expect(String(deliveries.at(-1)?.detail)).toContain('no time left')
  expect(read().at(-1)).toBe('TOKEN=x\n')
})

test('nothing more is delivered once the process is told to end', async () => {
  const { deps, read } = await setScene()
  const closing = AbortSignal.abort()
  await expect(
    deliverByHand({ ...deps, closing }, 'default', { dryRun: false, force: false }),
  ).rejects.toThrow()
  expect(read()).toEqual(NAMES.map(() => 'TOKEN=x\n'))
})
