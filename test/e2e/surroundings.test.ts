// Where the program finds itself: users, folders and levels of the log that a desktop does not have.

import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { expect, test } from 'vitest'
import { testIf } from '../support/needs.ts'
import { HANGS_MS } from '../support/patience.ts'
import { type Environment, PROGRAM, run, type Stage, setStage, startServer } from '../support/program.ts'

/** A user whom no system knows: a container may be started as anybody. */
const STRANGER = 54_321
/** Longer than any command without Feishu takes. */
const TIMEOUT_MS = HANGS_MS

function runAsStranger(args: string[], env: Environment): { code: number | null; text: string } {
  const options = { env, uid: STRANGER, gid: STRANGER, timeout: TIMEOUT_MS }
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options)
  return { code: status, text: `${stdout}${stderr}` }
}

function asStranger(stage: Stage, env: Environment): { code: number | null; text: string } {
  const { HOME: _, ...homeless } = stage.env
  return runAsStranger([PROGRAM, 'status'], { ...homeless, ...env })
}

/** Why nobody else can be served here; null where they can. */
function strangerProblem(): string | null {
  if (process.getuid?.() !== 0) return 'run as root to start a program as another user'
  const look = `fs.accessSync(${JSON.stringify(PROGRAM)})`
  return runAsStranger(['-e', look], {}).code === 0 ? null : 'other users cannot reach Node or this folder'
}

test('a user without a home is asked for FEISHU_TOKEN_DIR, and served with it', async (context) => {
  const problem = strangerProblem()
  if (problem) context.skip(problem)
  const stage = await setStage()
  const without = asStranger(stage, {})
  expect(without.text).toContain('FEISHU_TOKEN_DIR must be an absolute path: there is no home directory')
  expect(without.code).toBe(2)
  chmodSync(stage.home, 0o777)
  const served = asStranger(stage, { FEISHU_TOKEN_DIR: `${stage.home}/store` })
  expect(served.text).toMatch(/^Not logged in\.\nstatus: +not authorized/)
  expect(served.code).toBe(3)
})

testIf(process.platform === 'linux' ? null : 'a folder under /proc: Linux')(
  'a folder that takes no new one is told, not tried for ever',
  async () => {
    const stage = await setStage()
    const { code, stderr } = await run(stage, ['logout'], {
      env: { FEISHU_TOKEN_DIR: '/proc/feishu-token-mcp' },
    })
    expect(stderr).toContain('The directory /proc/feishu-token-mcp cannot be made')
    expect(stderr).toContain('code=config_invalid recovery=fix_config')
    expect(code).toBe(2)
  },
)

test('a failed tool call is logged at the levels that ask for it', async () => {
  const stage = await setStage()
  for (const [level, logged] of [
    ['warn', true],
    ['error', false],
  ] as const) {
    const server = await startServer(stage, { env: { FEISHU_LOG_LEVEL: level } })
    expect((await server.call('refresh_token')).text).toContain('code=not_authorized')
    await server.close()
    expect(server.transport.stderr.includes('not_authorized'), level).toBe(logged)
  }
})
