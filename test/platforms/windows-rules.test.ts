// The built program under Windows' rules for locked and open files, kept on Linux by windows-rules.cjs.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect } from 'vitest'
import { testIf } from '../support/needs.ts'
import {
  authorize,
  presentations,
  run,
  type Server,
  type Stage,
  setStage,
  startServer,
} from '../support/program.ts'

const MISSING = process.platform === 'linux' ? null : "Windows' rules are kept on Linux alone"

async function setWindowsStage(): Promise<Stage> {
  const stage = await setStage({
    env: { NODE_OPTIONS: `--require=${resolve('test/platforms/windows-rules.cjs')}` },
  })
  // The home directory has a path of Linux, and "\\" between its parts would make a name of it.
  stage.env.FEISHU_TOKEN_DIR = stage.tokenDir
  return stage
}

async function refresh(server: Server): Promise<void> {
  const { data, text } = await server.call('refresh_token', { force: true })
  expect(data, text).toMatchObject({ persisted: true })
}

testIf(MISSING)('a whole life, with a second process that joins it', async () => {
  const stage = await setWindowsStage()
  const [one, other] = [await startServer(stage), await startServer(stage)]
  const first = await one.call('start_authorization', { open_browser: false })
  const joined = await other.call('start_authorization', { open_browser: false })
  expect(joined.data).toMatchObject({ joined: true, authorization_url: first.data.authorization_url })
  const busy = await other.call('start_authorization', { open_browser: false, profile: 'other' })
  expect(busy.text).toContain('waits for the approval of profile "default"')
  await authorize(stage, one)
  expect((await other.call('token_status')).data).toMatchObject({ status: 'valid', generation: 1 })
  await refresh(other)
  expect((await run(stage, ['token'])).code).toBe(0)
  const file = join(stage.home, '.env')
  writeFileSync(file, 'TOKEN=\n', { mode: 0o644 })
  const delivered = await run(stage, ['deliver'], { env: { FEISHU_DELIVER_TO: `dotenv:${file}#TOKEN` } })
  expect(delivered.stderr).toContain(`${file}: wrote TOKEN`)
  expect(delivered.stderr).not.toContain('mode')
  const doctor = JSON.parse((await run(stage, ['doctor', '--json'])).stdout)
  expect(doctor.checks.filter(({ status }: { status: string }) => status === 'fail')).toEqual([])
  expect(JSON.parse((await run(stage, ['logout', '--json'])).stdout)).toMatchObject({ status: 'logged_out' })
})

testIf(MISSING)(
  'eight processes refresh while all of them look: nothing is lost or spent twice',
  async () => {
    const stage = await setWindowsStage()
    const servers = await Promise.all(Array.from({ length: 8 }, () => startServer(stage)))
    await authorize(stage, servers[0] as Server)
    let over = false
    const looking = servers.map(async (server) => {
      while (!over) expect((await server.call('token_status')).isError).toBe(false)
    })
    await Promise.all(
      servers.map(async (server) => {
        for (let round = 0; round < 5; round += 1) await refresh(server)
      }),
    ).finally(() => {
      over = true
    })
    await Promise.all(looking)
    const { data } = await (servers[0] as Server).call('token_status')
    expect(data).toMatchObject({ status: 'valid', generation: presentations(stage) + 1 })
  },
)
