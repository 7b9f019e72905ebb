// The way to PostgreSQL: a small pool, bounded in time, and every failure as one of our errors. It keeps no state in a
// session (no named statement, no session lock, no LISTEN), so a pooler in transaction mode may stand in between.

import type { Pool, QueryResultRow } from 'pg'
import { CodedError, errnoOf } from '../../errors.ts'
import type { Secret } from '../../secret.ts'
import { type Sentence, say, type Value } from '../../sentence.ts'
import { parseAddress, placeOfDatabase } from './address.ts'

export type Query = <T extends QueryResultRow>(text: string, values?: unknown[]) => Promise<T[]>

export type Database = {
  /** Host, port and database, for people: neither user nor password. */
  place: string
  /** How this program was started, for hints: it makes the tables. */
  command: string
  /** Names the set of tables: the place, and what the address says of the search path. */
  identity: string
  /** One statement, by itself a transaction. Rejects with CodedError. */
  query: Query
  /** Statements that hold together. Rejects with CodedError, with nothing changed. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>
  /** Why the database cannot be reached, if that was found out a moment ago; null: it can, or no one tried. */
  outage(): CodedError | null
}

/** A process works on one profile at a time: one connection for that, one for whoever looks meanwhile. */
const CONNECTIONS = 2
/** An idle server process keeps no connection for longer than this: there may be hundreds of such processes. */
const IDLE_MS = 10_000
/** A database that takes longer than this to accept a connection is down for our purposes. */
const CONNECT_MS = 3_000
/** Statements take milliseconds; a commit that waits for a synchronous standby takes perhaps a second. */
const QUERY_MS = 5_000
/** So long is a database that could not be reached taken for down by those who only look. */
const OUTAGE_MS = 2_000

/** Server codes that are a matter of settings, and what to do about each (PostgreSQL: appendix A). */
const SETTINGS: Readonly<Record<string, [why: Sentence, nextStep: (command: string) => Sentence]>> = {
  '28P01': [say`refuses the password`, () => say`Correct the password in FEISHU_TOKEN_STORE.`],
  '28000': [
    say`refuses this user`,
    () => say`Correct the user in FEISHU_TOKEN_STORE, or let it in in pg_hba.conf.`,
  ],
  '3D000': [say`has no such database`, () => say`Correct the name of the database in FEISHU_TOKEN_STORE.`],
  '42P01': [
    say`has no tables for tokens`,
    (command) => say`Run \`${command} store init\` once, as the owner of the database.`,
  ],
  '42501': [say`grants this user too little`, () => say`Grant it what docs/teams.md names under Roles.`],
}

const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH)/

function toStoreError({ place, command }: Pick<Database, 'place' | 'command'>, error: unknown): CodedError {
  if (error instanceof CodedError) return error
  const code = errnoOf(error) ?? ''
  const [why, nextStep] = SETTINGS[code] ?? []
  if (why && nextStep) {
    return new CodedError('config_invalid', say`PostgreSQL at ${place} ${why} (${code}).`, {
      nextStep: nextStep(command),
    })
  }
  const text = error instanceof Error ? error.message : ''
  // The one file that is opened is a certificate or key that the address names.
  const unreadFile = (error as NodeJS.ErrnoException | null)?.syscall === 'open'
  if (unreadFile || TLS.test(code) || /does not support SSL/.test(text)) {
    const how: Value = unreadFile
      ? say`${code} for a file of its certificates`
      : code || say`it speaks no TLS`
    return new CodedError('tls_error', say`No trusted TLS connection to PostgreSQL at ${place} (${how}).`, {
      nextStep: say`Set sslmode, and sslrootcert for a certificate authority of your own, in FEISHU_TOKEN_STORE.`,
    })
  }
  const what = code === '25006' ? say`takes no writes: it is a standby` : say`cannot be reached`
  const how: Value = code || (/time/i.test(text) ? say`no answer in time` : say`connection lost`)
  return new CodedError('store_not_writable', say`PostgreSQL at ${place} ${what} (${how}).`, {
    nextStep: say`Try again when the database answers; nothing is spent without it, and nothing was lost.`,
  })
}

/** The database of an address. Nothing is loaded and no one connected to before the first statement. */
export function openDatabase(address: Secret, command: string): Database {
  const url = parseAddress(address.reveal())
  const place = url ? placeOfDatabase(url) : ''
  let pool: Promise<Pool> | null = null
  let failure: { error: CodedError; until: number } | null = null

  async function open(): Promise<Pool> {
    const { default: pg } = await import('pg')
    const opened = new pg.Pool({
      connectionString: address.reveal(),
      application_name: 'feishu-token-mcp',
      max: CONNECTIONS,
      idleTimeoutMillis: IDLE_MS,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: QUERY_MS,
      keepAlive: true,
      allowExitOnIdle: true,
    })
    // An idle connection that ends: the next statement opens another one. In a transaction the next statement fails.
    opened.on('error', () => undefined)
    opened.on('connect', (client) => client.on('error', () => undefined))
    return opened
  }

  async function guarded<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
    try {
      pool ??= open()
      const result = await work(await pool)
      failure = null
      return result
    } catch (cause) {
      const error = toStoreError({ place, command }, cause)
      if (error.code === 'store_not_writable') failure = { error, until: performance.now() + OUTAGE_MS }
      throw error
    }
  }

  return {
    place,
    command,
    identity: `${place} ${url?.searchParams.get('options') ?? ''}`,
    query: (text, values) => guarded(async (pool) => (await pool.query(text, values)).rows),
    transaction: (work) =>
      guarded(async (pool) => {
        const client = await pool.connect()
        try {
          await client.query('begin')
          const result = await work(async (text, values) => (await client.query(text, values)).rows)
          await client.query('commit')
          client.release()
          return result
        } catch (error) {
          // Ending the connection ends the transaction too, whatever state either is in.
          client.release(true)
          throw error
        }
      }),
    outage: () => (failure && failure.until > performance.now() ? failure.error : null),
  }
}
