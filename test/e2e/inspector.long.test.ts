// A client that is not ours: the MCP Inspector's command line, which needs Node 22.
// INSPECTOR_DIR names the folder it was installed into, INSPECTOR_NODE a Node >= 22.19.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, type TestContext, test } from 'vitest'
import { approve, PROGRAM, run, type Stage, setStage, start } from '../support/program.ts'

const launcher = join(
  process.env.INSPECTOR_DIR ?? '',
  ...['node_modules', '@modelcontextprotocol', 'inspector', 'clients', 'launcher', 'build', 'index.js'],
)
const node = process.env.INSPECTOR_NODE ?? ''

function skipIfAbsent(context: TestContext): void {
  if (existsSync(launcher) && existsSync(node)) return
  const how = 'npm install --ignore-scripts --prefix DIR @modelcontextprotocol/inspector@2.12.0'
  context.skip(
    `the Inspector is not installed: run ${how}, set INSPECTOR_DIR=DIR and INSPECTOR_NODE to a Node 22`,
  )
}

type Printed = { stdout: string; stderr: string }

/** Runs the Inspector to its end; it throws unless that is 0. */
async function launch(stage: Stage, ...args: string[]): Promise<Printed> {
  const settings = Object.entries(stage.env).flatMap(([name, value]) => ['-e', `${name}=${value}`])
  const command = [launcher, '--cli', ...settings, process.execPath, PROGRAM, ...args]
  return promisify(execFile)(node, command, { env: { ...process.env, HOME: stage.home } })
}

async function inspect(stage: Stage, ...args: string[]): Promise<Record<string, unknown>> {
  return JSON.parse((await launch(stage, ...args)).stdout)
}

test('the Inspector authorizes, reads the status, refreshes and reads it again', async (context) => {
  skipIfAbsent(context)
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

test('the Inspector lists and reads the prompts and the resource', async (context) => {
  skipIfAbsent(context)
  const stage = await setStage()
  const { prompts } = await inspect(stage, '--method', 'prompts/list')
  expect((prompts as { name: string }[]).map(({ name }) => name)).toEqual(['reauthorize', 'check'])
  const prompt = await inspect(stage, '--method', 'prompts/get', '--prompt-name', 'check')
  expect(JSON.stringify(prompt.messages)).toContain('token_status')
  const { resources } = await inspect(stage, '--method', 'resources/list')
  expect(resources).toMatchObject([{ uri: 'feishu-token://status', mimeType: 'application/json' }])
  const uri = 'feishu-token://status'
  const { contents } = await inspect(stage, '--method', 'resources/read', '--uri', uri)
  const [{ text }] = contents as [{ text: string }]
  expect(JSON.parse(text)).toMatchObject({ status: 'not_authorized', app_id: stage.sandbox.app.appId })
}, 120_000)

test('the Inspector finds nothing in the schemas that a client could refuse', async (context) => {
  skipIfAbsent(context)
  const stage = await setStage()
  // With --strict it ends with 6 if there is an error.
  const { stderr } = await launch(stage, '--strict', '--method', 'tools/list')
  const found = [...stderr.matchAll(/^ *Path: (\S+)\n *Issue: (.*)$/gm)]
  // What is left are fields of the answers that may be null, written as JSON Schema allows it; arguments have none.
  for (const [, path = '', issue] of found) {
    expect(path).toMatch(/^outputSchema\./)
    expect(issue).toContain('"null"')
  }
  const [, errors, warnings] = /(\d+) errors?, (\d+) warnings?/.exec(stderr) ?? []
  expect([errors, warnings]).toEqual(['0', String(found.length)])
})
