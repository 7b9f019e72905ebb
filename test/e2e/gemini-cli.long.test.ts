// Gemini CLI itself, in an empty home and without a network: the commands of the documents, typed as they stand there.
// GEMINI_CLI_DIR names the folder it was installed into.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openShell } from '../support/client-program.ts'
import { DOCUMENTS, shellLines } from '../support/document.ts'

const program = join(process.env.GEMINI_CLI_DIR ?? '', 'node_modules/@google/gemini-cli/bundle/gemini.js')
const lines = [...new Set(DOCUMENTS.flatMap(shellLines))].filter((line) =>
  /^gemini mcp add .* node /.test(line),
)

test('the documents say how to add the server to Gemini CLI', () => {
  expect(lines.length).toBeGreaterThan(0)
})

test.for(lines)(
  'after `%s` Gemini CLI connects in a folder that it trusts',
  { timeout: 150_000 },
  async (line, context) => {
    if (!process.env.GEMINI_CLI_DIR || !existsSync(program)) {
      const how = 'npm install --ignore-scripts --prefix DIR @google/gemini-cli@0.61.0'
      context.skip(`Gemini CLI is not installed: run ${how} and set GEMINI_CLI_DIR=DIR`)
    }
    const shell = openShell({ name: 'gemini', command: [process.execPath, program] })
    await shell.type(line)
    expect(await shell.type('gemini mcp list')).toContain('Disabled')
    const trusted = join(shell.home, '.gemini', 'trustedFolders.json')
    mkdirSync(join(trusted, '..'), { recursive: true })
    writeFileSync(trusted, JSON.stringify({ [shell.folder]: 'TRUST_FOLDER' }))
    expect(await shell.type('gemini mcp list')).toMatch(
      /✓ feishu: node .*dist\/main\.js connect \(stdio\) - Connected/,
    )
    expect(existsSync(join(shell.home, '.feishu-token-mcp'))).toBe(false)
  },
)
