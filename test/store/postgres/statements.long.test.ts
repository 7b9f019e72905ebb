// How often a status asks the database, as the server's own log has it.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { resolveApp } from '../../../src/app/app.ts'
import { tokenStatus } from '../../../src/status/status.ts'
import { startSandbox } from '../../feishu-sandbox/sandbox.ts'
import { openDeps, settingsOf } from '../../support/deps.ts'
import { describeIf } from '../../support/needs.ts'
import { POSTGRES_MISSING, type Postgres, startPostgres } from '../../support/postgres.ts'
import { storeIssued } from '../../support/stored.ts'

let server: Postgres
beforeAll(async () => {
  if (POSTGRES_MISSING) return
  const log = {
    logging_collector: 'on',
    log_directory: '.',
    log_filename: 'statements',
    log_statement: 'all',
  }
  server = await startPostgres({ fsync: 'off', ...log })
})
afterAll(() => server?.close())

let marks = 0

/** Puts a mark into the server's log; resolves to what stands before it, once it is there. */
async function logged(): Promise<string> {
  marks += 1
  const mark = `select 'mark ${marks}'`
  await server.sql('postgres', mark)
  const log = () => readFileSync(join(server.data, 'statements'), 'utf8')
  await expect.poll(log).toContain(mark)
  return log().split(mark)[0] ?? ''
}

/** How many statements the server was asked for meanwhile. */
async function statementsOf(work: () => Promise<unknown>): Promise<number> {
  const before = await logged()
  await work()
  const after = await logged()
  // The first mark and the second one's beginning.
  return after.slice(before.length).split(/LOG: {2}(?:execute [^:]*|statement): /).length - 2
}

describeIf(POSTGRES_MISSING)('token_status', () => {
  test('asks the database for the rows and for the names at once, and for the other profiles together', async () => {
    const sandbox = await startSandbox()
    const home = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-'))
    onTestFinished(async () => {
      await sandbox.close()
      rmSync(home, { recursive: true, force: true })
    })
    const settings = { FEISHU_TOKEN_STORE: server.url('postgres'), FEISHU_TOKEN_KEY_SOURCE: 'file' }
    const deps = await openDeps(settingsOf(sandbox, join(home, 'tokens'), settings), home)
    await deps.store.init()
    const { id } = await resolveApp(deps, 'default')
    const logIn = (profile: string) =>
      storeIssued(deps.store, { ...id, profile }, sandbox.issue(), sandbox.user, Date.now())
    const status = () => tokenStatus(deps, { profile: 'default', verify: false, waitSeconds: 0 })
    await logIn('default')
    expect(await statementsOf(status)).toBe(2)
    for (let count = 1; count < 20; count += 1) await logIn(`profile-${count}`)
    expect(await statementsOf(status)).toBe(3)
  })
})
