// Keeps the code that V8 makes of the program's files, for starts with the Node that has built them: a few commands are
// run, and what had been compiled by their end is written down, what they called included.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const params = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'build', version: '1' },
}
const MESSAGES = [
  { id: 1, method: 'initialize', params },
  { method: 'notifications/initialized' },
  { id: 2, method: 'tools/list' },
  { id: 3, method: 'tools/call', params: { name: 'token_status', arguments: {} } },
].map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)

/** Arguments, language, and what is said to the program: none needs a token, or the network. */
const RUNS = [
  [['token'], 'en', ''],
  [['status', '--json'], 'en', ''],
  [['exec', '--', process.execPath, '--version'], 'en', ''],
  [['refresh'], 'zh', ''],
  [[], 'en', MESSAGES.join('')],
  [['connect'], 'en', MESSAGES.slice(0, 1).join('')],
]

/** Fills `dist/cache` for the Node that runs this. The program is whole without it, so a failure is only told. */
export function makeCodeCache(root) {
  let home = ''
  const recorder = join(root, 'scripts', 'record-code.cjs')
  try {
    home = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-build-'))
    for (const [args, language, input] of RUNS) {
      const { error, signal } = spawnSync(
        process.execPath,
        ['--require', recorder, join(root, 'dist', 'main.js'), ...args],
        {
          input,
          timeout: 60_000,
          env: {
            PATH: process.env.PATH,
            SystemRoot: process.env.SystemRoot,
            HOME: home,
            USERPROFILE: home,
            FEISHU_APP_ID: 'cli_0000000000000000',
            FEISHU_APP_SECRET: 'a-secret-that-is-never-sent',
            FEISHU_TOKEN_KEY_SOURCE: 'file',
            FEISHU_AUTO_REFRESH: 'false',
            FEISHU_LANG: language,
          },
        },
      )
      if (error || signal) throw error ?? new Error(`${args.join(' ')} ended by ${signal}`)
    }
  } catch (error) {
    console.warn(`The code for faster starts was not kept: ${error.message}`)
  } finally {
    if (home) rmSync(home, { recursive: true, force: true })
  }
}
