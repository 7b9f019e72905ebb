// Six processes on three machines with one database (docs/teams.md). FEISHU_TEST_LONG=1: more calls a round.

import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { checkText } from '../support/invariants.ts'
import { MACHINES_MISSING, processOn, startMachines } from '../support/machine.ts'
import { describeIf } from '../support/needs.ts'
import { POSTGRES_MISSING, type Postgres, startPostgres } from '../support/postgres.ts'
import { presentations, type Server, startServer } from '../support/program.ts'
import { age } from '../support/stored.ts'
import { openTeamStore, seed, setTeam, type Team } from '../support/team.ts'

const EXPIRIES = 40
const CALLS = process.env.FEISHU_TEST_LONG === '1' ? 25 : 2

let postgres: Postgres
beforeAll(async () => {
  if (!POSTGRES_MISSING) postgres = await startPostgres()
})
afterAll(() => postgres?.close())

/** A team of six servers, two on each of three machines. */
async function setMachines(): Promise<{ team: Team; servers: Server[] }> {
  const team = await setTeam(postgres)
  const { stage, database, machine } = team
  await seed(team, machine('a'))
  const names = ['a', 'b', 'c']
  const { machines, close } = await startMachines(names, Number(new URL(stage.sandbox.url).port))
  onTestFinished(close)
  const store = postgres.url(database, { user: 'agent', socket: true })
  const servers: Server[] = []
  for (const [index, { node }] of machines.entries()) {
    const env = { ...machine(names[index] ?? ''), FEISHU_TOKEN_STORE: store }
    for (const options of [
      { env, node },
      { env, node },
    ])
      servers.push(await startServer(stage, options))
  }
  return { team, servers }
}

describeIf(POSTGRES_MISSING ?? MACHINES_MISSING)('three machines', () => {
  test(`with two processes each spend ${EXPIRIES} refresh tokens in ${EXPIRIES} expiries, and none twice`, {
    timeout: 240_000,
  }, async () => {
    const { team, servers } = await setMachines()
    const { stage, id } = team
    const store = openTeamStore(team)
    for (let expiry = 1; expiry <= EXPIRIES; expiry += 1) {
      await age(store, id)
      const calls = servers.flatMap((server) =>
        Array.from({ length: CALLS }, () => server.call('refresh_token')),
      )
      const answers = await Promise.all(calls)
      const failed = answers.find(({ isError }) => isError)
      if (failed) throw new Error(failed.text)
      expect(new Set(answers.map(({ data }) => data.generation))).toEqual(new Set([expiry + 1]))
    }
    expect(presentations(stage)).toBe(EXPIRIES)
    const spent = stage.sandbox.ledger.filter(({ kind }) => kind === 'refresh_token')
    expect(spent.filter(({ code }) => code !== 0)).toEqual([])
  })

  test('really are machines of their own: their process ids clash, and each has its own host name', async () => {
    const { team, servers } = await setMachines()
    await age(openTeamStore(team), team.id)
    const [holder, , other] = servers as [Server, Server, Server]
    const held = team.stage.sandbox.faults.next({ kind: 'hold', processed: true })
    const refreshing = holder.call('refresh_token')
    await held.reached
    const { text } = await other.call('refresh_token')
    const [, pid, host] = /process (\d+) on (\w+)\./.exec(text) ?? []
    expect([text.includes('code=store_locked'), host]).toEqual([true, 'a'])
    expect(Number(pid)).not.toBe(processOn(holder.pid))
    held.release()
    expect((await refreshing).data.status).toBe('refreshed')
    checkText('an answer', text, team.stage.sandbox.secrets())
  })
})
