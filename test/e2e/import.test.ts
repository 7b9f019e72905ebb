// The ways for what a script left behind to reach `import`.

import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { toTime } from '../../src/answers.ts'
import { NO_POSIX, skipIf, testIf } from '../support/needs.ts'
import { PROGRAM, run, setStage } from '../support/program.ts'

test.for(['-', '/dev/stdin'])(
  'import %s reads standard input, which nobody can delete',
  async (name, context) => {
    if (name !== '-') skipIf(NO_POSIX, context)
    const stage = await setStage()
    const { access_token, refresh_token } = stage.sandbox.issue()
    const input = JSON.stringify({ code: 0, data: { access_token, refresh_token, expires_in: 7_200 } })
    const result = await run(stage, ['import', name, '--json'], { input })
    // Feishu's answer does not say when it was given.
    expect([result.code, JSON.parse(result.stdout)]).toMatchObject([
      0,
      { status: 'needs_refresh', reauthorize_by: null, authorized_at: null },
    ])
    expect(result.stderr).toContain('Delete what they came from')
    expect((await run(stage, ['refresh', '--json'])).code).toBe(0)
    const later = JSON.parse((await run(stage, ['status', '--json'])).stdout)
    expect(later).toMatchObject({ status: 'valid', reauthorize_by: later.refresh_token_expires_at })
  },
)

test('a stderr that cannot be opened keeps no import from being told', async () => {
  const stage = await setStage()
  const shut = join(stage.home, 'shut.cjs')
  writeFileSync(
    shut,
    "Object.defineProperty(process, 'stderr', { get() { throw new TypeError('ERR_UNKNOWN_STREAM_TYPE') } })",
  )
  const input = JSON.stringify({ data: stage.sandbox.issue() })
  const env = { NODE_OPTIONS: `--require ${shut}` }
  const { code, stdout } = await run(stage, ['import', '-', '--json'], { input, env })
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { status: 'needs_refresh' }])
})

testIf(NO_POSIX)('import <(…) reads the pipe that the shell makes', async () => {
  const stage = await setStage()
  const file = join(stage.home, 'answer.json')
  const expires_at = toTime(Date.now() + 3_600_000)
  writeFileSync(file, JSON.stringify({ data: stage.sandbox.issue(), expires_at }))
  const script = 'exec "$0" "$1" import <(cat "$2") --json'
  const args = ['-c', script, process.execPath, PROGRAM, file]
  const { stdout, stderr } = await promisify(execFile)('bash', args, { env: stage.env })
  expect(stderr).toContain('Delete what they came from')
  expect(JSON.parse(stdout)).toMatchObject({ status: 'valid', access_token_expires_at: expires_at })
})

test('standard input without a token is refused, with where it looked', async () => {
  const stage = await setStage()
  const result = await run(stage, ['import', '-'], { input: '{"code": 20064, "msg": "no"}' })
  expect(result.code).toBe(2)
  expect(result.stderr).toContain('standard input holds neither access_token nor refresh_token')
})
