// A real PostgreSQL, and PgBouncer before it: started by a test in a folder of its own, as a user without privileges.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from './port.ts'

const DEBIAN = '/usr/lib/postgresql'
/** PostgreSQL does not run as root: then as the user that Debian's package makes for it. */
const SERVER_USER = 'postgres'
export const POSTGRES_PASSWORD = 'canary-database-password'

function binaries(): string | null {
  if (!existsSync(DEBIAN)) return null
  const folders = readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin'))
  return folders.find((folder) => existsSync(join(folder, 'initdb'))) ?? null
}

/** Why there is no PostgreSQL to test against, and what to install; null: there is one. */
export const POSTGRES_MISSING: string | null =
  binaries() === null ? 'there is no PostgreSQL: apt-get install postgresql' : null
export const PGBOUNCER_MISSING: string | null =
  POSTGRES_MISSING ??
  (existsSync('/usr/sbin/pgbouncer') ? null : 'there is no PgBouncer: apt-get install pgbouncer')

type Identity = { uid: number; gid: number }

function serverIdentity(): Identity | null {
  if (process.geteuid?.() !== 0) return null
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${SERVER_USER}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  if (uid === undefined || gid === undefined) throw new Error(`there is no user ${SERVER_USER}`)
  return { uid: Number(uid), gid: Number(gid) }
}

function makeServerFolder(identity: Identity | null): string {
  const folder = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-pg-'))
  chmodSync(folder, 0o755)
  if (identity) chownSync(folder, identity.uid, identity.gid)
  return folder
}

async function listening(port: number, server: ChildProcess): Promise<void> {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`the server on port ${port} ended with ${server.exitCode}`)
    const socket = connect(port, '127.0.0.1')
    const open = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (open) return
    await new Promise((resume) => setTimeout(resume, 30))
  }
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode === null && server.signalCode === null) await once(server, 'close')
}

export type Postgres = {
  port: number
  /** Holds the Unix socket: reachable from every network namespace. */
  folder: string
  data: string
  /** The address of a database, as its owner unless another user is named. */
  url(database: string, options?: { user?: string; socket?: boolean; search?: string; port?: number }): string
  /** A new database; resolves to its name. */
  create(): Promise<string>
  /** Runs statements as the owner. */
  sql<T extends pg.QueryResultRow>(database: string, text: string, values?: unknown[]): Promise<T[]>
  /** Ends every connection: a pool that nobody uses any more keeps its own for seconds, and tests open hundreds. */
  disconnect(): Promise<void>
  /** Ends every process of the server as a crash of it would, and waits until they are gone. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Stops or resumes the server in the middle of whatever it does. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  close(): Promise<void>
}

/** The processes of a server. */
function processesOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return [pid, ...(children === '' ? [] : children.split(' ').map(Number))]
}

/** Starts a server that nobody else knows of. `settings` go into its configuration; with a certificate it speaks TLS. */
export async function startPostgres(
  settings: Record<string, string> = {},
  certificate: { cert: Buffer; key: Buffer } | null = null,
): Promise<Postgres> {
  const bin = binaries() ?? ''
  const identity = serverIdentity()
  const folder = makeServerFolder(identity)
  const data = join(folder, 'data')
  const passwords = join(folder, 'pw')
  writeFileSync(passwords, POSTGRES_PASSWORD)
  if (identity) chownSync(passwords, identity.uid, identity.gid)
  const run = {
    ...(identity ?? {}),
    cwd: folder,
    stdio: 'ignore',
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  } as const
  const init = [
    '-D',
    data,
    '-U',
    'owner',
    '--pwfile',
    passwords,
    '-A',
    'scram-sha-256',
    '-E',
    'UTF8',
    '--no-sync',
  ]
  execFileSync(join(bin, 'initdb'), init, run)
  if (certificate) {
    for (const [name, bytes] of [
      ['server.crt', certificate.cert],
      ['server.key', certificate.key],
    ] as const) {
      writeFileSync(join(data, name), bytes, { mode: 0o600 })
      if (identity) chownSync(join(data, name), identity.uid, identity.gid)
    }
  }
  const port = await freePort()
  let server: ChildProcess

  async function start(): Promise<void> {
    const given = Object.entries({
      shared_buffers: '16MB',
      max_connections: '300',
      ...(certificate ? { ssl: 'on' } : {}),
      ...settings,
    })
    const args = given.flatMap(([name, value]) => ['-c', `${name}=${value}`])
    server = spawn(
      join(bin, 'postgres'),
      ['-D', data, '-p', String(port), '-k', folder, '-h', '127.0.0.1', ...args],
      run,
    )
    await listening(port, server)
    // It listens a moment before it lets anybody in.
    for (;;) {
      const client = new pg.Client(url('postgres'))
      const error = await client.connect().then(
        () => null,
        (reason: { code?: string }) => reason,
      )
      await client.end()
      if (!error) return
      if (error.code !== '57P03') throw error
      await new Promise((resume) => setTimeout(resume, 30))
    }
  }

  function url(
    database: string,
    options: { user?: string; socket?: boolean; search?: string; port?: number } = {},
  ) {
    const { user = 'owner', socket = false, search = '' } = options
    const at = options.port ?? port
    const query = [socket ? `host=${folder}&port=${at}` : '', search].filter(Boolean).join('&')
    return `postgres://${user}:${POSTGRES_PASSWORD}@${socket ? '' : `127.0.0.1:${at}`}/${database}${query ? `?${query}` : ''}`
  }

  async function sql<T extends pg.QueryResultRow>(
    database: string,
    text: string,
    values?: unknown[],
  ): Promise<T[]> {
    const client = new pg.Client(url(database))
    await client.connect()
    try {
      return (await client.query<T>(text, values)).rows
    } finally {
      await client.end()
    }
  }

  let databases = 0
  await start()
  return {
    port,
    folder,
    data,
    url,
    sql,
    async create() {
      databases += 1
      await sql('postgres', `create database d${databases}`)
      return `d${databases}`
    },
    async disconnect() {
      await sql(
        'postgres',
        `select pg_terminate_backend(pid) from pg_stat_activity
         where backend_type = 'client backend' and pid <> pg_backend_pid()`,
      )
    },
    async kill() {
      for (const pid of processesOf(server.pid ?? 0)) process.kill(pid, 'SIGKILL')
      await ended(server)
      rmSync(join(data, 'postmaster.pid'), { force: true })
    },
    start,
    signal(name) {
      for (const pid of processesOf(server.pid ?? 0)) process.kill(pid, name)
    },
    async close() {
      server.kill('SIGCONT')
      server.kill('SIGQUIT')
      await ended(server)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** PgBouncer in transaction mode before a server, with fewer connections than it has clients. */
export async function startPgBouncer(
  postgres: Postgres,
): Promise<{ port: number; close: () => Promise<void> }> {
  const identity = serverIdentity()
  const folder = makeServerFolder(identity)
  const port = await freePort()
  const config = join(folder, 'pgbouncer.ini')
  const users = join(folder, 'users')
  writeFileSync(users, `"owner" "${POSTGRES_PASSWORD}"\n"agent" "${POSTGRES_PASSWORD}"\n`)
  writeFileSync(
    config,
    [
      '[databases]',
      `* = host=127.0.0.1 port=${postgres.port}`,
      '[pgbouncer]',
      `listen_addr = 127.0.0.1`,
      `listen_port = ${port}`,
      `unix_socket_dir =`,
      `auth_type = scram-sha-256`,
      `auth_file = ${users}`,
      `pool_mode = transaction`,
      `default_pool_size = 2`,
      `max_client_conn = 200`,
    ].join('\n'),
  )
  const options = { ...(identity ?? {}), cwd: folder, stdio: 'ignore' } as const
  const server = spawn('/usr/sbin/pgbouncer', [config], options)
  await listening(port, server)
  return {
    port,
    async close() {
      server.kill('SIGTERM')
      await ended(server)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
