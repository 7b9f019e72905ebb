// The whole program with its token sets in PostgreSQL. A machine is a token directory of its own; machines in namespaces
// of their own are in machines.test.ts.

import { randomBytes } from 'node:crypto'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NO_OPENSSL, selfSigned } from '../loopback/certificate.ts'
import { makeFolder } from '../support/folder.ts'
import { checkText } from '../support/invariants.ts'
import { describeIf, testIf } from '../support/needs.ts'
import {
  PGBOUNCER_MISSING,
  POSTGRES_MISSING,
  POSTGRES_PASSWORD,
  type Postgres,
  startPgBouncer,
  startPostgres,
} from '../support/postgres.ts'
import { authorize, type Environment, PROGRAM, presentations, run, startServer } from '../support/program.ts'
import { age } from '../support/stored.ts'
import { json, openTeamStore, seed, setTeam } from '../support/team.ts'

let postgres: Postgres
beforeAll(async () => {
  if (POSTGRES_MISSING) return
  postgres = await startPostgres()
})
afterAll(() => postgres?.close())

const ifPostgres = describeIf(POSTGRES_MISSING)

ifPostgres('a team', () => {
  test('takes the password from PGPASSWORD, which no program that we start inherits', async () => {
    const team = await setTeam(postgres)
    const address = String(team.stage.env.FEISHU_TOKEN_STORE)
    const env = {
      ...team.machine('a'),
      FEISHU_TOKEN_STORE: address.replace(`:${POSTGRES_PASSWORD}@`, '@'),
      PGPASSWORD: POSTGRES_PASSWORD,
    }
    expect(env.FEISHU_TOKEN_STORE).not.toBe(address)
    await seed(team, team.machine('a'))
    const { status } = JSON.parse((await run(team.stage, ['status', '--json'], { env })).stdout)
    expect(status).toBe('valid')
    const wrong = await run(team.stage, ['status', '--json'], { env: { ...env, PGPASSWORD: 'wrong' } })
    expect(wrong.stdout + wrong.stderr).toContain('refuses the password')
    const print = ['--', process.execPath, '-e', 'process.stdout.write(JSON.stringify(process.env))']
    const child = await run(team.stage, ['exec', '--no-gateway', ...print], { env })
    expect(JSON.parse(child.stdout)).not.toHaveProperty('PGPASSWORD')
    expect(child.stdout).not.toContain(POSTGRES_PASSWORD)
  })

  test('authorizes on one machine; the others use the token, and whoever renews it renews it for all', async () => {
    const team = await setTeam(postgres)
    const { stage, machine } = team
    const [a, b] = [
      await startServer(stage, { env: machine('a') }),
      await startServer(stage, { env: machine('b') }),
    ]
    await authorize(stage, a)
    expect((await b.call('token_status')).data).toMatchObject({
      status: 'valid',
      store: 'postgres',
      key_source: 'env',
      generation: 1,
    })
    expect((await b.call('refresh_token', { force: true })).data).toMatchObject({
      status: 'refreshed',
      generation: 2,
    })
    expect((await a.call('token_status')).data).toMatchObject({ status: 'valid', generation: 2 })
    const [first, second] = [
      await run(stage, ['token'], { env: machine('a') }),
      await run(stage, ['token'], { env: machine('b') }),
    ]
    expect(first.stdout).toBe(second.stdout)
    expect(presentations(stage)).toBe(1)
  })

  test('never shows its tokens to the database', async () => {
    const team = await setTeam(postgres)
    await seed(team, team.machine('a'))
    const rows = await postgres.sql(team.database, 'select * from feishu_token_profiles')
    expect(JSON.stringify(rows)).toContain('sealed')
    checkText('a row', JSON.stringify(rows), team.stage.sandbox.secrets())
  })

  test('logs out for all', async () => {
    const team = await setTeam(postgres)
    await seed(team, team.machine('a'))
    expect((await run(team.stage, ['logout'], { env: team.machine('b') })).code).toBe(0)
    const status = await run(team.stage, ['status', '--json'], { env: team.machine('a') })
    expect(json(status)).toMatchObject({ status: 'not_authorized', generation: 2 })
  })

  test('sees nowhere the password of the address', async () => {
    const team = await setTeam(postgres)
    const { stage } = team
    await seed(team, {})
    for (const args of [
      ['status'],
      ['status', '--json'],
      ['doctor'],
      ['doctor', '--json'],
      ['refresh', '--force'],
    ]) {
      const done = await run(stage, args, { env: { FEISHU_LOG_LEVEL: 'debug' } })
      checkText(args.join(' '), done.stdout + done.stderr, [POSTGRES_PASSWORD])
    }
    const wrong = { FEISHU_TOKEN_STORE: postgres.url('nowhere', { user: 'agent' }) }
    const refused = { FEISHU_TOKEN_STORE: postgres.url(team.database, { user: 'nobody' }) }
    const away = { FEISHU_TOKEN_STORE: postgres.url(team.database, { port: 1 }) }
    for (const env of [wrong, refused, away]) {
      const done = await run(stage, ['refresh', '--force', '--json'], { env })
      checkText('an error', done.stdout + done.stderr, [POSTGRES_PASSWORD])
      expect(JSON.stringify(json(done).error)).toMatch(/config_invalid|store_not_writable/)
    }
  })
})

ifPostgres('store init', () => {
  test('may be run twice, and by two at once, and leaves what is stored alone', async () => {
    const team = await setTeam(postgres)
    const { stage, machine, database } = team
    await seed(team, machine('a'))
    const owner = { FEISHU_TOKEN_STORE: postgres.url(database) }
    const again = await Promise.all(
      [1, 2, 3].map(() => run(stage, ['store', 'init', '--json'], { env: owner })),
    )
    expect(again.map((done) => json(done).status)).toEqual(['unchanged', 'unchanged', 'unchanged'])
    // There is no key file to be copied.
    for (const done of again)
      expect(json(done).next_step).toMatch(/^Every machine needs key \w+: set FEISHU_TOKEN_KEY there/)
    expect(json(await run(stage, ['status', '--json'], { env: machine('a') })).status).toBe('valid')

    const empty = { FEISHU_TOKEN_STORE: postgres.url(await postgres.create()) }
    const first = await Promise.all(
      [1, 2, 3].map(() => run(stage, ['store', 'init', '--json'], { env: empty })),
    )
    expect(first.map((done) => json(done).status).sort()).toEqual(['created', 'unchanged', 'unchanged'])
  })

  test('is asked for where it was not run, and needs no database for files', async () => {
    const { stage } = await setTeam(postgres)
    const bare = { FEISHU_TOKEN_STORE: postgres.url(await postgres.create()) }
    const status = await run(stage, ['refresh', '--json'], { env: bare })
    expect(json(status).error).toMatchObject({
      code: 'config_invalid',
      next_step: `Run \`node ${PROGRAM} store init\` once, as the owner of the database.`,
    })
    const files = await run(stage, ['store', 'init', '--json'], { env: { FEISHU_TOKEN_STORE: 'file' } })
    expect([files.code, json(files).error]).toMatchObject([2, { code: 'config_invalid' }])
  })

  test('tables of a newer version are refused and left as they are', async () => {
    const team = await setTeam(postgres)
    await seed(team, {})
    await postgres.sql(team.database, 'update feishu_token_store set version = 99')
    for (const command of [
      ['refresh', '--force', '--json'],
      ['store', 'init', '--json'],
    ]) {
      const env = { FEISHU_TOKEN_STORE: postgres.url(team.database) }
      const error = json(await run(team.stage, command, { env })).error
      expect(error).toMatchObject({
        code: 'config_invalid',
        message: expect.stringContaining('newer version (99)'),
      })
    }
  })
})

ifPostgres('a machine without the right key', () => {
  test.each([
    ['another one in the environment', { FEISHU_TOKEN_KEY: randomBytes(32).toString('base64') }],
    ['none in a key file', { FEISHU_TOKEN_KEY_SOURCE: 'file', FEISHU_TOKEN_KEY: '' }],
  ])('(%s) is told so, and changes nothing', async (_what, env: Environment) => {
    const team = await setTeam(postgres)
    const { stage, machine, database } = team
    await seed(team, machine('a'))
    const rows = () =>
      postgres.sql(database, 'select generation, record, pending, journal from feishu_token_profiles')
    const before = await rows()
    const wrong = await startServer(stage, { env: { ...machine('wrong'), ...env } })
    expect((await wrong.call('refresh_token', { force: true })).text).toMatch(
      /code=key_unavailable recovery=fix_config/,
    )
    const { data } = await wrong.call('token_status')
    expect(data.status).toBe('store_unreadable')
    expect((await wrong.call('start_authorization', { open_browser: false })).text).toMatch(
      /code=key_unavailable/,
    )
    expect(await rows()).toEqual(before)
    expect(json(await run(stage, ['status', '--json'], { env: machine('a') })).status).toBe('valid')
    expect(presentations(stage)).toBe(0)
  })
})

ifPostgres('the key of a shared store', () => {
  test('may lie in a key file that is copied to the other machines', async () => {
    const team = await setTeam(postgres)
    const { stage, machine, database } = team
    const env = { FEISHU_TOKEN_KEY_SOURCE: 'file', FEISHU_TOKEN_KEY: '' }
    const [a, b] = [
      { ...machine('a'), ...env },
      { ...machine('b'), ...env },
    ]
    await postgres.sql(database, 'drop table feishu_token_store, feishu_token_profiles')
    const owner = { FEISHU_TOKEN_STORE: postgres.url(database) }
    const made = json(await run(stage, ['store', 'init', '--json'], { env: { ...a, ...owner } }))
    await seed(team, { ...a, ...owner })
    expect(json(await run(stage, ['status', '--json'], { env: { ...b, ...owner } })).status).toBe(
      'store_unreadable',
    )
    expect(made.next_step).toContain(`shared.key from ${join(stage.home, 'a')} into`)
    const again = json(await run(stage, ['store', 'init', '--json'], { env: { ...b, ...owner } }))
    expect(again).toMatchObject({
      status: 'unchanged',
      next_step: expect.stringMatching(
        `^This machine lacks key ${made.key_id}: .* into ${join(stage.home, 'b')} `,
      ),
    })
    const name = join('key', `${made.key_id}.shared.key`)
    cpSync(join(stage.home, 'a', name), join(stage.home, 'b', name))
    expect(json(await run(stage, ['status', '--json'], { env: { ...b, ...owner } }))).toMatchObject({
      status: 'valid',
      key_source: 'file',
    })
    const moved = await run(stage, ['key', '--move-to', 'keychain', '--json'], { env: { ...b, ...owner } })
    expect([moved.code, json(moved).error]).toMatchObject([2, { code: 'config_invalid' }])
  })

  test('is its own, and outlives a move of the key of the files beside it', async () => {
    const team = await setTeam(postgres)
    const { stage, machine, database } = team
    const files = { ...machine('a'), FEISHU_TOKEN_KEY_SOURCE: 'auto', FEISHU_TOKEN_KEY: '' }
    const shared = { ...files, FEISHU_TOKEN_KEY_SOURCE: 'file', FEISHU_TOKEN_STORE: postgres.url(database) }
    const { appId, appSecret } = stage.sandbox.app
    const alone = { ...files, FEISHU_TOKEN_STORE: 'file', DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' }
    await run(stage, ['setup', '--app-id', appId, '--app-secret-stdin'], { env: alone, input: appSecret })
    await postgres.sql(database, 'drop table feishu_token_store, feishu_token_profiles')
    const made = json(await run(stage, ['store', 'init', '--json'], { env: shared }))
    const keyOfFiles = JSON.parse(readFileSync(join(stage.home, 'a', 'app.json'), 'utf8')).key_id
    expect(made.key_id).not.toBe(keyOfFiles)
    await seed(team, shared)
    const move = { ...alone, FEISHU_TOKEN_KEY: Buffer.alloc(32, 9).toString('base64') }
    const moved = json(await run(stage, ['key', '--move-to', 'env', '--json'], { env: move }))
    expect(moved).toMatchObject({ status: 'moved', old_keys_removed: true })
    expect(json(await run(stage, ['status', '--json'], { env: shared })).status).toBe('valid')
  })
})

ifPostgres('behind PgBouncer in transaction mode', () => {
  testIf(PGBOUNCER_MISSING)('everything works, with more processes than connections', async () => {
    const team = await setTeam(postgres)
    const { stage, database, machine } = team
    const bouncer = await startPgBouncer(postgres)
    try {
      stage.env.FEISHU_TOKEN_STORE = postgres.url(database, { user: 'agent', port: bouncer.port })
      await seed(team, machine('a'))
      const servers = await Promise.all(
        ['a', 'a', 'b', 'b', 'c', 'c'].map((name) => startServer(stage, { env: machine(name) })),
      )
      await age(openTeamStore(team), team.id)
      const answers = await Promise.all(servers.map((server) => server.call('refresh_token')))
      expect(new Set(answers.map(({ data }) => data.generation))).toEqual(new Set([2]))
      for (const { data } of await Promise.all(servers.map((server) => server.call('token_status'))))
        expect(data).toMatchObject({ status: 'valid', generation: 2 })
      expect(presentations(stage)).toBe(1)
      for (const server of servers) await server.close()
    } finally {
      await bouncer.close()
    }
  })
})

ifPostgres('over TLS', () => {
  test('the certificate is checked as the address says, and what is wrong with it is told', async (ctx) => {
    const certificate = selfSigned()
    if (!certificate) return ctx.skip(NO_OPENSSL)
    const cert = join(makeFolder(), 'cert.pem')
    writeFileSync(cert, certificate.cert)
    const server = await startPostgres({}, certificate)
    try {
      const team = await setTeam(postgres)
      const database = await server.create()
      const init = (search: string, on = server) => {
        const env = { FEISHU_TOKEN_STORE: on.url(database, { search }) }
        return run(team.stage, ['store', 'init', '--json'], { env })
      }
      expect(json(await init('sslmode=verify-full')).error).toMatchObject({ code: 'tls_error' })
      expect(json(await init(`sslmode=verify-full&sslrootcert=${cert}`))).toMatchObject({ status: 'created' })
      expect(json(await init('sslmode=verify-full', postgres)).error).toMatchObject({
        code: 'tls_error',
        next_step: expect.stringContaining('sslmode'),
      })
    } finally {
      await server.close()
    }
  })
})

ifPostgres('store copy', () => {
  const FILES: Environment = { FEISHU_TOKEN_STORE: 'file' }

  test('moves a profile into the database, and back, and spends nothing', async () => {
    const team = await setTeam(postgres)
    const { stage } = team
    await seed(team, FILES)
    const moved = await run(stage, ['store', 'copy', '--from', 'file', '--to', 'postgres', '--json'])
    expect(json(moved)).toMatchObject({ profiles: [{ profile: 'default', status: 'moved', generation: 1 }] })
    expect(json(await run(stage, ['status', '--json'])).status).toBe('valid')
    expect(json(await run(stage, ['status', '--json'], { env: FILES })).status).toBe('not_authorized')
    const back = await run(stage, ['store', 'copy', '--from', 'postgres', '--to', 'file', '--json'])
    expect(json(back)).toMatchObject({ profiles: [{ status: 'moved' }] })
    expect(presentations(stage)).toBe(0)
    expect(json(await run(stage, ['refresh', '--force', '--json'], { env: FILES }))).toMatchObject({
      status: 'refreshed',
    })
  })

  test('completes what was interrupted between the one store and the other', async () => {
    const team = await setTeam(postgres)
    const { stage } = team
    const file = join(makeFolder(), 'token.json')
    writeFileSync(file, JSON.stringify(stage.sandbox.issue()))
    for (const env of [FILES, {}]) expect((await run(stage, ['import', file], { env })).code).toBe(0)
    const again = await run(stage, ['store', 'copy', '--from', 'file', '--to', 'postgres', '--json'])
    expect(json(again)).toMatchObject({ profiles: [{ status: 'moved', generation: 1 }] })
    expect(json(await run(stage, ['status', '--json'], { env: FILES })).status).toBe('not_authorized')
  })

  test('takes an address, warns of a password in it, and never shows it', async () => {
    const team = await setTeam(postgres)
    await seed(team, FILES)
    const address = postgres.url(team.database, { user: 'agent' })
    const done = await run(team.stage, ['store', 'copy', '--from', 'file', '--to', address, '--json'])
    expect(json(done)).toMatchObject({ profiles: [{ status: 'moved' }] })
    expect(done.stderr).toContain('see a password')
    checkText('the output', done.stdout + done.stderr, [POSTGRES_PASSWORD])
    for (const args of [
      ['--from', 'file'],
      ['--from', 'file', '--to', 'file'],
      ['--from', 'file', '--to', 'canary://x'],
    ])
      expect((await run(team.stage, ['store', 'copy', ...args])).code).toBe(2)
  })

  test('does not take the place of another token set', async () => {
    const team = await setTeam(postgres)
    await seed(team, FILES)
    await seed(team, {})
    const done = await run(team.stage, ['store', 'copy', '--from', 'file', '--to', 'postgres', '--json'])
    expect([done.code, json(done).error]).toMatchObject([2, { code: 'config_invalid' }])
    for (const env of [FILES, {}])
      expect(json(await run(team.stage, ['status', '--json'], { env })).status).toBe('valid')
  })

  test('is refused while another process holds the lock', async () => {
    const team = await setTeam(postgres)
    const { stage } = team
    await seed(team, FILES)
    const server = await startServer(stage, { env: FILES })
    const held = stage.sandbox.faults.next({ kind: 'hold', processed: true })
    const refreshing = server.call('refresh_token', { force: true })
    await held.reached
    const done = await run(stage, ['store', 'copy', '--from', 'file', '--to', 'postgres', '--json'])
    expect([done.code, json(done).error]).toMatchObject([1, { code: 'store_locked' }])
    held.release()
    expect((await refreshing).data.status).toBe('refreshed')
    expect(json(await run(stage, ['status', '--json'])).status).toBe('not_authorized')
  })
})
