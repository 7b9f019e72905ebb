// The same store contract in two places: files, and PostgreSQL. Each place can be opened by many processes, and copied
// as a crash of all of them would leave it.

import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { Secret } from '../../src/secret.ts'
import { createFileStore } from '../../src/store/files/file-store.ts'
import { openDatabase } from '../../src/store/postgres/database.ts'
import { createPostgresStore, localFolder } from '../../src/store/postgres/postgres-store.ts'
import { createSharedKeys } from '../../src/store/postgres/shared-key.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { makeFolder } from '../support/folder.ts'
import type { Postgres } from '../support/postgres.ts'
import { fileKeys } from '../support/stored.ts'
import { ISSUED_AT } from '../support/token-set.ts'
import { copyOf, type Disk, makeDisk } from './fixture.ts'

export type Place = {
  /** As one process opens it. */
  open(): TokenStore
  /** As it is now: what a crash of every process would leave. */
  crash(): Promise<Place>
  /** As a machine opens it that lacks the key; not where each machine has its own. */
  openWithoutKey?(): TokenStore
}

/** A store in files. */
export function makeFilePlace(disk: Disk = makeDisk()): Place {
  return { open: disk.open, crash: async () => makeFilePlace(disk.crash()) }
}

/** The store in PostgreSQL as a process on the machine with this directory opens it; its key is in a key file. */
export function openPostgresStore(
  address: string,
  directory: string,
  now = (): number => ISSUED_AT,
): TokenStore {
  const keys = fileKeys(directory)
  const shared = createSharedKeys(keys, 'file', false)
  const local = createFileStore({ directory, keys, now })
  const command = 'feishu-token-mcp'
  return createPostgresStore({ address: new Secret(address), directory, keys: shared, local, now, command })
}

let schemas = 0

/** A store in PostgreSQL, with its tables in a schema of its own. */
export async function makePostgresPlace(server: Postgres): Promise<Place> {
  const addressOf = (schema: string) =>
    server.url('postgres', { search: `options=-csearch_path%3D${schema}` })
  async function newSchema(): Promise<string> {
    schemas += 1
    await server.sql('postgres', `create schema s${schemas}`)
    return `s${schemas}`
  }

  function placeAt(schema: string, directory: string): Place {
    return {
      open: () => openPostgresStore(addressOf(schema), directory),
      openWithoutKey: () => openPostgresStore(addressOf(schema), join(makeFolder(), 'tokens')),
      async crash() {
        const copy = await newSchema()
        const tables = ['feishu_token_store', 'feishu_token_profiles']
        const statements = tables.map(
          (table) =>
            `create table ${copy}.${table} (like ${schema}.${table} including all);
             insert into ${copy}.${table} select * from ${schema}.${table}`,
        )
        await server.sql('postgres', statements.join('; '))
        const folder = copyOf(directory)
        const of = (name: string) =>
          localFolder(folder, openDatabase(new Secret(addressOf(name)), '').identity)
        if (existsSync(of(schema))) renameSync(of(schema), of(copy))
        return placeAt(copy, folder)
      },
    }
  }

  const directory = join(makeFolder(), 'tokens')
  const schema = await newSchema()
  await openPostgresStore(addressOf(schema), directory).init()
  return placeAt(schema, directory)
}
