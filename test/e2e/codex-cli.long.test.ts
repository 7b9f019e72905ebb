// Codex CLI itself, in an empty home and without a network: the commands and entries of the documents, as they stand
// there. Its list does not start servers, so what is proved is that it takes them. CODEX_CLI_DIR names the folder it
// was installed into.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import { expect, type TestContext, test } from 'vitest'
import { openShell, type Shell } from '../support/client-program.ts'
import { DOCUMENTS, shellLines, tomlBlocks, typed } from '../support/document.ts'

const program = join(process.env.CODEX_CLI_DIR ?? '', 'node_modules/@openai/codex/bin/codex.js')
const lines = [...new Set(DOCUMENTS.flatMap(shellLines))].filter((line) =>
  /^codex mcp add .* node /.test(line),
)
const entries = [...new Set(DOCUMENTS.flatMap(tomlBlocks))]

function shellOrSkip(context: TestContext): Shell {
  if (!process.env.CODEX_CLI_DIR || !existsSync(program)) {
    const how = 'npm install --ignore-scripts --prefix DIR @openai/codex@0.169.0'
    context.skip(`Codex CLI is not installed: run ${how} and set CODEX_CLI_DIR=DIR`)
  }
  return openShell({ name: 'codex', command: [process.execPath, program] })
}

test('the documents say how to add the server to Codex', () => {
  expect(lines.length).toBeGreaterThan(0)
  expect(entries.length).toBeGreaterThan(1)
})

test.for(lines)(
  '`%s` makes an entry that Codex has switched on',
  { timeout: 150_000 },
  async (line, context) => {
    const shell = shellOrSkip(context)
    await shell.type(line)
    expect(await shell.type('codex mcp list')).toMatch(/^feishu +node +\S+dist\/main\.js connect .*enabled/m)
    const { mcp_servers } = parseToml(readFileSync(join(shell.home, '.codex', 'config.toml'), 'utf8'))
    expect(mcp_servers).toMatchObject({ feishu: { command: 'node' } })
  },
)

test.for(entries)('Codex takes the entry %s', { timeout: 150_000 }, async (entry, context) => {
  const shell = shellOrSkip(context)
  mkdirSync(join(shell.home, '.codex'))
  writeFileSync(join(shell.home, '.codex', 'config.toml'), typed(entry))
  expect(await shell.type('codex mcp list')).toMatch(/^feishu .*enabled/m)
  const shown = JSON.parse((await shell.type('codex mcp get feishu --json')).replace(/^WARNING.*\n/gm, ''))
  // What the server needs on a Linux desktop, and time for the first start of `npx`.
  expect(shown.transport.env_vars).toEqual(expect.arrayContaining(['DISPLAY', 'DBUS_SESSION_BUS_ADDRESS']))
})
