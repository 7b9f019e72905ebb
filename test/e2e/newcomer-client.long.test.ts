// The whole way of a newcomer: `setup` at a terminal has Feishu make the app, logs in and writes the entry into the
// client that it finds, with two approvals and nothing pasted. Then the client itself, its model playing a script, reads
// a document through that entry.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connectStage, DOCUMENT } from '../support/connect.ts'
import { openClaudeCode, openCodex } from '../support/model-client.ts'
import { PROGRAM, type Stage } from '../support/program.ts'
import { type ScriptedModel, startModel } from '../support/scripted-model.ts'
import { NO_TMUX, openTerminal } from '../support/terminal.ts'

const TIMEOUT_MS = 240_000
const CODE = '([A-Z0-9]{4}-[A-Z0-9]{4})'
const QUESTION = 'What is in the weekly plan?'
/** Claude Code does not wait for servers by itself; while one is not there yet, it tells the model that it may. */
const WAIT = { ending: 'WaitForMcpServers', input: {}, ifShown: true }
const CALL = { ending: 'fetch-doc', input: { doc_id: DOCUMENT } }

/** A home in which nothing is known of Feishu. */
function emptyStage(): Promise<Stage> {
  const env = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '', LANG: 'C.UTF-8', TERM: 'xterm' }
  return connectStage({ env, knobs: { deviceIntervalMs: 1_000 } })
}

/** What the person does: Enter, a 2, two approvals on Feishu's pages, a y. */
async function setUp(stage: Stage, client: string): Promise<void> {
  const terminal = openTerminal(stage, `"${process.execPath}" "${PROGRAM}" setup`)
  await terminal.seen(/not the login alone\? \[Y\/n\] /)
  terminal.type('')
  await terminal.seen(/Which way\? \[1\] /)
  terminal.type('2')
  const [, app = ''] = await terminal.seen(new RegExp(`\\(code ${CODE}\\)`))
  await stage.sandbox.approveDevice(app)
  const [, login = ''] = await terminal.seen(new RegExp(`must show this code: ${CODE}`))
  await stage.sandbox.approveDevice(login)
  await terminal.seen(new RegExp(`config of ${client}\\? \\[y/N\\] `))
  terminal.type('y')
  await terminal.seen(/Written\.[\s\S]*ended with 0/)
}

function proveRead(said: string, { shown }: ScriptedModel): void {
  expect(said, [...shown].join()).toContain('the launch, at 15:00')
}

test('from nothing to a document in Claude Code', { timeout: TIMEOUT_MS }, async (context) => {
  if (NO_TMUX) context.skip(NO_TMUX)
  const stage = await emptyStage()
  const model = await startModel('anthropic', WAIT, CALL)
  const shell = openClaudeCode(context, model.url, stage.home)
  await shell.type('claude mcp list')
  await setUp(stage, 'Claude Code')
  const entry = readFileSync(join(stage.home, '.claude.json'), 'utf8')
  for (const secret of stage.sandbox.secrets()) expect(entry).not.toContain(secret)
  proveRead(
    await shell.type(`claude -p "${QUESTION}" --allowedTools mcp__feishu__fetch-doc < /dev/null`),
    model,
  )
})

test('from nothing to a document in Codex', { timeout: TIMEOUT_MS }, async (context) => {
  if (NO_TMUX) context.skip(NO_TMUX)
  const stage = await emptyStage()
  const model = await startModel('openai', CALL)
  const shell = openCodex(context, model.url, stage.home)
  await setUp(stage, 'Codex')
  const entry = readFileSync(join(stage.home, '.codex', 'config.toml'), 'utf8')
  for (const secret of stage.sandbox.secrets()) expect(entry).not.toContain(secret)
  // Nobody is there to say yes to the call; and without waiting, a server that needs more than a second is left out.
  const options = `-c 'mcp_servers.feishu.default_tools_approval_mode="approve"' -c mcp_servers.feishu.required=true`
  proveRead(await shell.type(`codex exec --skip-git-repo-check ${options} "${QUESTION}" < /dev/null`), model)
})
