// The program's own files are replaced or removed while a server runs: an update, an uninstallation.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { setStage } from '../support/program.ts'

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

test('a program that was removed within five seconds of the handshake goes on without a stack trace', async () => {
  const stage = await setStage()
  // Below the project, so that packages are found.
  const folder = mkdtempSync(join('node_modules', '.cache', 'removed-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const preload = join(stage.home, 'preload.mjs')
  writeFileSync(preload, PRELOAD)
  cpSync('dist', join(folder, 'dist'), { recursive: true })
  const env = { ...stage.env, NODE_OPTIONS: `--import file://${preload}` }
  const server = spawn(process.execPath, [join(folder, 'dist', 'main.js')], { env })
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
  rmSync(join(folder, 'dist'), { recursive: true })
  server.kill('SIGUSR2')
  await said('background: over')
  server.stdin.end()
  expect(await ended).toEqual([0, null])
  expect(stderr).toBe('background: set\nbackground: over\n')
})
