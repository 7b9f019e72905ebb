// The statements. Each is a transaction by itself; a lease is by the server's clock, and whoever lost it changes nothing.

import type { AppKey, ProfileId } from '../../profile.ts'
import type { Database } from './database.ts'
import { checkVersion } from './schema.ts'

/** A profile as the database has it; one that it does not know has generation 0 and nothing else. */
export type Row = {
  generation: number
  /** Sealed. */
  record: string | null
  journal: string | null
  /** Sealed. */
  pending: string | null
  /** The key that this store is sealed with. */
  key_id: string
}

/** Longer than any call may take from the lease to the last byte of an answer (30 s), with a wide margin. */
const LEASE = '45 seconds'
/** After the database was restarted, those who hold an answer come first: they try once a second. */
const AFTER_RESTART = '3 seconds'

const COLUMNS = 'p.record, p.journal, p.pending, coalesce(p.generation, 0)::float8 as generation'

function key({ brand, appId, profile }: ProfileId): string[] {
  return [brand, appId, profile]
}

export type Rows = {
  read(id: ProfileId): Promise<Row>
  /** Takes the lease if it is free, past, or one of `before`; null: another has it. */
  takeLease(id: ProfileId, owner: string, before: string[], holder: string): Promise<Row | null>
  leaseHolder(id: ProfileId): Promise<string | null>
  giveLease(id: ProfileId, owner: string): Promise<void>
  /** False: the lease is lost, and nothing changed. */
  write(
    id: ProfileId,
    owner: string,
    values: Partial<Pick<Row, 'record' | 'journal' | 'pending'>>,
  ): Promise<boolean>
  /** False: the row is not of the generation that was expected, and nothing changed. */
  commit(
    id: ProfileId,
    owner: string,
    next: { record: string; generation: number; expected: number; journal: string | null },
  ): Promise<boolean>
  names(app: AppKey): Promise<string[]>
  otherApps(id: ProfileId): Promise<string[]>
}

/** Those who ask in one turn of the event loop share a statement, and each profile is asked for once. */
function inOneStatement(readAll: (ids: ProfileId[]) => Promise<Row[]>): (id: ProfileId) => Promise<Row> {
  let batch: { ids: Map<string, ProfileId>; rows: Promise<Row[]> } | null = null
  return async (id) => {
    if (!batch) {
      const ids = new Map<string, ProfileId>()
      const rows = Promise.resolve().then(() => {
        batch = null
        return readAll([...ids.values()])
      })
      batch = { ids, rows }
    }
    const { ids, rows } = batch
    const name = key(id).join(' ')
    ids.set(name, ids.get(name) ?? id)
    const index = [...ids.keys()].indexOf(name)
    const row = (await rows)[index]
    if (!row) throw new Error('a row was asked for and not answered')
    return row
  }
}

/** The rows of a database. */
export function openRows(database: Database): Rows {
  type Read = Row & { version: number }
  const checked = <T extends Read | undefined>(row: T): T => {
    if (row) checkVersion(database, row.version)
    return row
  }

  async function readAll(ids: ProfileId[]): Promise<Row[]> {
    const columns = [0, 1, 2].map((part) => ids.map((id) => key(id)[part]))
    const rows = await database.query<Read>(
      `select ${COLUMNS}, s.version, s.key_id
       from unnest($1::text[], $2::text[], $3::text[]) with ordinality as k (brand, app_id, profile, position)
       cross join feishu_token_store s
       left join feishu_token_profiles p using (brand, app_id, profile)
       order by k.position`,
      columns,
    )
    return rows.map(checked)
  }

  return {
    read: inOneStatement(readAll),
    async takeLease(id, owner, before, holder) {
      const [row] = await database.query<Read>(
        `insert into feishu_token_profiles as p (brand, app_id, profile, lease_owner, lease_until, lease_holder)
         values ($1, $2, $3, $4, now() + interval '${LEASE}', $6)
         on conflict (brand, app_id, profile) do update
         set lease_owner = excluded.lease_owner, lease_until = excluded.lease_until, lease_holder = excluded.lease_holder
         where p.lease_owner is null or p.lease_owner = any($5::text[])
           or greatest(p.lease_until, pg_postmaster_start_time() + interval '${AFTER_RESTART}') < now()
         returning ${COLUMNS}, (select version from feishu_token_store), (select key_id from feishu_token_store)`,
        [...key(id), owner, before, holder],
      )
      return checked(row) ?? null
    },
    async leaseHolder(id) {
      const [row] = await database.query<{ lease_holder: string | null }>(
        `select lease_holder from feishu_token_profiles
         where brand = $1 and app_id = $2 and profile = $3 and lease_owner is not null`,
        key(id),
      )
      return row?.lease_holder ?? null
    },
    async giveLease(id, owner) {
      await database.query(
        `update feishu_token_profiles set lease_owner = null, lease_until = null, lease_holder = null
         where brand = $1 and app_id = $2 and profile = $3 and lease_owner = $4`,
        [...key(id), owner],
      )
    },
    async write(id, owner, values) {
      const columns = Object.keys(values)
      const rows = await database.query(
        `update feishu_token_profiles set ${columns.map((name, index) => `${name} = $${index + 5}`).join(', ')}
         where brand = $1 and app_id = $2 and profile = $3 and lease_owner = $4 returning 1`,
        [...key(id), owner, ...Object.values(values)],
      )
      return rows.length > 0
    },
    async commit(id, owner, { record, generation, expected, journal }) {
      // A new generation may come late, when its lease has run out: its token was paid for. A mark on the same one may
      // not. A lower generation than expected is that of a standby which took over and lags behind.
      const rows = await database.query(
        `insert into feishu_token_profiles as p (brand, app_id, profile, record, generation, journal)
         values ($1, $2, $3, $5, $6, $8)
         on conflict (brand, app_id, profile) do update
         set record = excluded.record, generation = excluded.generation, journal = $8
         where case when $6 > $7::bigint
             then p.generation <= $7 and (p.record is not null or p.lease_owner = $4)
             else p.generation = $7 and p.lease_owner = $4 end
           and (current_setting('synchronous_commit') <> 'off' or set_config('synchronous_commit', 'on', true) = 'on')
         returning 1`,
        [...key(id), owner, record, generation, expected, journal],
      )
      return rows.length > 0
    },
    async names({ brand, appId }) {
      const rows = await database.query<{ profile: string }>(
        `select profile from feishu_token_profiles where brand = $1 and app_id = $2 and record is not null`,
        [brand, appId],
      )
      return rows.map(({ profile }) => profile).sort()
    },
    async otherApps({ brand, appId, profile }) {
      const rows = await database.query<{ app: string }>(
        `select brand || '-' || app_id as app from feishu_token_profiles
         where profile = $1 and (brand, app_id) <> ($2, $3) and record is not null order by app`,
        [profile, brand, appId],
      )
      return rows.map(({ app }) => app)
    },
  }
}
