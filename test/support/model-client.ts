// Real clients whose model is one that plays a script: each in a shell of its own. CLAUDE_CODE_DIR, CODEX_CLI_DIR and
// GEMINI_CLI_DIR name the folders that they were installed into.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { openShell, type Shell } from './client-program.ts'

function installed(context: TestContext, variable: string, path: string, name: string): string {
  const program = join(process.env[variable] ?? '', 'node_modules', path)
  if (!process.env[variable] || !existsSync(program)) {
    const how = `npm install --ignore-scripts --prefix DIR ${name}`
    context.skip(`${name} is not installed: run ${how} and set ${variable}=DIR`)
  }
  return program
}

/** Claude Code with the model at this address. */
export function openClaudeCode(context: TestContext, url: string, home?: string): Shell {
  const path = `@anthropic-ai/claude-code-${process.platform}-${process.arch}/claude`
  const program = installed(context, 'CLAUDE_CODE_DIR', path, '@anthropic-ai/claude-code@2.1.330')
  const env = {
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: 'sk-ant-scripted',
    // Shown whole, not found by search: the script looks for one by its name.
    ENABLE_TOOL_SEARCH: 'false',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    NO_PROXY: '127.0.0.1',
  }
  return openShell({ name: 'claude', command: [program], env, home })
}

/** Codex with the model at this address; more may be added to its `~/.codex/config.toml`. */
export function openCodex(context: TestContext, url: string, home?: string): Shell {
  const program = installed(context, 'CODEX_CLI_DIR', '@openai/codex/bin/codex.js', '@openai/codex@0.169.0')
  const command = [process.execPath, program]
  const shell = openShell({ name: 'codex', command, env: { NO_PROXY: '127.0.0.1' }, home })
  mkdirSync(join(shell.home, '.codex'))
  const config = [
    'model = "scripted"',
    'model_provider = "scripted"',
    '[model_providers.scripted]',
    'name = "scripted"',
    `base_url = "${url}/v1"`,
    'wire_api = "responses"',
    '',
  ]
  writeFileSync(join(shell.home, '.codex', 'config.toml'), config.join('\n'))
  return shell
}

/** Gemini CLI with the model at this address and these servers. */
export function openGemini(context: TestContext, url: string, mcpServers: object): Shell {
  const program = installed(
    context,
    'GEMINI_CLI_DIR',
    '@google/gemini-cli/bundle/gemini.js',
    '@google/gemini-cli@0.61.0',
  )
  const env = { GEMINI_API_KEY: 'scripted', GOOGLE_GEMINI_BASE_URL: url, NO_PROXY: '127.0.0.1' }
  const shell = openShell({ name: 'gemini', command: [process.execPath, program], env })
  const settings = { mcpServers, security: { auth: { selectedType: 'gemini-api-key' } } }
  mkdirSync(join(shell.home, '.gemini'))
  writeFileSync(join(shell.home, '.gemini', 'settings.json'), JSON.stringify(settings))
  const trusted = { [shell.folder]: 'TRUST_FOLDER' }
  writeFileSync(join(shell.home, '.gemini', 'trustedFolders.json'), JSON.stringify(trusted))
  return shell
}
