import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { canRefresh } from '../../src/oauth/token-set.ts'
import { crashAtEveryChange, crashBefore } from '../support/crash.ts'
import {
  approve,
  presentations,
  type Run,
  run,
  type Stage,
  setStage,
  start,
  startServer,
} from '../support/program.ts'
import { openStore, storeIssued } from '../support/stored.ts'

/** A stage with a token set for each profile. */
async function storedStage(...profiles: string[]): Promise<Stage> {
  const stage = await setStage({ env: { FEISHU_TOKEN_KEY_SOURCE: 'file' } })
  const { sandbox, tokenDir } = stage
  for (const profile of profiles) {
    const id = { brand: 'feishu', appId: sandbox.app.appId, profile } as const
    await storeIssued(openStore(tokenDir), id, sandbox.issue(), sandbox.user, Date.now())
  }
  return stage
}

async function profile(stage: Stage, ...args: string[]): Promise<Run & { json: Record<string, unknown> }> {
  const ended = await run(stage, ['profile', ...args, '--json'])
  return { ...ended, json: JSON.parse(ended.stdout) }
}

async function rows(stage: Stage): Promise<Record<string, string>> {
  const { json } = await profile(stage, 'list')
  const list = json.profiles as { profile: string; status: string }[]
  return Object.fromEntries(list.map(({ profile, status }) => [profile, status]))
}

async function tokenOf(stage: Stage, name: string): Promise<string> {
  return (await run(stage, ['token', '--profile', name])).stdout.trim()
}

function filesOf(stage: Stage, name: string): string[] {
  const prefix = `feishu-${stage.sandbox.app.appId}-${name}.json`
  return readdirSync(join(stage.tokenDir, 'store')).filter(
    (file) => file.startsWith(prefix) && !file.endsWith('.lock'),
  )
}

test('list names every profile with its status, the one in force first, for programs and for people', async () => {
  const stage = await storedStage('work', 'default', 'a.b_c-9')
  const { json, code } = await profile(stage, 'list')
  expect(code).toBe(0)
  expect(json.profiles).toEqual(
    ['default', 'a.b_c-9', 'work'].map((name) => ({
      profile: name,
      status: 'valid',
      brand: 'feishu',
      app_id: stage.sandbox.app.appId,
      user_name: stage.sandbox.user.name,
      user_open_id: stage.sandbox.user.openId,
      access_token_expires_at: expect.stringMatching(/Z$/),
      reauthorize_by: expect.stringMatching(/Z$/),
    })),
  )
  const people = await run(stage, ['profile', 'list', '--profile', 'work'])
  expect(people.stderr).toMatch(/^work +valid +.*\na\.b_c-9 +valid .*\ndefault +valid .*\n$/)
})

test('list in an empty store says that nobody has logged in, and with no app that none is configured', async () => {
  const stage = await storedStage()
  expect(await rows(stage)).toEqual({ default: 'not_authorized' })
  const { FEISHU_APP_ID: _, FEISHU_APP_SECRET: __, ...env } = stage.env
  expect(await rows({ ...stage, env })).toEqual({ default: 'not_configured' })
})

test('rename moves the tokens with their generation and spends nothing', async () => {
  const stage = await storedStage('work')
  expect((await run(stage, ['refresh', '--force', '--profile', 'work'])).code).toBe(0)
  const token = await tokenOf(stage, 'work')
  const { json, code } = await profile(stage, 'rename', 'work', 'home')
  expect(code).toBe(0)
  expect(json).toMatchObject({ status: 'renamed', profile: 'home', renamed_from: 'work', generation: 2 })
  expect(filesOf(stage, 'work')).toEqual([])
  expect(await tokenOf(stage, 'home')).toBe(token)
  expect(await rows(stage)).toEqual({ default: 'not_authorized', home: 'valid' })
  expect(presentations(stage)).toBe(1)
  const refreshed = await run(stage, ['refresh', '--force', '--profile', 'home', '--json'])
  expect(JSON.parse(refreshed.stdout)).toMatchObject({ status: 'refreshed', generation: 3 })
})

test('a name that was used before goes on with its generations', async () => {
  const stage = await storedStage('home', 'work')
  for (let time = 0; time < 3; time += 1) await run(stage, ['refresh', '--force', '--profile', 'home'])
  await profile(stage, 'remove', 'home', '--force')
  const { json } = await profile(stage, 'rename', 'work', 'home')
  expect(json).toMatchObject({ status: 'renamed', generation: 5 })
  expect(await rows(stage)).toMatchObject({ home: 'valid' })
})

test('killed before any of its changes, a rename leaves one record with the tokens, and the next one completes it', async () => {
  const stage = await storedStage('work')
  const { crashes, last } = await crashAtEveryChange(
    stage,
    ['profile', 'rename', 'work', 'home'],
    async () => {
      const store = openStore(stage.tokenDir)
      const app = { brand: 'feishu', appId: stage.sandbox.app.appId } as const
      const records = await Promise.all(['work', 'home'].map((name) => store.read({ ...app, profile: name })))
      const tokens = records.flatMap(({ tokenSet }) => tokenSet?.refreshToken?.reveal() ?? [])
      // Neither two that would present one token, nor none: the grant lives.
      expect(new Set(tokens).size).toBe(1)
      expect(records.filter(({ tokenSet }) => tokenSet && canRefresh(tokenSet)).length).toBeLessThan(2)
    },
  )
  expect(crashes).toBeGreaterThanOrEqual(3)
  // Killed when the old record had just gone, there was nothing left to complete.
  if (last.code !== 0) expect(last.stderr).toContain('There is no profile "work"')
  expect(await rows(stage)).toEqual({ default: 'not_authorized', home: 'valid' })
  expect(filesOf(stage, 'work')).toEqual([])
  expect((await run(stage, ['refresh', '--force', '--profile', 'home'])).code).toBe(0)
})

test('the credentials of an app of its own follow a profile; those of default stay for the others', async () => {
  const stage = await storedStage()
  const { sandbox } = stage
  const other = sandbox.addApp()
  const { FEISHU_APP_ID: _, FEISHU_APP_SECRET: __, ...env } = stage.env
  stage.env = env
  const setup = (app: { appId: string; appSecret: string }, name: string) =>
    run(stage, ['setup', '--profile', name, '--app-id', app.appId, '--app-secret-stdin'], {
      input: app.appSecret,
    })
  expect((await setup(sandbox.app, 'default')).code).toBe(0)
  expect((await setup(other, 'work')).code).toBe(0)
  const appOf = async (name: string) => {
    const { json } = await profile(stage, 'list')
    return (json.profiles as { profile: string; app_id: string }[]).find((row) => row.profile === name)
      ?.app_id
  }
  expect((await profile(stage, 'rename', 'work', 'home')).code).toBe(0)
  expect(await appOf('home')).toBe(other.appId)
  expect(await appOf('work')).toBeUndefined()
  expect((await profile(stage, 'rename', 'default', 'private')).code).toBe(0)
  expect(await appOf('private')).toBe(sandbox.app.appId)
  expect(await appOf('default')).toBe(sandbox.app.appId)
  expect((await profile(stage, 'rename', 'home', 'private')).code).toBe(2)
  expect((await profile(stage, 'remove', 'home')).code).toBe(0)
  expect(await appOf('home')).toBeUndefined()
})

test('under another name a profile never comes to use another app', async () => {
  const stage = await storedStage('work')
  const other = stage.sandbox.addApp()
  const kept = await run(
    stage,
    ['setup', '--profile', 'home', '--app-id', other.appId, '--app-secret-stdin'],
    {
      input: other.appSecret,
    },
  )
  expect(kept.code).toBe(0)
  const { code, json } = await profile(stage, 'rename', 'work', 'home')
  expect(code).toBe(2)
  expect(json.error).toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(/"home" already/),
  })
  expect(await rows(stage)).toMatchObject({ work: 'valid', home: 'not_authorized' })
})

test.each([
  ['Work', /not a profile name/],
  ['-work', /./],
  ['a/../b', /not a profile name/],
  ['', /not a profile name/],
  ['x'.repeat(65), /not a profile name/],
  ['com1\u0000', /./],
  ['default', /"default" already/],
  ['work', /"work" already/],
])('%j is refused as a new name', async (name, message) => {
  if (name.includes('\u0000'))
    return expect(run(await storedStage('work'), ['profile', 'rename', 'work', name])).rejects.toThrow()
  const stage = await storedStage('work', 'default')
  const ended = await run(stage, ['profile', 'rename', '--json', 'work', name])
  expect(ended.code).toBe(2)
  expect(JSON.parse(ended.stdout).error).toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(message),
  })
  expect(await rows(stage)).toEqual({ default: 'valid', work: 'valid' })
})

test('remove keeps a token unless it is forced, and then says that nothing was revoked', async () => {
  const stage = await storedStage('work')
  const token = await tokenOf(stage, 'work')
  const refused = await profile(stage, 'remove', 'work')
  expect(refused.code).toBe(2)
  expect(refused.json.error).toMatchObject({
    next_step: expect.stringMatching(/logout --profile work.*--force/),
  })
  const forced = await profile(stage, 'remove', 'work', '--force')
  expect(forced.json).toMatchObject({ status: 'removed', profile: 'work', revoked: false })
  expect(forced.json.next_step).toMatch(/not revoked/)
  expect(stage.sandbox.inspect(token)).toMatchObject({ status: 'live' })
  expect(await rows(stage)).toEqual({ default: 'not_authorized' })

  const gone = await profile(stage, 'remove', 'work')
  expect(gone.code).toBe(2)
  expect(gone.json.error).toMatchObject({ message: expect.stringMatching(/no profile "work"/) })
})

test('after a logout remove needs no force, and a new login goes on with the generations', async () => {
  const stage = await storedStage('work')
  expect((await run(stage, ['logout', '--profile', 'work'])).code).toBe(0)
  expect((await profile(stage, 'remove', 'work')).code).toBe(0)
  expect(filesOf(stage, 'work')).toEqual([])
  const path = join(stage.home, 'token.json')
  writeFileSync(
    path,
    JSON.stringify({ ...stage.sandbox.issue(), expires_at: Math.floor(Date.now() / 1000) + 7_000 }),
  )
  const imported = await run(stage, ['import', path, '--profile', 'work', '--json'])
  expect(JSON.parse(imported.stdout)).toMatchObject({ status: 'valid', generation: 3 })
})

test('what cannot be read is removed by force alone', async () => {
  const stage = await storedStage('work')
  const [file = ''] = filesOf(stage, 'work')
  writeFileSync(join(stage.tokenDir, 'store', file), 'garbage')
  const ways = [
    ['remove', 'work'],
    ['rename', 'work', 'home'],
  ]
  for (const args of ways) {
    expect((await profile(stage, ...args)).json.error).toMatchObject({
      code: 'store_unreadable',
      next_step: expect.stringContaining(' login --profile work`'),
    })
  }
  expect((await profile(stage, 'remove', 'work', '--force')).code).toBe(0)
  expect(await rows(stage)).toEqual({ default: 'not_authorized' })
})

test('a profile with a pending authorization is neither removed nor renamed, whether its holder lives or not', async () => {
  const stage = await storedStage('work')
  const server = await startServer(stage)
  const started = await server.call('start_authorization', { open_browser: false, profile: 'work' })
  const commands = [
    ['remove', 'work', '--force'],
    ['rename', 'work', 'home'],
  ]
  for (const args of commands) {
    const refused = await profile(stage, ...args)
    expect(refused.json.error).toMatchObject({
      code: 'store_locked',
      message: expect.stringContaining(String(server.pid)),
    })
    expect(refused.code).toBe(1)
  }
  await server.close()
  for (const args of commands)
    expect((await profile(stage, ...args)).json.error).toMatchObject({ code: 'config_invalid' })

  const second = await startServer(stage)
  await second.call('start_authorization', { open_browser: false, profile: 'work' })
  await approve(stage, started.data.authorization_url)
  const ended = await second.call('token_status', { wait_seconds: 20, profile: 'work' })
  expect(ended.data).toMatchObject({ authorization_status: 'succeeded' })
  expect((await profile(stage, 'rename', 'work', 'home')).code).toBe(0)
})

test('a rename waits for a refresh that is under way', async () => {
  const stage = await storedStage('work')
  const held = stage.sandbox.faults.next({ kind: 'hold' })
  const refresh = start(stage, ['refresh', '--force', '--profile', 'work'])
  await held.reached
  const renamed = profile(stage, 'rename', 'work', 'home')
  held.release()
  expect((await refresh.end).code).toBe(0)
  expect((await renamed).json).toMatchObject({ status: 'renamed', generation: 2 })
  expect(await rows(stage)).toEqual({ default: 'not_authorized', home: 'valid' })
  expect(presentations(stage)).toBe(1)
})

/** Stops a rename where the tokens have left the one name and are not at the other yet. */
async function renameHalfway(stage: Stage): Promise<void> {
  for (let change = 1; ; change += 1) {
    const last = await crashBefore(stage, ['profile', 'rename', 'work', 'home'], change)
    expect(last.killed).toBe(true)
    const text = (await run(stage, ['status', '--profile', 'work', '--json'])).stdout
    if (text.includes('being renamed')) return
  }
}

test('a record on its way to another name is told, counts as a token, is not presented, and is revoked', async () => {
  const stage = await storedStage('work')
  const token = await tokenOf(stage, 'work')
  await renameHalfway(stage)
  expect(await tokenOf(stage, 'work')).toBe(token)
  const refresh = await run(stage, ['refresh', '--force', '--profile', 'work', '--json'])
  expect(JSON.parse(refresh.stdout).error).toMatchObject({
    code: 'config_invalid',
    message: expect.stringContaining('being renamed to "home"'),
  })
  expect(presentations(stage)).toBe(0)
  expect((await profile(stage, 'remove', 'work')).json).toMatchObject({ error: { code: 'config_invalid' } })
  const logout = await run(stage, ['logout', '--profile', 'work', '--json'])
  expect(JSON.parse(logout.stdout)).toMatchObject({ status: 'logged_out', revoked: true })
  expect(stage.sandbox.inspect(token)).toMatchObject({ status: 'revoked' })
  expect(await rows(stage)).toEqual({ default: 'not_authorized', work: 'not_authorized' })
})

test('a name that is not known is answered with those that are, first of all, by every way to the token', async () => {
  const stage = await storedStage('work', 'home')
  const typo = ['--profile', 'wrok', '--json']
  const status = JSON.parse((await run(stage, ['status', ...typo])).stdout)
  expect(status).toMatchObject({
    status: 'not_authorized',
    next_step: expect.stringMatching(
      /^Name a known profile \(home, work\) or, for a new one, call start_authorization/,
    ),
  })
  expect(status.next_step.length).toBeLessThanOrEqual(300)
  for (const command of ['refresh', 'token']) {
    const { code, stdout } = await run(stage, [command, ...typo])
    expect([code, JSON.parse(stdout).error.next_step]).toEqual([
      3,
      expect.stringMatching(/^Name a known profile/),
    ])
  }
  const { FEISHU_APP_ID: _, FEISHU_APP_SECRET: __, ...bare } = stage.env
  const { appId, appSecret } = stage.sandbox.app
  const own = ['setup', '--app-id', appId, '--app-secret-stdin', '--profile', 'work']
  expect((await run({ ...stage, env: bare }, own, { input: appSecret })).code).toBe(0)
  const none = JSON.parse((await run({ ...stage, env: bare }, ['status', ...typo])).stdout)
  expect(none).toMatchObject({
    status: 'not_configured',
    next_step: expect.stringMatching(/^Name a known profile \(work\) or, for a new one,/),
  })
  // Nothing to mistake: the first login of the only profile, and of a known one.
  expect(JSON.parse((await run(stage, ['status', '--json'])).stdout).next_step).not.toContain('known profile')
  expect((await run(stage, ['logout', '--profile', 'work'])).code).toBe(0)
  const known = JSON.parse((await run(stage, ['status', '--profile', 'work', '--json'])).stdout)
  expect(known.next_step).toMatch(/^Call start_authorization/)
})
