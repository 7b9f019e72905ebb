// Claude Code itself, in an empty home and without a network: the commands of the documents, typed as they stand there.
// CLAUDE_CODE_DIR names the folder it was installed into.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openShell } from '../support/client-program.ts'
import { DOCUMENTS, shellLines } from '../support/document.ts'

const platform = `claude-code-${process.platform}-${process.arch}`
const program = join(process.env.CLAUDE_CODE_DIR ?? '', 'node_modules/@anthropic-ai', platform, 'claude')
const lines = [...new Set(DOCUMENTS.flatMap(shellLines))].filter((line) =>
  /^claude mcp add .*-- node /.test(line),
)

test('the documents say how to add the server to Claude Code', () => {
  expect(lines.length).toBeGreaterThan(0)
})

test.for(lines)('after `%s` Claude Code connects', { timeout: 150_000 }, async (line, context) => {
  if (!process.env.CLAUDE_CODE_DIR || !existsSync(program)) {
    const how = 'npm install --ignore-scripts --prefix DIR @anthropic-ai/claude-code@2.1.330'
    context.skip(`Claude Code is not installed: run ${how} and set CLAUDE_CODE_DIR=DIR`)
  }
  const env = { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1' }
  const shell = openShell({ name: 'claude', command: [program], env })
  await shell.type(line)
  const listed = await shell.type('claude mcp list')
  expect(listed).toMatch(/^feishu: node .*dist\/main\.js connect .*✔ Connected$/m)
  // It was started to be looked at: nothing was made.
  expect(existsSync(join(shell.home, '.feishu-token-mcp'))).toBe(false)
})
