// The clients themselves with `connect` as their one server, and a model that plays a script: they see Feishu's tools,
// call one, and tell what the document says.

import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connectStage, DOCUMENT, logIn, startListed } from '../support/connect.ts'
import { openClaudeCode, openCodex, openGemini } from '../support/model-client.ts'
import { PROGRAM, type Stage } from '../support/program.ts'
import { isNamed, startModel } from '../support/scripted-model.ts'

const TIMEOUT_MS = 150_000
const QUESTION = 'What is in the weekly plan?'
const CALL = { ending: 'fetch-doc', input: { doc_id: DOCUMENT } }

/** Somebody has logged in, and `connect` has been there before: the list is kept. */
async function usedStage(): Promise<Stage> {
  const stage = await connectStage()
  await logIn(stage)
  await (await startListed(stage)).close()
  return stage
}

function entryOf(stage: Stage): { command: string; args: string[]; env: Record<string, string> } {
  return { command: process.execPath, args: [PROGRAM, 'connect'], env: stage.env }
}

function proveSeen(said: string, shown: Set<string>): void {
  const names = [...shown]
  for (const ending of ['fetch-doc', 'token_status', 'start_authorization'])
    expect(
      names.some((name) => isNamed(name, ending)),
      names.join(),
    ).toBe(true)
  expect(said).toContain('the launch, at 15:00')
}

test('Claude Code sees the tools of connect, and calls one', { timeout: TIMEOUT_MS }, async (context) => {
  const { url, shown } = await startModel('anthropic', CALL)
  const shell = openClaudeCode(context, url)
  const stage = await usedStage()
  writeFileSync(join(shell.folder, 'mcp.json'), JSON.stringify({ mcpServers: { feishu: entryOf(stage) } }))
  const options = '--mcp-config mcp.json --strict-mcp-config --allowedTools mcp__feishu__fetch-doc'
  proveSeen(await shell.type(`claude -p "${QUESTION}" ${options} < /dev/null`), shown)
})

test('Codex sees the tools of connect, and calls one', { timeout: TIMEOUT_MS }, async (context) => {
  const { url, shown } = await startModel('openai', CALL)
  const shell = openCodex(context, url)
  const { command, args, env } = entryOf(await usedStage())
  const variables = Object.entries(env).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
  const entry = [
    '[mcp_servers.feishu]',
    `command = ${JSON.stringify(command)}`,
    `args = ${JSON.stringify(args)}`,
    'default_tools_approval_mode = "approve"',
    // Else it leaves out a server that needs more than a second.
    'required = true',
    '[mcp_servers.feishu.env]',
    ...variables,
  ]
  appendFileSync(join(shell.home, '.codex', 'config.toml'), entry.join('\n'))
  proveSeen(await shell.type(`codex exec --skip-git-repo-check "${QUESTION}" < /dev/null`), shown)
})

test('Gemini CLI sees the tools of connect, and calls one', { timeout: TIMEOUT_MS }, async (context) => {
  const { url, shown } = await startModel('gemini', CALL)
  const stage = await usedStage()
  const shell = openGemini(context, url, { feishu: { ...entryOf(stage), trust: true } })
  proveSeen(await shell.type(`gemini -m gemini-2.5-flash -p "${QUESTION}" < /dev/null`), shown)
})
