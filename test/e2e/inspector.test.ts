// A client that is not ours: the MCP Inspector's command line, which needs Node 22.
// INSPECTOR_DIR names the folder it was installed into, INSPECTOR_NODE a Node >= 22.19.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { approve, PROGRAM, run, type Stage, setStage, start } from '../support/program.ts'

const launcher = join(
  process.env.INSPECTOR_DIR ?? '',
  ...['node_modules', '@modelcontextprotocol', 'inspector', 'clients', 'launcher', 'build', 'index.js'],
)
const node = process.env.INSPECTOR_NODE ?? ''

async function inspect(stage: Stage, ...args: string[]): Promise<Record<string, unknown>> {
  const settings = Object.entries(stage.env).flatMap(([name, value]) => ['-e', `${name}=${value}`])
  const command = [launcher, '--cli', ...settings, process.execPath, PROGRAM, ...args]
  const { stdout } = await promisify(execFile)(node, command, { env: { ...process.env, HOME: stage.home } })
  return JSON.parse(stdout)
}

test('the Inspector authorizes, reads the status, refreshes and reads it again', async (context) => {
  if (!existsSync(launcher) || !existsSync(node)) {
    const how = 'npm install --ignore-scripts --prefix DIR @modelcontextprotocol/inspector@2.12.0'
    context.skip(
      `the Inspector is not installed: run ${how}, set INSPECTOR_DIR=DIR and INSPECTOR_NODE to a Node 22`,
    )
  }
  const stage = await setStage()
  const call = async (name: string, ...args: string[]) => {
    const pairs = args.flatMap((arg) => ['--tool-arg', arg])
    const result = await inspect(stage, '--method', 'tools/call', '--tool-name', name, ...pairs)
    return result.structuredContent as Record<string, unknown>
  }
  const listed = await inspect(stage, '--method', 'tools/list')
  expect((listed.tools as { name: string }[]).map(({ name }) => name)).toEqual([
    'start_authorization',
    'token_status',
    'refresh_token',
  ])
  // Each call is a process of its own: the link outlives the first, and `login` takes its listener over.
  const started = await call('start_authorization', 'open_browser=false')
  expect(started.status).toBe('pending')
  const login = start(stage, ['login', '--no-browser', '--json'])
  await login.written(/Waiting/)
  await approve(stage, started.authorization_url)
  expect((await login.end).code).toBe(0)
  expect(await call('token_status')).toMatchObject({
    status: 'valid',
    generation: 1,
    authorization_status: 'succeeded',
  })
  expect(await call('refresh_token', 'force=true')).toMatchObject({ status: 'refreshed', generation: 2 })
  expect(await call('token_status', 'verify=true')).toMatchObject({
    status: 'valid',
    generation: 2,
    verified: true,
  })
  expect((await run(stage, ['status'])).code).toBe(0)
}, 120_000)
