import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { localTime } from '../../src/moment.ts'
import { redirectTo } from '../feishu-sandbox/fault-presets.ts'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { NO_SIGNALS, OWN_FILE, skipIf, testIf } from '../support/needs.ts'
import {
  approve,
  type Environment,
  NODE_COMMAND,
  PROGRAM,
  type Run,
  run,
  type Stage,
  setStage,
  start,
  startServer,
} from '../support/program.ts'
import { age, openStore, storeIssued } from '../support/stored.ts'

const LINK = /https?:\/\/\S+\/authorize\?\S+/

function json(result: Run): Record<string, unknown> {
  return JSON.parse(result.stdout)
}

/** A failed command says the same to people and to programs. */
function failure(result: Run): Record<string, unknown> {
  expect(result.stderr).toMatch(
    /FAILED: .* \[code=\w+ recovery=\w+( feishu_code=\d+)?( log_id=[\w-]+)?\]\n$/s,
  )
  const { error } = json(result) as { error: Record<string, unknown> }
  expect(Object.keys(error)).toEqual(['code', 'recovery', 'message', 'next_step', 'feishu_code', 'log_id'])
  expect(result.stderr).toContain(`[code=${error.code} recovery=${error.recovery}`)
  return error
}

/** Somebody is logged in. */
async function seed(stage: Stage, options: { profile?: string; remainingMs?: number } = {}): Promise<void> {
  const { sandbox } = stage
  const id = { brand: 'feishu', appId: sandbox.app.appId, profile: options.profile ?? 'default' } as const
  const store = openStore(stage.tokenDir)
  await storeIssued(store, id, sandbox.issue(), sandbox.user, Date.now())
  if (options.remainingMs !== undefined) await age(store, id, options.remainingMs)
}

function without(stage: Stage, ...names: string[]): Environment {
  return Object.fromEntries(Object.entries(stage.env).filter(([name]) => !names.includes(name)))
}

async function expectFreePort(stage: Stage): Promise<void> {
  const server = createServer().listen({ port: stage.port, host: '127.0.0.1', exclusive: true })
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  await new Promise((resolve) => server.close(resolve))
}

function tokenJson(stage: Stage, content: unknown): string {
  const path = join(stage.home, 'token.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 })
  return path
}

test('what the command line does not know ends with 2, on stderr and, if wanted, as JSON', async () => {
  const stage = await setStage()
  const cases = [
    [],
    ['nonsense'],
    ['constructor'],
    ['status', 'more'],
    ['status', '--force'],
    ['status', '--nonsense'],
    ['status', '--profile', 'Not/A Name'],
    ['refresh', '--verify'],
    ['token', 'more'],
    ['import'],
    ['import', 'a', 'b'],
    ['setup'],
    ['setup', '--app-id', 'not an id'],
    ['setup', '--app-id', 'cli_a1', '--app-secret-stdin'],
    ['setup', '--app-id', 'cli_a1', '--app-secret-stdin', '--brand', 'x'],
    ['login', '--scope'],
  ]
  await Promise.all(
    cases.map(async (args) => {
      const plain = await run(stage, args.length === 0 ? ['--profile=work'] : args)
      expect([plain.code, plain.stdout], args.join(' ')).toEqual([2, ''])
      const result = await run(stage, ['--json', ...args])
      expect(result.code, args.join(' ')).toBe(2)
      expect(failure(result)).toMatchObject({ code: 'config_invalid', recovery: 'fix_config', log_id: null })
    }),
  )
  expect((await run(stage, ['status', 'more'])).stderr).toContain('Unexpected word "more"')
  expect((await run(stage, ['setup'])).stderr).toContain('asks on a terminal; without one, give --app-id')
  expect(stage.sandbox.requests).toEqual([])
})

test('help and version go to stdout, and name every command and exit code', async () => {
  const stage = await setStage()
  const help = await run(stage, ['--help'])
  expect(help.code).toBe(0)
  // Written down once more: those of the contract, none of which may be missing and none of which may be another.
  const contract =
    `setup login status refresh token logout exec headers gateway connect timer deliver import profile key
    store doctor`.split(/\s+/)
  const named = [...help.stdout.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name)
  expect([...new Set(named)].toSorted()).toEqual(contract.toSorted())
  expect(help.stdout).toMatch(/0 done.*1 .*2 .*3 .*\s4 /s)
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(await run(stage, ['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test('with nothing configured every command ends with 2 and says what to set', async () => {
  const stage = await setStage()
  stage.env = without(stage, 'FEISHU_APP_ID', 'FEISHU_APP_SECRET')
  const file = tokenJson(stage, { access_token: 'u-a', refresh_token: 'ur-a' })
  const commands = [
    ['login'],
    ['refresh'],
    ['token'],
    ['logout'],
    ['import', file],
    ['deliver'],
    ['exec', '--', 'true'],
  ]
  await Promise.all(
    commands.map(async (args) => {
      const result = await run(stage, ['--json', ...args])
      expect(result.code, args.join(' ')).toBe(2)
      expect(failure(result)).toMatchObject({
        code: 'not_configured',
        next_step: expect.stringMatching(/setup.*FEISHU_APP_ID/),
      })
    }),
  )
  const status = await run(stage, ['status', '--json'])
  expect([status.code, json(status).status]).toEqual([2, 'not_configured'])
  expect(stage.sandbox.requests).toEqual([])
})

test('with nobody logged in the commands end with 3, and logout has nothing to do', async () => {
  const stage = await setStage()
  for (const args of [['refresh'], ['token'], ['deliver'], ['exec', '--no-gateway', '--', 'true']]) {
    const result = await run(stage, ['--json', ...args])
    expect([result.code, failure(result).code], args.join(' ')).toEqual([3, 'not_authorized'])
    expect(result.stderr).toMatch(/Run `node \S+main\.js login`/)
  }
  const status = await run(stage, ['status', '--json'])
  expect([status.code, json(status).status]).toEqual([3, 'not_authorized'])
  const logout = await run(stage, ['logout', '--json'])
  expect([logout.code, json(logout)]).toEqual([
    0,
    { status: 'logged_out', profile: 'default', revoked: false },
  ])
  expect((await run(stage, ['logout'])).stderr).toBe('default: no token was stored.\n')
})

test('status says the same as the tool, to people in their words, and exits by what it found', async () => {
  const stage = await setStage()
  await seed(stage)
  const valid = await run(stage, ['status', '--verify', '--json'])
  const server = await startServer(stage)
  const tool = await server.call('token_status', { verify: true })
  expect(Object.keys(json(valid))).toEqual(Object.keys(tool.data))
  expect([valid.code, valid.stderr]).toEqual([0, ''])
  expect(json(valid)).toMatchObject({ status: 'valid', verified: true, generation: 1 })
  const people = await run(stage, ['status'])
  expect(people.stdout).toMatch(/^Logged in as .*\.\nstatus: +valid\n.*next step: +Nothing\./s)
  expect(people.stdout).not.toContain('start_authorization')

  stage.sandbox.revoke()
  const refused = await run(stage, ['status', '--verify'])
  expect(refused.code).toBe(0)
  expect(refused.stdout).toMatch(/status: +needs refresh\n.*refresh --force`/s)
  const failed = await run(stage, ['refresh', '--force', '--json'])
  expect([failed.code, failure(failed).feishu_code]).toEqual([3, 20064])
  await age(openStore(stage.tokenDir), {
    brand: 'feishu',
    appId: stage.sandbox.app.appId,
    profile: 'default',
  })
  const expired = await run(stage, ['status'])
  expect(expired.code).toBe(3)
  expect(expired.stdout).toMatch(/status: +expired\n.*next step: +Run `node \S+ login` so that/s)

  const [record] = readdirSync(join(stage.tokenDir, 'store')).filter((name) => name.endsWith('.json'))
  writeFileSync(join(stage.tokenDir, 'store', String(record)), 'torn')
  const unreadable = await run(stage, ['status', '--json'])
  expect([unreadable.code, json(unreadable).status]).toEqual([1, 'store_unreadable'])
})

const EXITS: [Fault, number, number, string][] = [
  [{ kind: 'error', code: 20050 }, 2, 1, 'server_error'],
  [redirectTo('http://127.0.0.1:9/'), 1, 1, 'unexpected_response'],
  [{ kind: 'error', code: 20002 }, 1, 2, 'invalid_client'],
  [{ kind: 'error', code: 20074 }, 1, 2, 'refresh_not_allowed'],
  [{ kind: 'error', code: 20037 }, 1, 3, 'invalid_grant'],
]

test.for(EXITS)(
  'a refresh that Feishu answers with %j exits by its recovery',
  async ([fault, count, exit, code]) => {
    const stage = await setStage()
    await seed(stage, { remainingMs: -1_000 })
    stage.sandbox.faults.next(fault, count)
    const result = await run(stage, ['refresh', '--json'])
    expect([result.code, failure(result).code]).toEqual([exit, code])
  },
)

test.each(['socks5://127.0.0.1:7890', '127.0.0.1:7890', 'http://'])(
  'a proxy of other programs (%s) is none of the business of a command that needs no network',
  async (proxy) => {
    const stage = await setStage()
    await seed(stage)
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']) {
      const ended = await run(stage, ['token'], { env: { [name]: proxy } })
      expect([ended.code, ended.stderr], name).toEqual([0, ''])
      expect((await run(stage, ['status'], { env: { [name]: proxy } })).code, name).toBe(0)
    }
  },
)

test('token prints a valid token and nothing else', async () => {
  const stage = await setStage()
  await seed(stage, { remainingMs: 60_000 })
  const due = await run(stage, ['token'])
  expect([due.code, due.stderr]).toEqual([0, ''])
  expect(due.stdout).toMatch(/^\S+\n$/)
  expect(stage.sandbox.inspect(due.stdout.trim())).toMatchObject({ kind: 'access_token', status: 'live' })
  expect(stage.sandbox.ledger).toHaveLength(1)
  const document = json(await run(stage, ['token', '--json']))
  expect(document).toEqual({
    access_token: due.stdout.trim(),
    access_token_expires_at: expect.stringMatching(/^\d{4}-.*Z$/),
    profile: 'default',
  })
  expect(stage.sandbox.ledger).toHaveLength(1)
})

testIf(existsSync('/dev/full') ? null : 'there is no /dev/full')(
  'a token that could not be written is not called done',
  async () => {
    const stage = await setStage()
    await seed(stage)
    const stdio = ['ignore', openSync('/dev/full', 'w'), 'pipe'] as const
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'token'], {
      env: stage.env,
      stdio: [...stdio],
    })
    closeSync(stdio[1])
    expect([status, String(stderr)]).toEqual([1, expect.stringContaining('ENOSPC')])
  },
)

test('token gives a token that is due but alive when it cannot be refreshed, and none when it is dead', async () => {
  const stage = await setStage()
  await seed(stage, { remainingMs: 60_000 })
  stage.sandbox.faults.next({ kind: 'error', code: 20050 }, 2)
  const old = await run(stage, ['token'])
  expect(old.code).toBe(0)
  expect(stage.sandbox.inspect(old.stdout.trim())).toMatchObject({ status: 'live' })
  expect(old.stderr).toMatch(/still valid.*20050/s)
  await age(openStore(stage.tokenDir), {
    brand: 'feishu',
    appId: stage.sandbox.app.appId,
    profile: 'default',
  })
  stage.sandbox.revoke()
  const dead = await run(stage, ['token'])
  expect([dead.code, dead.stdout]).toEqual([3, ''])
  expect(dead.stderr).toMatch(/^FAILED: .*login.*code=invalid_grant/s)
})

test('login waits for the approval and prints the status', async () => {
  const stage = await setStage()
  const login = start(stage, ['login', '--no-browser', '--json', '--scope', 'docx:document, im:message'])
  const [link] = await login.written(LINK)
  expect(new URL(link).searchParams.get('scope')).toBe('docx:document im:message offline_access')
  await approve(stage, link)
  const result = await login.end
  expect(result.code).toBe(0)
  expect(json(result)).toMatchObject({ status: 'valid', authorization_status: 'succeeded', generation: 1 })
  await expectFreePort(stage)
  const again = start(stage, ['login', '--no-browser'])
  await approve(stage, (await again.written(LINK))[0])
  // People read stderr; stdout is for programs, and for what they asked for.
  expect(await again.end).toMatchObject({ stdout: '', stderr: expect.stringMatching(/^status: +valid$/m) })
})

test('login ends with 4 when the person declines, and by the recovery when Feishu refuses', async () => {
  const stage = await setStage()
  const denied = start(stage, ['login', '--no-browser', '--json'])
  await fetch(await stage.sandbox.deny((await denied.written(LINK))[0]))
  const refusal = await denied.end
  expect([refusal.code, failure(refusal).code]).toEqual([4, 'access_denied'])
  expect(refusal.stderr).toMatch(/run `node \S+ login` again/i)

  const login = start(stage, ['login', '--no-browser', '--json'])
  const [link] = await login.written(LINK)
  stage.sandbox.faults.next({ kind: 'error', code: 20002 })
  await approve(stage, link)
  const failed = await login.end
  expect([failed.code, failure(failed)]).toMatchObject([2, { code: 'invalid_client', feishu_code: 20002 }])
  expect(failure(failed).log_id).toMatch(/^\w+$/)
  await expectFreePort(stage)
})

test('login takes the address from stdin, where the browser is on another machine', async () => {
  const stage = await setStage()
  const wrong = start(stage, ['login', '--callback-url-stdin', '--json'])
  const [link] = await wrong.written(LINK)
  const location = await stage.sandbox.approve(link)
  wrong.child.stdin?.write(`${location.replace('state=', 'state=x')}\n`)
  const refused = await wrong.end
  expect([refused.code, failure(refused).code]).toEqual([3, 'state_mismatch'])

  const login = start(stage, ['login', '--callback-url-stdin', '--json'])
  // The link is still the same: what was pasted before ended nothing.
  expect((await login.written(LINK))[0]).toBe(link)
  // As a chat wraps it.
  login.child.stdin?.write(`<${location.replace('code=', 'code=\r\n  ').replaceAll('&', '&amp;')}>.\r\n`)
  const result = await login.end
  expect([result.code, json(result).status]).toEqual([0, 'valid'])
})

test('login goes on when the browser reaches the listener before anybody pastes, and fails without an address', async () => {
  const stage = await setStage()
  const login = start(stage, ['login', '--callback-url-stdin', '--json'])
  await approve(stage, (await login.written(LINK))[0])
  const result = await login.end
  expect([result.code, json(result).status]).toEqual([0, 'valid'])
  const empty = await run(stage, ['login', '--callback-url-stdin', '--json'])
  expect([empty.code, failure(empty).code]).toEqual([2, 'config_invalid'])
  await expectFreePort(stage)
})

test.for([[[]], [['--callback-url-stdin']]])(
  'Ctrl-C cancels the login that it ends, and frees the port: %j',
  async ([more], context) => {
    skipIf(NO_SIGNALS, context)
    const stage = await setStage()
    const login = start(stage, ['login', '--no-browser', '--json', ...(more ?? [])])
    await login.written(/Waiting|paste/)
    login.child.kill('SIGINT')
    const result = await login.end
    expect(result.code).toBe(130)
    expect(json(result)).toMatchObject({ error: { message: 'The authorization was cancelled.' } })
    expect(result.stderr).toMatch(/\nThe authorization was cancelled\.\n$/)
    await expectFreePort(stage)
    expect(json(await run(stage, ['status', '--json']))).toMatchObject({ authorization_status: 'cancelled' })
  },
)

testIf(NO_SIGNALS)('Ctrl-C leaves an authorization alone that an assistant began', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  const started = await server.call('start_authorization', { open_browser: false })
  const login = start(stage, ['login', '--no-browser', '--scope', 'im:chat'])
  await login.written(/was begun before is waiting, and does not ask for im:chat:/)
  const [link] = await login.written(LINK)
  expect(link).toBe(started.data.authorization_url)
  await login.written(/Waiting/)
  login.child.kill('SIGINT')
  expect(await login.end).toMatchObject({ code: 130, stderr: expect.stringMatching(/still pending\.\n$/) })
  await approve(stage, link)
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

test('login refuses scopes that Feishu is sure to refuse, before there is a link', async () => {
  const stage = await setStage()
  const result = await run(stage, ['login', '--json', '--scope', 'docx:document:write'])
  expect([result.code, failure(result).code]).toEqual([2, 'scope_unknown'])
  expect(result.stderr).not.toMatch(LINK)
})

test('logout revokes and forgets the tokens, and the generation goes on', async () => {
  const stage = await setStage()
  await seed(stage)
  const before = (await run(stage, ['token'])).stdout.trim()
  const logout = await run(stage, ['logout', '--json'])
  expect([logout.code, json(logout)]).toEqual([
    0,
    { status: 'logged_out', profile: 'default', revoked: true },
  ])
  expect(stage.sandbox.inspect(before)).toMatchObject({ status: 'revoked' })
  expect(json(await run(stage, ['status', '--json']))).toMatchObject({
    status: 'not_authorized',
    generation: 2,
  })
  // After a logout anybody may log in.
  const eve = stage.sandbox.addUser({ name: 'Eve' })
  const login = start(stage, ['login', '--no-browser', '--json'])
  const [link] = await login.written(LINK)
  await fetch(await stage.sandbox.approve(link, { user: eve }))
  expect(json(await login.end)).toMatchObject({ status: 'valid', generation: 3, user_name: 'Eve' })
  // What the logout took back is no longer called a success.
  expect((await run(stage, ['status'])).stdout).toContain('authorization:   succeeded')
  await run(stage, ['logout'])
  expect((await run(stage, ['status'])).stdout).not.toContain('authorization:')
})

test('logout forgets the tokens even if Feishu does not confirm', async () => {
  const stage = await setStage()
  await seed(stage)
  stage.sandbox.faults.next({ kind: 'error', code: 20050, endpoint: 'revoke' })
  const logout = await run(stage, ['logout'])
  expect([logout.code, logout.stdout]).toEqual([0, ''])
  expect(logout.stderr).toContain('did not confirm')
  expect((await run(stage, ['token'])).code).toBe(3)
})

test("import takes over the old script's file, sends nothing, and leaves the file", async () => {
  const stage = await setStage()
  const issued = stage.sandbox.issue()
  const expires_at = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`
  const path = tokenJson(stage, { ...issued, expires_at })
  const bytes = readFileSync(path)
  const result = await run(stage, ['import', path, '--json'])
  expect([result.code, json(result)]).toMatchObject([
    0,
    { status: 'valid', access_token_expires_at: expires_at },
  ])
  expect(result.stderr).toContain(`refresh is due before ${localTime(expires_at)}. Delete ${path}: `)
  expect([stage.sandbox.requests, readFileSync(path)]).toEqual([[], bytes])

  const refused = await run(stage, ['import', path, '--json'])
  expect([refused.code, failure(refused).message]).toEqual([
    2,
    expect.stringContaining('nothing was imported'),
  ])
  expect((await run(stage, ['import', path, '--force'])).code).toBe(0)
  expect(json(await run(stage, ['refresh', '--force', '--json']))).toMatchObject({
    status: 'refreshed',
    generation: 3,
  })
  // Who it is was not in the file: the refresh has asked.
  expect(json(await run(stage, ['status', '--json']))).toMatchObject({ user_name: stage.sandbox.user.name })
})

test('setup keeps credentials that Feishu accepts, and then no config needs them', async () => {
  const stage = await setStage()
  const { appId, appSecret } = stage.sandbox.app
  const bare = without(stage, 'FEISHU_APP_ID', 'FEISHU_APP_SECRET')
  stage.env = bare
  const args = ['setup', '--app-id', appId, '--app-secret-stdin']
  const setup = await run(stage, args, { input: `${appSecret}\n` })
  expect(setup.code).toBe(0)
  expect(setup.stderr).toContain(String(stage.env.FEISHU_REDIRECT_URI))
  expect(setup.stderr).toContain(`${stage.sandbox.url}/app/${appId}/safe`)
  expect(setup.stderr).toContain(`${stage.sandbox.url}/app/${appId}/auth?`)
  const entry = JSON.parse(/^\{.*\}$/ms.exec(setup.stdout)?.[0] ?? '').mcpServers['feishu-token']
  expect([entry.command, entry.args]).toEqual([NODE_COMMAND, [PROGRAM]])
  expect(readFileSync(join(stage.tokenDir, 'app.json'), 'latin1')).not.toContain(appSecret)
  expect(statSync(join(stage.tokenDir, 'app.json')).mode & 0o777).toBe(OWN_FILE)

  const server = await startServer(stage)
  expect((await server.call('token_status')).data).toMatchObject({ status: 'not_authorized', app_id: appId })
  const started = await server.call('start_authorization', { open_browser: false })
  await approve(stage, started.data.authorization_url)
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
  const as = await run(stage, [...args, '--json'], { input: appSecret })
  expect([as.code, json(as)]).toMatchObject([0, { status: 'valid', app_id: appId }])
})

test('setup keeps nothing when the secret is wrong or Feishu cannot be asked', async () => {
  const stage = await setStage()
  const { appId } = stage.sandbox.app
  stage.env = without(stage, 'FEISHU_APP_ID', 'FEISHU_APP_SECRET')
  const args = ['setup', '--app-id', appId, '--app-secret-stdin', '--json']
  const wrong = await run(stage, args, { input: 'wrong' })
  expect([wrong.code, failure(wrong)]).toMatchObject([
    2,
    { code: 'invalid_client', message: expect.stringContaining('nothing was kept') },
  ])
  const unknown = await run(stage, ['setup', '--app-id', 'cli_0000', '--app-secret-stdin', '--json'], {
    input: 'x',
  })
  expect([unknown.code, failure(unknown).code]).toEqual([2, 'invalid_client'])
  const down = await run(stage, args, {
    input: 'right or wrong',
    env: { FEISHU_OPEN_URL: 'http://127.0.0.1:1' },
  })
  expect([down.code, failure(down).code]).toEqual([1, 'network_error'])
  expect(json(await run(stage, ['status', '--json'])).status).toBe('not_configured')
})

test('credentials come from FEISHU_*, then setup, then APP_ID and APP_SECRET, always as a pair', async () => {
  const stage = await setStage()
  const { appId, appSecret } = stage.sandbox.app
  const other = stage.sandbox.addApp()
  const bare = without(stage, 'FEISHU_APP_ID', 'FEISHU_APP_SECRET')
  const appOf = async (env: Environment): Promise<unknown> => {
    stage.env = { ...bare, ...env }
    return json(await run(stage, ['status', '--json'])).app_id
  }
  const fallback = { APP_ID: other.appId, APP_SECRET: other.appSecret }
  expect(await appOf({ APP_ID: 'someone-elses', APP_SECRET: 'x' })).toBeNull()
  expect(await appOf({ APP_ID: other.appId })).toBeNull()
  expect(await appOf(fallback)).toBe(other.appId)
  await run(stage, ['setup', '--app-id', appId, '--app-secret-stdin'], { input: appSecret })
  expect(await appOf(fallback)).toBe(appId)
  expect(await appOf({ FEISHU_APP_ID: other.appId, FEISHU_APP_SECRET: other.appSecret })).toBe(other.appId)
  for (const half of [{ FEISHU_APP_ID: appId }, { FEISHU_APP_SECRET: appSecret }]) {
    stage.env = { ...bare, ...half }
    const result = await run(stage, ['status', '--json'])
    expect([result.code, failure(result).code]).toEqual([2, 'config_invalid'])
    expect(result.stderr).toContain('set both')
  }
})

test('--profile chooses one of several accounts, which share nothing', async () => {
  const stage = await setStage()
  await seed(stage, { profile: 'work' })
  expect((await run(stage, ['status'])).code).toBe(3)
  const work = await run(stage, ['status', '--profile', 'work', '--json'])
  expect([work.code, json(work)]).toMatchObject([0, { status: 'valid', profile: 'work' }])
  expect(json(await run(stage, ['refresh', '--force', '--profile=work', '--json']))).toMatchObject({
    generation: 2,
  })
  const missing = await run(stage, ['token', '--profile', 'home'])
  expect(missing.stderr).toMatch(/login --profile home`/)
  expect((await run(stage, ['logout', '--profile', 'work'])).code).toBe(0)
  expect((await run(stage, ['status'], { env: { FEISHU_PROFILE: 'work' } })).code).toBe(3)
})
