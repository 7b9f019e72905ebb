// What the command line of `connect` brings with it.

import { expect, test } from 'vitest'
import { readArgv } from '../../src/cli/argv.ts'
import { readConnect, settingsOf } from '../../src/cli/connect-wish.ts'

async function scopesFor(words: string[], environment = {}): Promise<string | undefined> {
  const host = { command: 'feishu-token-mcp', environment }
  const wish = await readConnect(readArgv(['connect', ...words]), host)
  if (!wish) throw new Error('help was asked for')
  return settingsOf(wish, environment).FEISHU_SCOPES
}

const LARK_MCP = ['--', 'npx', '-y', '@larksuiteoapi/lark-mcp@0.5.1', 'mcp']

test.each([
  ['the hosted server', [], '@hosted-mcp'],
  ['another server', ['https://example.com/mcp', '--header', 'X-Token={token}'], undefined],
  ['lark-mcp', [...LARK_MCP, '--token-mode', 'user_access_token'], '@lark-mcp'],
  ['lark-mcp on Windows', ['--', 'cmd', '/c', 'lark-mcp.cmd', 'mcp'], '@lark-mcp'],
  ['lark-mcp with tools of its own choice', [...LARK_MCP, '-t', 'preset.calendar.default'], undefined],
  ['lark-mcp with the same in one word', [...LARK_MCP, '--tools=im.v1.chat.list'], undefined],
  ['lark-mcp with a file', [...LARK_MCP, '--config', 'lark.json'], undefined],
  ['another program', ['--', 'node', 'other.js', 'lark'], undefined],
])('the scopes are those that %s needs, as far as known', async (_name, words, scopes) => {
  expect(await scopesFor(words)).toBe(scopes)
  expect(await scopesFor(words, { FEISHU_SCOPES: 'docx:document' })).toBe(undefined)
})
