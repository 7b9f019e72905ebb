// The clients themselves with `connect` as their one server, and a model that plays a script: they see Feishu's tools,
// call one, and tell what the document says. CLAUDE_CODE_DIR, CODEX_CLI_DIR and GEMINI_CLI_DIR name the folders that they
// were installed into.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { openShell } from '../support/client-program.ts'
import { connectStage, DOCUMENT, logIn, startListed } from '../support/connect.ts'
import { PROGRAM, type Stage } from '../support/program.ts'
import { isNamed, startModel } from '../support/scripted-model.ts'

const TIMEOUT_MS = 150_000
const QUESTION = 'What is in the weekly plan?'
const CALL = { ending: 'fetch-doc', input: { doc_id: DOCUMENT } }

function installed(context: TestContext, variable: string, path: string, name: string): string {
  const program = join(process.env[variable] ?? '', 'node_modules', path)
  if (!process.env[variable] || !existsSync(program)) {
    const how = `npm install --ignore-scripts --prefix DIR ${name}`
    context.skip(`${name} is not installed: run ${how} and set ${variable}=DIR`)
  }
  return program
}

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
  const path = `@anthropic-ai/claude-code-${process.platform}-${process.arch}/claude`
  const program = installed(context, 'CLAUDE_CODE_DIR', path, '@anthropic-ai/claude-code@2.1.330')
  const stage = await usedStage()
  const { url, shown } = await startModel('anthropic', CALL)
  const env = {
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: 'sk-ant-scripted',
    // Shown whole, not found by search: the script looks for one by its name.
    ENABLE_TOOL_SEARCH: 'false',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    NO_PROXY: '127.0.0.1',
  }
  const shell = openShell({ name: 'claude', command: [program], env })
  writeFileSync(join(shell.folder, 'mcp.json'), JSON.stringify({ mcpServers: { feishu: entryOf(stage) } }))
  const options = '--mcp-config mcp.json --strict-mcp-config --allowedTools mcp__feishu__fetch-doc'
  proveSeen(await shell.type(`claude -p "${QUESTION}" ${options} < /dev/null`), shown)
})

test('Codex sees the tools of connect, and calls one', { timeout: TIMEOUT_MS }, async (context) => {
  const program = installed(context, 'CODEX_CLI_DIR', '@openai/codex/bin/codex.js', '@openai/codex@0.169.0')
  const stage = await usedStage()
  const { url, shown } = await startModel('openai', CALL)
  const shell = openShell({
    name: 'codex',
    command: [process.execPath, program],
    env: { NO_PROXY: '127.0.0.1' },
  })
  const { command, args, env } = entryOf(stage)
  const variables = Object.entries(env).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
  mkdirSync(join(shell.home, '.codex'))
  writeFileSync(
    join(shell.home, '.codex', 'config.toml'),
    [
      'model = "scripted"',
      'model_provider = "scripted"',
      '[model_providers.scripted]',
      'name = "scripted"',
      `base_url = "${url}/v1"`,
      'wire_api = "responses"',
      '[mcp_servers.feishu]',
      `command = ${JSON.stringify(command)}`,
      `args = ${JSON.stringify(args)}`,
      'default_tools_approval_mode = "approve"',
      '[mcp_servers.feishu.env]',
      ...variables,
    ].join('\n'),
  )
  proveSeen(await shell.type(`codex exec --skip-git-repo-check "${QUESTION}" < /dev/null`), shown)
})

test('Gemini CLI sees the tools of connect, and calls one', { timeout: TIMEOUT_MS }, async (context) => {
  const path = '@google/gemini-cli/bundle/gemini.js'
  const program = installed(context, 'GEMINI_CLI_DIR', path, '@google/gemini-cli@0.61.0')
  const stage = await usedStage()
  const { url, shown } = await startModel('gemini', CALL)
  const env = { GEMINI_API_KEY: 'scripted', GOOGLE_GEMINI_BASE_URL: url, NO_PROXY: '127.0.0.1' }
  const shell = openShell({ name: 'gemini', command: [process.execPath, program], env })
  const settings = {
    mcpServers: { feishu: { ...entryOf(stage), trust: true } },
    security: { auth: { selectedType: 'gemini-api-key' } },
  }
  mkdirSync(join(shell.home, '.gemini'))
  writeFileSync(join(shell.home, '.gemini', 'settings.json'), JSON.stringify(settings))
  const trusted = { [shell.folder]: 'TRUST_FOLDER' }
  writeFileSync(join(shell.home, '.gemini', 'trustedFolders.json'), JSON.stringify(trusted))
  proveSeen(await shell.type(`gemini -m gemini-2.5-flash -p "${QUESTION}" < /dev/null`), shown)
})
