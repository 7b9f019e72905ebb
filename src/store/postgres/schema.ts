// The tables, in versions. `store init` makes them or brings them up to date; everybody else only looks.

import { CodedError } from '../../errors.ts'
import { say } from '../../sentence.ts'
import type { Key } from '../key.ts'
import type { Initialized } from '../token-store.ts'
import type { Database, Query } from './database.ts'

/** What each version added, from 1 on. An entry that was published is never changed. */
const MIGRATIONS: readonly string[] = [
  `create table feishu_token_store (
     only_row boolean primary key default true check (only_row),
     version integer not null,
     key_id text not null
   );
   create table feishu_token_profiles (
     brand text not null,
     app_id text not null,
     profile text not null,
     generation bigint not null default 0,
     record text,
     journal text,
     pending text,
     lease_owner text,
     lease_until timestamptz,
     lease_holder text,
     primary key (brand, app_id, profile)
   )`,
]

/** The version that this program works with. */
export const SCHEMA_VERSION: number = MIGRATIONS.length

/** Any number that no other program is likely to lock: "feishu" in ASCII. */
const INIT_LOCK = 0x666569736875

/** Throws where the tables are older or newer than this program. */
export function checkVersion({ place, command }: Database, version: number): void {
  if (version === SCHEMA_VERSION) return
  const newer = version > SCHEMA_VERSION
  throw new CodedError(
    'config_invalid',
    say`The tables in PostgreSQL at ${place} are of ${newer ? say`a newer` : say`an older`} version (${version}) than this program's (${SCHEMA_VERSION}).`,
    {
      nextStep: newer ? say`Update feishu-token-mcp on this machine.` : say`Run \`${command} store init\`.`,
    },
  )
}

async function current(query: Query): Promise<{ version: number; key_id: string } | null> {
  const [found] = await query<{ exists: boolean }>(
    `select to_regclass('feishu_token_store') is not null as exists`,
  )
  if (!found?.exists) return null
  const [row] = await query<{ version: number; key_id: string }>(
    'select version, key_id from feishu_token_store',
  )
  return row ?? null
}

/** Makes the tables, or brings them up to date; safe to run again, and by two at once. `firstKey` seals a new store. */
export async function initSchema(
  database: Database,
  firstKey: () => Promise<Key>,
): Promise<Omit<Initialized, 'keySource'>> {
  return database.transaction(async (query) => {
    // Until the end of the transaction: a session would not do behind a pooler.
    await query('select pg_advisory_xact_lock($1)', [INIT_LOCK])
    const before = await current(query)
    if (before && before.version >= SCHEMA_VERSION) {
      checkVersion(database, before.version)
      return { status: 'unchanged', version: before.version, keyId: before.key_id }
    }
    for (const statements of MIGRATIONS.slice(before?.version ?? 0)) await query(statements)
    const keyId = before?.key_id ?? (await firstKey()).id
    await query(
      `insert into feishu_token_store (version, key_id) values ($1, $2)
       on conflict (only_row) do update set version = excluded.version`,
      [SCHEMA_VERSION, keyId],
    )
    return { status: before ? 'migrated' : 'created', version: SCHEMA_VERSION, keyId }
  })
}
