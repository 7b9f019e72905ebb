import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { keyIdOf } from '../../src/store/envelope.ts'
import { createFileStore } from '../../src/store/files/file-store.ts'
import { createKeys } from '../../src/store/key.ts'
import { crashAtEveryChange } from '../support/crash.ts'
import { NO_SESSION, type Session, startSession } from '../support/keychain.ts'
import { describeIf, testIf } from '../support/needs.ts'
import { authorize, presentations, run, setStage, startServer } from '../support/program.ts'
import { openStore } from '../support/stored.ts'
import {
  ENVIRONMENT_KEY,
  KEY_FILE,
  keyFiles,
  LINUX,
  NO_BUS,
  sourcesOf,
  statusOf,
  storedStage,
} from './key-stage.ts'

test('the key moves to the environment and back, and everything opens with it alone', async () => {
  const stage = await storedStage(['default', 'work'])
  const env = { FEISHU_TOKEN_KEY: ENVIRONMENT_KEY }
  const without = await run(stage, ['key', '--move-to', 'env', '--json'])
  expect(without.code).toBe(2)
  expect(JSON.parse(without.stdout).error).toMatchObject({ code: 'key_unavailable', recovery: 'fix_config' })

  const moved = await run(stage, ['key', '--move-to', 'env', '--json'], { env })
  expect(moved.code).toBe(0)
  expect(JSON.parse(moved.stdout)).toMatchObject({
    status: 'moved',
    key_source: 'env',
    moved_from: ['file'],
    resealed: 3,
    left: [],
    old_keys_removed: true,
  })
  expect(sourcesOf(stage)).toEqual(['env'])
  expect(keyFiles(stage)).toEqual([])
  expect(await statusOf(stage, 'work', env)).toMatchObject({
    status: 'valid',
    key_source: 'env',
    generation: 1,
  })
  const shut = await statusOf(stage, 'default')
  expect(shut).toMatchObject({ status: 'store_unreadable', key_source: 'env' })
  expect(shut.warnings).toEqual([expect.stringContaining('FEISHU_TOKEN_KEY')])

  const again = await run(stage, ['key', '--move-to', 'env', '--json'], { env })
  expect(JSON.parse(again.stdout)).toMatchObject({ status: 'unchanged', resealed: 0 })
  const back = await run(stage, ['key', '--move-to', 'file', '--json'], { env })
  expect(JSON.parse(back.stdout)).toMatchObject({ status: 'moved', key_source: 'file', moved_from: ['env'] })
  const there = await run(stage, ['key', '--move-to', 'file'], { env })
  expect([there.code, there.stderr]).toEqual([
    0,
    'The key is in a key file already. Nothing is needed: no file is encrypted with another key.\n',
  ])
  expect(keyFiles(stage)).toHaveLength(1)
  expect(await statusOf(stage, 'default')).toMatchObject({ status: 'valid', key_source: 'file' })
  const { FEISHU_APP_ID: _, FEISHU_APP_SECRET: __, ...kept } = stage.env
  stage.env = kept
  expect((await run(stage, ['refresh', '--force'])).code).toBe(0)
  expect(presentations(stage)).toBe(1)
})

test('the key of a shared store, copied and not in use yet, is neither taken nor removed', async () => {
  const stage = await setStage({ env: KEY_FILE })
  const bytes = Buffer.alloc(32, 5)
  const name = `${keyIdOf(bytes)}.shared.key`
  mkdirSync(join(stage.tokenDir, 'key'), { recursive: true, mode: 0o700 })
  writeFileSync(join(stage.tokenDir, 'key', name), `${bytes.toString('base64')}\n`, { mode: 0o600 })
  const { appId, appSecret } = stage.sandbox.app
  await run(stage, ['setup', '--app-id', appId, '--app-secret-stdin'], { input: appSecret })
  expect(keyFiles(stage)).toHaveLength(2)
  const moved = await run(stage, ['key', '--move-to', 'env', '--json'], {
    env: { FEISHU_TOKEN_KEY: ENVIRONMENT_KEY },
  })
  expect(JSON.parse(moved.stdout)).toMatchObject({ status: 'moved', old_keys_removed: true })
  expect(keyFiles(stage)).toEqual([name])
})

/** Files of a machine that may name a key: of a shared store, kept aside, left half way. */
const ELSEWHERE = [
  'postgres/0123456789abcdef/store/feishu-cli_a-default.json',
  'postgres/0123456789abcdef/store/feishu-cli_a-default.json.next',
  'store/feishu-cli_a-default.json.corrupt-2026-01-01T00-00-00-000Z',
]

test.each(ELSEWHERE)('a key that %s names is not removed', async (name) => {
  const stage = await storedStage(['default'])
  const [file = ''] = keyFiles(stage)
  const path = join(stage.tokenDir, name)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  cpSync(join(stage.tokenDir, 'app.json'), path)
  const moved = await run(stage, ['key', '--move-to', 'env', '--json'], {
    env: { FEISHU_TOKEN_KEY: ENVIRONMENT_KEY },
  })
  expect(JSON.parse(moved.stdout)).toMatchObject({ status: 'moved', old_keys_removed: false })
  expect(JSON.parse(moved.stdout).next_step).toContain('other files of this machine are encrypted with it')
  expect(keyFiles(stage)).toEqual([file])
})

test('a file that cannot be opened is named and left, and its key with it', async () => {
  const stage = await storedStage(['default', 'work'])
  const broken = join(stage.tokenDir, 'store', `feishu-${stage.sandbox.app.appId}-work.json`)
  writeFileSync(broken, readFileSync(broken, 'utf8').slice(0, -20))
  const moved = await run(stage, ['key', '--move-to', 'env', '--json'], {
    env: { FEISHU_TOKEN_KEY: ENVIRONMENT_KEY },
  })
  expect(moved.code).toBe(1)
  expect(JSON.parse(moved.stdout)).toMatchObject({ status: 'moved', resealed: 2, old_keys_removed: false })
  expect(JSON.parse(moved.stdout).left).toEqual([{ path: broken, why: expect.stringContaining('damaged') }])
  expect(keyFiles(stage)).toHaveLength(1)
})

test('the count of presentations whose answers were lost moves with the key', async () => {
  const stage = await storedStage(['default'])
  const id = { brand: 'feishu', appId: stage.sandbox.app.appId, profile: 'default' } as const
  const refreshToken = (await openStore(stage.tokenDir).read(id)).tokenSet?.refreshToken
  if (!refreshToken) throw new Error('nothing is stored')
  await openStore(stage.tokenDir).withLock(id, 1_000, async (locked) => {
    await locked.prepare(refreshToken)
    locked.markSent()
  })
  const env = { FEISHU_TOKEN_KEY: ENVIRONMENT_KEY }
  await crashAtEveryChange(stage, ['key', '--move-to', 'env'], async () => undefined, env)
  const keys = createKeys({
    directory: join(stage.tokenDir, 'key'),
    source: 'env',
    environmentKey: new Secret(ENVIRONMENT_KEY),
  })
  const moved = createFileStore({ directory: stage.tokenDir, keys, now: Date.now })
  const known = await moved.withLock(id, 1_000, (locked) => locked.presentations(refreshToken))
  expect(known).toMatchObject({ ambiguous: 1 })
})

testIf(LINUX ? null : 'the keychain here is a real one')(
  'without a bus, auto keeps the key in a file, and keychain makes the key unavailable and nothing else',
  async () => {
    const stage = await setStage({ env: { ...NO_BUS, FEISHU_TOKEN_KEY_SOURCE: 'auto' } })
    const only = await startServer(stage, { env: { FEISHU_TOKEN_KEY_SOURCE: 'keychain' } })
    const refused = await only.call('start_authorization', { open_browser: false })
    expect(refused.isError).toBe(true)
    expect(refused.text).toMatch(
      /^FAILED.*No keychain can be reached.*code=key_unavailable recovery=fix_config\]$/s,
    )
    await only.close()
    expect(keyFiles(stage)).toEqual([])

    const server = await startServer(stage)
    expect((await server.call('start_authorization', { open_browser: false })).data).toMatchObject({
      status: 'pending',
    })
    expect((await server.call('token_status')).data).toMatchObject({
      key_source: 'file',
      status: 'not_authorized',
    })
  },
)

describeIf(NO_SESSION)('with gnome-keyring', () => {
  const bus = (session: Session) => ({ DBUS_SESSION_BUS_ADDRESS: `unix:path=${session.socket}` })

  test('a new store keeps its key in a keychain that works, and the next process finds it there', async () => {
    const session = await startSession()
    await session.startKeyring()
    const stage = await setStage({ env: { ...bus(session), FEISHU_TOKEN_KEY_SOURCE: 'auto' } })
    const { sandbox } = stage
    const path = join(stage.home, 'token.json')
    writeFileSync(
      path,
      JSON.stringify({ ...sandbox.issue(), expires_at: Math.floor(Date.now() / 1000) + 7_000 }),
    )
    expect((await run(stage, ['import', path])).code).toBe(0)
    expect(await statusOf(stage, 'default')).toMatchObject({ status: 'valid', key_source: 'keychain' })
    expect(keyFiles(stage)).toEqual([])
    expect((await run(stage, ['refresh', '--force'])).code).toBe(0)
    expect(presentations(stage)).toBe(1)
  })

  test('a locked keychain makes the store unreadable: no new key, no new authorization, no byte changed', async () => {
    const session = await startSession()
    await session.startKeyring()
    const stage = await storedStage(['default'])
    stage.env = { ...stage.env, ...bus(session) }
    const moved = await run(stage, ['key', '--move-to', 'keychain', '--json'])
    expect(JSON.parse(moved.stdout)).toMatchObject({
      status: 'moved',
      key_source: 'keychain',
      old_keys_removed: true,
    })
    expect(keyFiles(stage)).toEqual([])
    await session.lock()

    const record = join(stage.tokenDir, 'store', `feishu-${stage.sandbox.app.appId}-default.json`)
    const before = { bytes: readFileSync(record), at: statSync(record).mtimeMs }
    const server = await startServer(stage)
    const status = await server.call('token_status')
    expect(status.data).toMatchObject({ status: 'store_unreadable', key_source: 'keychain' })
    expect(status.data.warnings).toEqual([expect.stringMatching(/keychain is locked/)])
    for (const [tool, args] of [
      ['start_authorization', { open_browser: false }],
      ['refresh_token', { force: true }],
    ] as const) {
      const refused = await server.call(tool, args)
      expect(refused.isError).toBe(true)
      expect(refused.text).toMatch(/keychain is locked.*code=key_unavailable recovery=fix_config\]$/s)
    }
    expect({ bytes: readFileSync(record), at: statSync(record).mtimeMs }).toEqual(before)
    expect(keyFiles(stage)).toEqual([])
    expect(presentations(stage)).toBe(0)
  })

  test('a hung keychain is told from a locked one', async () => {
    const session = await startSession()
    const keyring = await session.startKeyring()
    const stage = await storedStage(['default'])
    stage.env = { ...stage.env, ...bus(session) }
    expect((await run(stage, ['key', '--move-to', 'keychain'])).code).toBe(0)
    keyring.kill('SIGSTOP')
    const status = await statusOf(stage, 'default')
    expect(status).toMatchObject({
      status: 'store_unreadable',
      warnings: [expect.stringMatching(/did not answer/)],
    })
    keyring.kill('SIGCONT')
    expect(await statusOf(stage, 'default')).toMatchObject({ status: 'valid', key_source: 'keychain' })
  })

  test('the key moves out of the keychain again, and is gone from there', async () => {
    const session = await startSession()
    await session.startKeyring()
    const stage = await storedStage(['default'])
    stage.env = { ...stage.env, ...bus(session) }
    await run(stage, ['key', '--move-to', 'keychain'])
    const back = await run(stage, ['key', '--move-to', 'file', '--json'])
    expect(JSON.parse(back.stdout)).toMatchObject({ moved_from: ['keychain'], old_keys_removed: true })
    await session.lock()
    expect(await statusOf(stage, 'default')).toMatchObject({ status: 'valid', key_source: 'file' })
  })
})

test('credentials whose key is lost name a way that leads to a login', async () => {
  const stage = await setStage()
  const env = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' }
  const { appId, appSecret } = stage.sandbox.app
  const setup = ['setup', '--app-id', appId, '--app-secret-stdin']
  expect((await run(stage, setup, { env, input: `${appSecret}\n` })).code).toBe(0)
  rmSync(join(stage.tokenDir, 'key'), { recursive: true })
  for (const command of [['status'], ['login', '--no-browser'], ['token']]) {
    const { stdout, stderr } = await run(stage, command, { env })
    expect(stdout + stderr).toMatch(/or set FEISHU_APP_ID and FEISHU_APP_SECRET, then run `[^`]* login/)
  }
  const server = await startServer(stage)
  await authorize(stage, server)
  expect((await server.call('token_status')).data.status).toBe('valid')
})
