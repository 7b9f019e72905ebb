// What happens to the token while the database is away, slow, started again, or an older one than it was.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { describeIf } from '../support/needs.ts'
import { POSTGRES_MISSING, type Postgres, startPostgres } from '../support/postgres.ts'
import { presentations, run, type Server, startServer } from '../support/program.ts'
import { age } from '../support/stored.ts'
import { json, openTeamStore, seed, setTeam, type Team } from '../support/team.ts'

let postgres: Postgres
beforeAll(async () => {
  if (!POSTGRES_MISSING) postgres = await startPostgres()
})
afterAll(() => postgres?.close())

const DUE = 200_000
type Held = { reached: Promise<void>; release: () => void }

function hold({ stage }: Team, processed: boolean): Held {
  return stage.sandbox.faults.next({ kind: 'hold', processed }) as unknown as Held
}

/** Lets the lease of whoever has it run out, as 45 seconds would. */
async function endLease({ database }: Team): Promise<void> {
  await postgres.sql(database, `update feishu_token_profiles set lease_until = now() - interval '1 second'`)
}

async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resume) => setTimeout(resume, 50))
}

describeIf(POSTGRES_MISSING)('the database', () => {
  let team: Team
  let a: Server
  let b: Server
  beforeEach(async () => {
    team = await setTeam(postgres)
    await seed(team, team.machine('a'))
    a = await startServer(team.stage, { env: team.machine('a') })
    b = await startServer(team.stage, { env: team.machine('b') })
    for (const server of [a, b]) expect((await server.call('token_status')).data.status).toBe('valid')
  })

  test('is away: a valid token is served from this machine, nothing is spent, and it is said', async () => {
    const token = (await run(team.stage, ['token'], { env: team.machine('a') })).stdout
    await postgres.kill()
    try {
      const status = (await a.call('token_status')).data
      expect(status).toMatchObject({ status: 'valid', generation: 1 })
      expect(JSON.stringify(status.warnings)).toMatch(/cannot be reached.*nothing is refreshed meanwhile/)
      expect((await run(team.stage, ['token'], { env: team.machine('a') })).stdout).toBe(token)
      expect((await a.call('refresh_token')).data.status).toBe('still_valid')
      const forced = await a.call('refresh_token', { force: true })
      expect(forced.text).toMatch(
        /^FAILED: PostgreSQL at 127\.0\.0\.1:\d+\/d\d+ cannot be reached.*code=store_not_writable recovery=retry/s,
      )
      const elsewhere = await run(team.stage, ['status', '--json'], { env: team.machine('new') })
      expect(json(elsewhere)).toMatchObject({ status: 'store_unreadable', user_name: null })
      expect(presentations(team.stage)).toBe(0)
    } finally {
      await postgres.start()
    }
    expect((await a.call('refresh_token', { force: true })).data).toMatchObject({
      status: 'refreshed',
      generation: 2,
    })
    expect((await b.call('token_status')).data).toMatchObject({
      generation: 2,
      status: 'valid',
      warnings: [],
    })
  })

  test('is away when the token has expired: it is known what is to be done, and that it cannot be done now', async () => {
    await age(openTeamStore(team), team.id)
    expect((await b.call('token_status')).data.status).toBe('needs_refresh')
    await postgres.kill()
    try {
      const away = (await b.call('token_status')).data
      expect(away, JSON.stringify(away.warnings)).toMatchObject({ status: 'needs_refresh', generation: 1 })
      expect((await b.call('refresh_token')).text).toContain('code=store_not_writable recovery=retry')
      const pulled = await run(team.stage, ['token'], { env: team.machine('b') })
      expect([pulled.code, pulled.stdout]).toEqual([1, ''])
    } finally {
      await postgres.start()
    }
    expect((await b.call('refresh_token')).data).toMatchObject({ status: 'refreshed', generation: 2 })
    expect(presentations(team.stage)).toBe(1)
  })

  test('goes away while Feishu answers: the answer is kept here, and stored when it is back', async () => {
    const held = hold(team, true)
    const refreshing = a.call('refresh_token', { force: true })
    await held.reached
    await postgres.kill()
    held.release()
    expect((await refreshing).data).toMatchObject({ status: 'refreshed', generation: 2, persisted: false })
    expect((await a.call('token_status')).data).toMatchObject({ status: 'valid', generation: 2 })
    await postgres.start()
    await until(async () => (await b.call('token_status')).data.generation === 2)
    expect((await b.call('refresh_token', { force: true })).data).toMatchObject({
      status: 'refreshed',
      generation: 3,
    })
    expect(presentations(team.stage)).toBe(2)
  })

  test('goes away, and then the process too: the next one on that machine stores the answer', async () => {
    const held = hold(team, true)
    const refreshing = a.call('refresh_token', { force: true })
    await held.reached
    await postgres.kill()
    held.release()
    expect((await refreshing).data.persisted).toBe(false)
    a.transport.child.kill('SIGKILL')
    await a.transport.closed
    await postgres.start()
    expect((await b.call('token_status')).data.generation).toBe(1)
    const next = await run(team.stage, ['refresh', '--force', '--json'], { env: team.machine('a') })
    // What was rescued is newer than what this call had seen: that is its answer, and nothing more is spent.
    expect(json(next)).toMatchObject({ status: 'refreshed_elsewhere', generation: 2 })
    expect((await b.call('token_status')).data).toMatchObject({ status: 'valid', generation: 2 })
    expect(presentations(team.stage)).toBe(1)
    const folder = join(team.stage.home, 'a', 'postgres')
    const left = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    expect(left.filter((name) => name.endsWith('.next') || name.endsWith('.intent'))).toEqual([])
  })

  test('hangs: every call is answered, from what is known here, and nothing is spent', async () => {
    postgres.signal('SIGSTOP')
    try {
      expect((await a.call('token_status')).data).toMatchObject({ status: 'valid', generation: 1 })
      expect((await a.call('refresh_token', { force: true })).text).toContain('code=store_not_writable')
      expect(presentations(team.stage)).toBe(0)
    } finally {
      postgres.signal('SIGCONT')
    }
    await until(async () => !(await a.call('refresh_token', { force: true })).isError)
    expect(presentations(team.stage)).toBe(1)
  })

  test('is started again between two calls: nobody notices', async () => {
    for (let generation = 2; generation <= 4; generation += 1) {
      await postgres.kill()
      await postgres.start()
      const server = generation % 2 ? a : b
      expect((await server.call('refresh_token', { force: true })).data).toMatchObject({
        status: 'refreshed',
        generation,
      })
    }
    expect(presentations(team.stage)).toBe(3)
  })

  test('comes back as one that lags behind: the machine that knows better restores the newest token', async () => {
    const before = await postgres.sql(
      team.database,
      'select record, generation, journal from feishu_token_profiles',
    )
    expect((await a.call('refresh_token', { force: true })).data.generation).toBe(2)
    const [{ record, generation } = { record: '', generation: 0 }] = before
    await postgres.sql(team.database, 'update feishu_token_profiles set record = $1, generation = $2', [
      record,
      generation,
    ])
    expect((await a.call('token_status')).data).toMatchObject({ status: 'valid', generation: 2 })
    // Whoever had not seen the lost commit presents a token that was spent, and is told so.
    expect((await b.call('refresh_token', { force: true })).text).toContain('code=invalid_grant')
    expect((await a.call('refresh_token', { force: true })).data).toMatchObject({
      status: 'refreshed',
      generation: 3,
    })
    expect((await b.call('token_status')).data).toMatchObject({ status: 'valid', generation: 3 })
  })
})

describeIf(POSTGRES_MISSING)('a holder that is stopped for longer than its lease', () => {
  async function stopHolder(processed: boolean) {
    const team = await setTeam(postgres)
    await seed(team, team.machine('a'))
    const holder = await startServer(team.stage, { env: team.machine('a') })
    const other = await startServer(team.stage, { env: team.machine('b') })
    await age(openTeamStore(team), team.id, DUE)
    const held = hold(team, processed)
    const refreshing = holder.call('refresh_token')
    await held.reached
    process.kill(holder.pid, 'SIGSTOP')
    const busy = await other.call('refresh_token')
    expect(busy.data).toMatchObject({ status: 'still_valid', generation: 1 })
    expect(presentations(team.stage)).toBe(1)
    await endLease(team)
    return { team, holder, other, held, refreshing }
  }

  test('and comes back: it adopts what the next holder stored, and overwrites nothing', async () => {
    const { team, holder, other, held, refreshing } = await stopHolder(false)
    expect((await other.call('refresh_token')).data).toMatchObject({ status: 'refreshed', generation: 2 })
    held.release()
    process.kill(holder.pid, 'SIGCONT')
    expect((await refreshing).data).toMatchObject({ status: 'refreshed_elsewhere', generation: 2 })
    for (const server of [holder, other])
      expect((await server.call('token_status')).data).toMatchObject({ status: 'valid', generation: 2 })
    expect(presentations(team.stage)).toBe(2)
  })

  test('with the answer in its hands still stores it: it is the only copy', async () => {
    const { team, holder, other, held, refreshing } = await stopHolder(true)
    expect((await other.call('refresh_token')).text).toContain('code=refresh_uncertain')
    held.release()
    process.kill(holder.pid, 'SIGCONT')
    expect((await refreshing).data).toMatchObject({ status: 'refreshed', generation: 2 })
    expect((await other.call('refresh_token', { force: true })).data).toMatchObject({
      status: 'refreshed',
      generation: 3,
    })
    expect(presentations(team.stage)).toBe(3)
  })
})
