// The built program under Windows' rules for locked and open files, kept on Linux by windows-rules.cjs.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect } from 'vitest'
import { buildVariant, type Patch } from '../faults/variant.ts'
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

/**
 * How long a process waits for its turn, for those who read a file that is to be replaced, and for all of it. Among eight
 * processes these are a matter of how busy the machine is, and not of what is proved here.
 */
const PATIENT: Patch[] = [
  { file: 'src/store/token-store.ts', from: 'LOCK_MS = 10_000', to: 'LOCK_MS = 100_000' },
  { file: 'src/machine/rename.ts', from: 'RENAME_RETRY_MS = 2_000', to: 'RENAME_RETRY_MS = 60_000' },
  { file: 'src/refresh/presentation.ts', from: 'CALL_MS = 26_000', to: 'CALL_MS = 118_000' },
]

testIf(MISSING)(
  'eight processes refresh while all of them look: nothing is lost or spent twice',
  async () => {
    const stage = await setWindowsStage()
    const program = await buildVariant('patient-on-windows', PATIENT)
    const servers = await Promise.all(Array.from({ length: 8 }, () => startServer(stage, { program })))
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

/** Stands in for a program of Windows' own, which is started by its whole path: here that is a name in PATH. */
function setProgram(stage: Stage, name: string, script: string): void {
  const folder = join(stage.home, 'system')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `C:\\Windows\\System32\\${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  stage.env.PATH = `${folder}:${process.env.PATH}`
}

const KIM = 'S-1-5-21-1-2-3-1001'

/** A token directory outside the own folder, and what icacls was told so far. */
async function setStageElsewhere(): Promise<{ stage: Stage; rights: string; asked: () => string[] }> {
  const stage = await setWindowsStage()
  stage.env.FEISHU_TOKEN_DIR = stage.tokenDir
  stage.env.HOME = join(stage.home, 'own')
  stage.env.TEMP = stage.home
  const [log, rights] = [join(stage.home, 'log'), join(stage.home, 'rights')]
  setProgram(stage, 'whoami.exe', `printf '%s\\r\\n' '"desk\\kim","${KIM}"'`)
  setProgram(stage, 'icacls.exe', `echo "$@" >>'${log}'; [ "$2" != /save ] || cp '${rights}' "$3"`)
  return { stage, rights, asked: () => readFileSync(log, 'utf8').trim().split('\n') }
}

const warningsIn = async (stage: Stage): Promise<string[]> =>
  JSON.parse((await run(stage, ['status', '--json'])).stdout).warnings

testIf(MISSING)(
  'a directory elsewhere is closed when it is made, and warned of while it is not',
  async () => {
    const { stage, rights, asked } = await setStageElsewhere()
    await authorize(stage, await startServer(stage))
    const closing = `/inheritance:r /grant:r *${KIM}:(OI)(CI)F *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F /q`
    expect(asked()[0]).toMatch(new RegExp(`^${stage.tokenDir}\\S+ `))
    expect(asked()[0]?.endsWith(closing)).toBe(true)
    const doctor = async () => JSON.parse((await run(stage, ['doctor', '--json'])).stdout).checks
    const told = async () => [await warningsIn(stage), (await doctor())[0]]
    writeFileSync(
      rights,
      `tokens\r\nD:PAI(A;OICI;FA;;;${KIM})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)\r\n`,
      'utf16le',
    )
    expect(await told()).toEqual([[], expect.objectContaining({ name: 'settings', status: 'pass' })])
    writeFileSync(rights, 'tokens\r\nD:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1301bf;;;AU)\r\n', 'utf16le')
    expect(await told()).toEqual([
      [expect.stringContaining(`icacls "${stage.tokenDir}" /reset`)],
      expect.objectContaining({
        name: 'settings',
        status: 'warn',
        message: expect.stringContaining('icacls'),
      }),
    ])
    expect(
      (await doctor()).filter(({ message }: { message: string }) => message.includes('icacls')),
    ).toHaveLength(1)
  },
)

testIf(MISSING)('a directory elsewhere that cannot be closed is not made', async () => {
  const { stage } = await setStageElsewhere()
  setProgram(stage, 'icacls.exe', 'exit 1')
  const { code, stderr } = await run(stage, ['login', '--no-browser'])
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining(`${stage.tokenDir} could not be closed to others`),
  ])
  expect(existsSync(stage.tokenDir)).toBe(false)
})
