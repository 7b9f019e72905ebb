// The program's own files are replaced or removed while a server runs: an update, an uninstallation.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NO_SIGNALS, testIf } from '../support/needs.ts'
import { run, setStage, startServer } from '../support/program.ts'
import { openStore, storeIssued } from '../support/stored.ts'

/** The background work begins after five seconds: here at once, when the test says so, and what comes of it is told. */
const PRELOAD = `
  const later = globalThis.setTimeout
  globalThis.setTimeout = (act, ms, ...rest) => {
    if (ms !== 5000) return later(act, ms, ...rest)
    process.once('SIGUSR2', async () => {
      await act()
      process.stderr.write('background: over\\n')
    })
    process.stderr.write('background: set\\n')
    return { unref: () => undefined }
  }
`

/** A copy of the program, below the project, so that packages are found. */
function copyProgram(): string {
  const cache = join('node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'removed-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const dist = join(folder, 'dist')
  cpSync('dist', dist, { recursive: true })
  return dist
}

testIf(NO_SIGNALS)(
  'a program that was removed within five seconds of the handshake goes on without a stack trace',
  async () => {
    const stage = await setStage()
    const dist = copyProgram()
    const preload = join(stage.home, 'preload.mjs')
    writeFileSync(preload, PRELOAD)
    const env = { ...stage.env, NODE_OPTIONS: `--import file://${preload}` }
    const server = spawn(process.execPath, [join(dist, 'main.js')], { env })
    onTestFinished(() => void server.kill('SIGKILL'))
    let stderr = ''
    let look = () => undefined as unknown
    server.stderr.on('data', (chunk) => {
      stderr += chunk
      look()
    })
    const ended = once(server, 'close')
    const said = (text: string) =>
      new Promise<void>((resolve, reject) => {
        look = () => stderr.includes(text) && resolve()
        look()
        void ended.then(() => reject(new Error(`ended with ${stderr}`)))
      })
    const clientInfo = { name: 'test', version: '0' }
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }
    for (const message of [
      { id: 0, method: 'initialize', params },
      { method: 'notifications/initialized', params: {} },
    ]) {
      server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
    }
    await said('background: set')
    rmSync(dist, { recursive: true })
    server.kill('SIGUSR2')
    await said('background: over')
    server.stdin.end()
    expect(await ended).toEqual([0, null])
    expect(stderr).toBe('background: set\nbackground: over\n')
  },
)

test('a server whose program was removed says so, and spends nothing', async () => {
  const stage = await setStage()
  const dist = copyProgram()
  const server = await startServer(stage, { program: join(dist, 'main.js') })
  rmSync(dist, { recursive: true })
  expect((await server.call('refresh_token')).text).toMatch(
    /^FAILED: feishu-token-mcp was updated or removed while it ran\. .*code=config_invalid/,
  )
  const { contents } = await server.client.readResource({ uri: 'feishu-token://status' })
  expect(JSON.parse(String((contents[0] as { text: string }).text)).error).toMatchObject({
    code: 'config_invalid',
    next_step: 'Restart it: a client does so with a new session.',
  })
  expect(stage.sandbox.requests).toEqual([])
})

test('a program that another version takes the place of while a server runs spends no refresh token half in the one, half in the other', async () => {
  const stage = await setStage()
  const { sandbox, tokenDir } = stage
  const id = { brand: 'feishu', appId: sandbox.app.appId, profile: 'default' } as const
  await storeIssued(openStore(tokenDir), id, sandbox.issue(), sandbox.user, Date.now())
  const dist = copyProgram()
  const server = await startServer(stage, { program: join(dist, 'main.js') })
  expect(await server.call('token_status')).toMatchObject({ isError: false })
  for (const name of readdirSync(dist).filter((name) => name.endsWith('.js'))) {
    const path = join(dist, name)
    const text = readFileSync(path, 'utf8').replaceAll(/build-[0-9a-f]{12}/g, 'build-of-tomorrow')
    // What stores an answer has another name there.
    writeFileSync(path, text.replaceAll(/\bcommit\(/g, 'storeAnswer('))
  }
  const answer = await server.call('refresh_token', { force: true })
  expect(answer.text).toMatch(
    /^FAILED: feishu-token-mcp was updated or removed while it ran\. .*code=config_invalid/,
  )
  expect(await server.call('token_status')).toMatchObject({ isError: false })
  expect(await run(stage, ['refresh', '--force'])).toMatchObject({ code: 0 })
})
