// Each protection of the shared store with a control: a build without it, in which the same proof must fail.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, type Postgres, startPostgres } from '../support/postgres.ts'
import { presentations } from '../support/program.ts'
import { openTeamStore, seed, setTeam, type Team } from '../support/team.ts'
import { refreshing, start } from './process.ts'
import type { Scene } from './scene.ts'
import { buildVariant, type Patch, WHOLE } from './variant.ts'

let postgres: Postgres
beforeAll(async () => {
  if (!POSTGRES_MISSING) postgres = await startPostgres()
})
afterAll(() => postgres?.close())

/** Resolves to what went wrong; null: the protection held. */
type Proof = (team: Team, main: string) => Promise<string | null>

function begin({ stage, machine }: Team, name: string, command: string[]) {
  return start({ env: { ...stage.env, ...machine(name) } } as Scene, command)
}

/** A refresh on machine `a` whose answer Feishu holds back. */
async function hold(team: Team, main: string) {
  const held = team.stage.sandbox.faults.next({ kind: 'hold', processed: true })
  const run = begin(team, 'a', refreshing(main, '--force'))
  await held.reached
  return { held, run }
}

const twoMachines: Proof = async (team, main) => {
  const { held, run } = await hold(team, main)
  const other = await begin(team, 'b', refreshing(main, '--force')).end
  held.release()
  await run.end
  const times = presentations(team.stage)
  return times === 1 ? null : `presented ${times} times at once: ${other.stdout}`
}

const latecomer: Proof = async (team, main) => {
  const { held, run } = await hold(team, main)
  await postgres.sql(
    team.database,
    `update feishu_token_profiles set lease_until = now() - interval '1 second'`,
  )
  const file = join(team.stage.home, 'other.json')
  for (const round of [2, 3]) {
    writeFileSync(file, JSON.stringify(team.stage.sandbox.issue()))
    const { code, stderr } = await begin(team, 'b', [process.execPath, main, 'import', file, '--force']).end
    if (code !== 0) throw new Error(`import ${round}: ${stderr}`)
  }
  rmSync(file)
  held.release()
  await run.end
  const { generation } = await openTeamStore(team).read(team.id)
  return generation === 3 ? null : `the generation fell to ${generation}`
}

const rescue: Proof = async (team, main) => {
  const { held, run } = await hold(team, main)
  await postgres.kill()
  held.release()
  await run.end
  await postgres.start()
  const next = await begin(team, 'a', refreshing(main, '--force')).end
  return next.code === 0 ? null : next.stdout
}

const ROWS = 'src/store/postgres/rows.ts'
const PROTECTIONS: [name: string, proof: Proof, without: Patch][] = [
  [
    'the lease keeps two machines from presenting one token',
    twoMachines,
    { file: ROWS, from: 'where p.lease_owner is null or', to: 'where true or' },
  ],
  [
    'the comparison of generations keeps an answer that comes late from replacing a newer one',
    latecomer,
    { file: ROWS, from: 'then p.generation <= $7 and (', to: 'then $7::bigint >= 0 and (' },
  ],
  [
    'the rescue file keeps an answer while the database is away',
    rescue,
    {
      file: 'src/store/postgres/leased-profile.ts',
      from: '[await local.readRescue(), await local.read()]',
      to: '[]',
    },
  ],
]

describe.skipIf(POSTGRES_MISSING !== null).each(PROTECTIONS)('%s', (name, proof, patch) => {
  test('in the whole program', async () => {
    const team = await setTeam(postgres)
    await seed(team, team.machine('a'))
    expect(await proof(team, WHOLE)).toBeNull()
  })

  test('and not in one without it', async () => {
    const team = await setTeam(postgres)
    await seed(team, team.machine('a'))
    expect(
      await proof(team, await buildVariant(`without ${name}`.replaceAll(/\W/g, '-'), [patch])),
    ).not.toBeNull()
  })
})
