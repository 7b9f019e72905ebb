import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect, test } from 'vitest'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { findSecrets, holdsSecret, readCommandLines, readTree } from '../support/canary.ts'
import { NO_POSIX, testIf } from '../support/needs.ts'
import {
  approve,
  run,
  type Server,
  type Stage,
  setStage,
  start,
  startServer,
  visit,
} from '../support/program.ts'

/** A Feishu that repeats in its error what it was sent: the code, the refresh token, the secret. */
const ECHO: Fault = {
  kind: 'answer',
  status: 400,
  body: '{"code":20002,"error":"invalid_client","error_description":"you sent {{request}}"}',
}
const ECHO_PLAIN: Fault = {
  kind: 'answer',
  status: 502,
  headers: { 'content-type': 'text/html' },
  body: '{{request}}',
}
const LOUD = { FEISHU_LOG_LEVEL: 'debug', NODE_DEBUG: 'http,net,undici,tls,stream' }
const LINK = /https?:\/\/\S+\/authorize\?\S+/

/** Takes note of the command lines of a process and its children while the work goes on. */
async function watched(pid: number, work: () => Promise<void>): Promise<string> {
  const seen = new Set<string>()
  const timer = setInterval(() => seen.add(readCommandLines(pid)), 20)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  return [...seen].join('\n')
}

function fakeBrowser(stage: Stage): Record<string, string> {
  const folder = join(stage.home, 'bin')
  mkdirSync(folder)
  writeFileSync(join(folder, 'xdg-open'), `#!/bin/sh\nenv >'${stage.home}/browser'\n`)
  chmodSync(join(folder, 'xdg-open'), 0o755)
  return { PATH: `${folder}:${stage.env.PATH}`, DISPLAY: ':77' }
}

/** Authorizations that fail, each in its own way. */
async function failToAuthorize(stage: Stage, server: Server): Promise<void> {
  const begin = async () =>
    String((await server.call('start_authorization', { open_browser: false })).data.authorization_url)
  const url = await begin()
  const location = await stage.sandbox.approve(url)
  await visit(stage, location.replace('state=', 'state=x'))
  await visit(stage, `${location}&error=%3Cscript%3E`)
  await server.call('start_authorization', { callback_url: location.replace('state=', 'state=x') })
  stage.sandbox.faults.next(ECHO)
  await server.call('start_authorization', { callback_url: location })
  await server.call('start_authorization', { callback_url: location })
  stage.sandbox.faults.next(ECHO_PLAIN)
  await visit(stage, await stage.sandbox.approve(await begin()))
  await server.call('token_status', { wait_seconds: 20 })
  await visit(stage, await stage.sandbox.deny(await begin()))
  await server.call('token_status', { wait_seconds: 20 })
}

async function failToRefresh(stage: Stage, server: Server): Promise<void> {
  stage.sandbox.faults.next(ECHO)
  await server.call('refresh_token', { force: true })
  stage.sandbox.faults.next({ kind: 'error', code: 20050, endpoint: 'user_info' })
  await server.call('token_status', { verify: true })
  stage.sandbox.faults.next({ kind: 'edit', set: { access_token: 'not a\ntoken' } })
  await server.call('refresh_token', { force: true })
  await server.call('refresh_token', { force: true })
}

/** What a terminal shows, but for `token`, which is for the token. */
async function useCommandLine(stage: Stage): Promise<string> {
  const texts: string[] = []
  const command = async (args: string[], input = ''): Promise<void> => {
    const result = await run(stage, args, { env: LOUD, input })
    texts.push(result.stdout, result.stderr)
  }
  await command(['status', '--verify', '--json'])
  await command(['refresh', '--force'])
  stage.sandbox.faults.next(ECHO)
  await command(['refresh', '--force', '--json'])
  await command(
    ['setup', '--app-id', stage.sandbox.app.appId, '--app-secret-stdin'],
    stage.sandbox.app.appSecret,
  )
  const file = join(stage.home, 'old-token.json')
  writeFileSync(file, JSON.stringify(stage.sandbox.issue()), { mode: 0o600 })
  await command(['import', file, '--force'])
  writeFileSync(file, JSON.stringify({ ...stage.sandbox.issue(), refresh_token: 17 }))
  await command(['import', file, '--force', '--json'])
  const login = start(stage, ['login', '--no-browser'], { env: LOUD })
  await approve(stage, (await login.written(LINK))[0])
  const { stdout, stderr } = await login.end
  texts.push(stdout, stderr.replace(LINK, ''))
  await command(['logout', '--json'])
  return texts.join('\n')
}

/** The key that the store is sealed with, as it lies in its file. */
function storeKey(stage: Stage): Record<string, string> {
  const [file] = readdirSync(join(stage.tokenDir, 'key'))
  const key = readFileSync(join(stage.tokenDir, 'key', String(file)), 'utf8').trim()
  return { 'the key': key, 'the key as bytes': Buffer.from(key, 'base64').toString('latin1') }
}

testIf(NO_POSIX)(
  'no secret is shown or left anywhere, whatever goes wrong and however loud the log',
  async () => {
    const stage = await setStage()
    const server = await startServer(stage, { env: { ...LOUD, ...fakeBrowser(stage) } })
    let notified = ''
    server.client.setNotificationHandler(ResourceUpdatedNotificationSchema, (message) => {
      notified += JSON.stringify(message)
    })
    await server.client.subscribeResource({ uri: 'feishu-token://status' })
    let state = ''
    let afterwards = 0
    const commandLines = await watched(server.pid, async () => {
      await failToAuthorize(stage, server)
      const started = await server.call('start_authorization')
      expect(started.data.browser_opened).toBe(true)
      state = new URL(String(started.data.authorization_url)).searchParams.get('state') ?? ''
      await approve(stage, started.data.authorization_url)
      afterwards = server.transport.stdout.length
      await server.call('token_status', { wait_seconds: 20, verify: true })
      await failToRefresh(stage, server)
      await server.client.readResource({ uri: 'feishu-token://status' })
    })
    const { stdout, stderr } = server.transport
    const pages = stage.outputs.join('\n')
    const files = readTree(stage.tokenDir)
    const browser = readFileSync(join(stage.home, 'browser'), 'utf8')
    const terminal = await useCommandLine(stage)
    await server.close()

    // The controls: there was something to find, and the log was loud.
    expect(stage.sandbox.secrets().length).toBeGreaterThan(12)
    expect(stderr).toMatch(/NET \d+/)
    expect(commandLines).toContain('main.js')
    expect(Object.keys(files).length).toBeGreaterThan(3)

    const minted = Object.fromEntries(
      stage.sandbox.secrets().map((secret, index) => [`secret ${index}`, secret]),
    )
    const secrets = { ...minted, ...storeKey(stage) }
    const keyless = Object.fromEntries(Object.entries(files).filter(([path]) => !path.endsWith('.key')))
    const left = { ...keyless, ...readTree(stage.tokenDir) }
    for (const path of Object.keys(left)) if (path.endsWith('.key')) delete left[path]
    const shown = { stdout, stderr, pages, notified, commandLines, terminal, browser }
    expect(findSecrets({ ...shown, ...left }, secrets)).toEqual([])
    // The link holds its state for as long as it can be used, and its place is the answer alone.
    const late = { stdout: stdout.slice(afterwards), stderr, pages, commandLines: '', ...left }
    expect(findSecrets(late, { state })).toEqual([])
    expect(holdsSecret(stdout, state)).toBe(true)
  },
)

test('the scan bites: it finds the token where it belongs, and every disguise of it', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  const started = await server.call('start_authorization', { open_browser: false })
  await approve(stage, started.data.authorization_url)
  await server.call('token_status', { wait_seconds: 20 })
  const { stdout } = await run(stage, ['token'])
  const token = stdout.trim()
  const { appSecret } = stage.sandbox.app
  expect(findSecrets({ stdout, empty: '' }, { token, appSecret })).toEqual(['stdout holds token'])
  const disguises = {
    whole: token,
    part: `…${token.slice(-40)}`,
    url: encodeURIComponent(`{"t":"${token}"}`),
    base64: Buffer.from(`{"t":"${token}"}`).toString('base64'),
    base64url: Buffer.from(`.${token}`).toString('base64url'),
    hex: Buffer.from(`x${token}`).toString('hex'),
    json: JSON.stringify({ token }),
  }
  for (const [name, text] of Object.entries(disguises)) expect(holdsSecret(text, token), name).toBe(true)
  expect(holdsSecret(token.split('').reverse().join(''), token)).toBe(false)
})
