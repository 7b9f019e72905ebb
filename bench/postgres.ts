// What `token_status` costs with PostgreSQL, as a ratio to one bare query of the same process in the same interleaved run.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { resolveApp } from '../src/app/app.ts'
import { tokenStatus } from '../src/status/status.ts'
import { startSandbox } from '../test/feishu-sandbox/sandbox.ts'
import { openDeps, settingsOf } from '../test/support/deps.ts'
import { POSTGRES_MISSING, startPostgres } from '../test/support/postgres.ts'
import { storeIssued } from '../test/support/stored.ts'
import { type Course, type Figure, median } from './figure.ts'

const ROUNDS = { short: 300, full: 1_000 }
/** Bare: the row by its key, over a connection that is open. */
const BARE = `select record from feishu_token_profiles where brand = $1 and app_id = $2 and profile = $3`

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/** Measures the status against a bare query; without PostgreSQL there is no figure, and it is said. */
export async function benchPostgres({ short }: Course): Promise<Figure[]> {
  if (POSTGRES_MISSING) {
    process.stdout.write(`SKIPPED: ${POSTGRES_MISSING}\n`)
    return []
  }
  const home = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-bench-'))
  const sandbox = await startSandbox()
  const postgres = await startPostgres()
  const client = new pg.Client(postgres.url('postgres'))
  try {
    await client.connect()
    const settings = { FEISHU_TOKEN_STORE: postgres.url('postgres'), FEISHU_TOKEN_KEY_SOURCE: 'file' }
    const deps = await openDeps(settingsOf(sandbox, join(home, 'tokens'), settings), home)
    await deps.store.init()
    const { id } = await resolveApp(deps, 'default')
    await storeIssued(deps.store, id, sandbox.issue(), sandbox.user, Date.now())
    const status = () => tokenStatus(deps, { profile: 'default', verify: false, waitSeconds: 0 })
    if ((await status()).status !== 'valid') throw new Error('nothing to measure')
    const [bare, whole]: [number[], number[]] = [[], []]
    for (let round = 0; round < (short ? ROUNDS.short : ROUNDS.full); round += 1) {
      bare.push(await timed(() => client.query(BARE, [id.brand, id.appId, id.profile])))
      whole.push(await timed(status))
    }
    return [
      {
        key: 'status-postgres',
        figure: 'token_status on PostgreSQL',
        value: median(whole) / median(bare),
        unit: '× one bare query',
        target: { atMost: 5 },
      },
    ]
  } finally {
    await client.end()
    await postgres.close()
    await sandbox.close()
    rmSync(home, { recursive: true, force: true })
  }
}
