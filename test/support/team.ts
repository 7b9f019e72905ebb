// Several machines with one database: each is a token directory of its own.

import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProfileId } from '../../src/profile.ts'
import { Secret } from '../../src/secret.ts'
import { createFileStore } from '../../src/store/files/file-store.ts'
import { createKeys } from '../../src/store/key.ts'
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts'
import { createSharedKeys } from '../../src/store/postgres/shared-key.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { POSTGRES_PASSWORD, type Postgres } from './postgres.ts'
import { type Environment, type Run, run, type Stage, setStage } from './program.ts'

const KEY = randomBytes(32).toString('base64')
const AGENT = `do $$ begin
  create role agent login password '${POSTGRES_PASSWORD}';
exception when duplicate_object then null; end $$`
/** What docs/teams.md says under Roles. */
const GRANTS = `
  grant select on feishu_token_store to agent;
  grant select, insert, update on feishu_token_profiles to agent;
`

export type Team = {
  postgres: Postgres
  stage: Stage
  database: string
  id: ProfileId
  machine: (name: string) => Environment
}

/** A stage whose store is a database of its own, prepared by its owner and used by a role with few rights. */
export async function setTeam(postgres: Postgres, env: Environment = {}): Promise<Team> {
  await postgres.sql('postgres', AGENT)
  const database = await postgres.create()
  const stage = await setStage({
    env: {
      FEISHU_TOKEN_STORE: postgres.url(database),
      FEISHU_TOKEN_KEY_SOURCE: 'env',
      FEISHU_TOKEN_KEY: KEY,
      FEISHU_AUTO_REFRESH: 'false',
      ...env,
    },
  })
  const made = await run(stage, ['store', 'init', '--json'])
  if (made.code !== 0) throw new Error(made.stderr)
  await postgres.sql(database, GRANTS)
  stage.env.FEISHU_TOKEN_STORE = postgres.url(database, { user: 'agent' })
  const id: ProfileId = { brand: 'feishu', appId: stage.sandbox.app.appId, profile: 'default' }
  return { postgres, stage, database, id, machine: (name) => ({ FEISHU_TOKEN_DIR: join(stage.home, name) }) }
}

/** Puts a token set that Feishu has just issued into the store of a machine. */
export async function seed({ stage }: Team, env: Environment): Promise<void> {
  const file = join(stage.home, 'token.json')
  writeFileSync(
    file,
    JSON.stringify({ ...stage.sandbox.issue(), expires_at: Math.floor(Date.now() / 1000) + 7200 }),
  )
  const imported = await run(stage, ['import', file, '--force'], { env })
  rmSync(file)
  if (imported.code !== 0) throw new Error(imported.stderr)
}

/** What a command printed with `--json`. */
export function json(done: Run): Record<string, unknown> {
  return JSON.parse(done.stdout) as Record<string, unknown>
}

/** The team's store as one more machine opens it, within the test. */
export function openTeamStore({ postgres, database, stage }: Team, now: () => number = Date.now): TokenStore {
  const directory = join(stage.home, 'onlooker')
  const environmentKey = new Secret(KEY)
  const keys = createKeys({ directory: join(directory, 'key'), source: 'env', environmentKey })
  return createPostgresStore({
    address: new Secret(postgres.url(database)),
    directory,
    keys: createSharedKeys(keys, 'env', true),
    local: createFileStore({ directory, keys, now }),
    now,
    command: 'feishu-token-mcp',
  })
}
