// The MCP bundle: packed, unpacked and started as a client does it.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getMcpConfigForManifest, type McpbManifestAny, unpackExtension } from '@anthropic-ai/mcpb'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { expect, onTestFinished, test } from 'vitest'
import { type Answer, readAnswer } from '../support/contract.ts'
import { makeFolder } from '../support/folder.ts'
import { freePort } from '../support/port.ts'
import { runOrSkip } from '../support/registry.ts'

const TOOLS = ['start_authorization', 'token_status', 'refresh_token']
const PLATFORMS = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'win32-arm64', 'win32-x64']

type Bundle = { folder: string; manifest: McpbManifestAny }
type Connection = { client: Client; call: (name: string, args?: Record<string, unknown>) => Promise<Answer> }

/** Starts the server of an unpacked bundle with what a person has filled in. */
async function connect(
  { folder, manifest }: Bundle,
  userConfig: Record<string, string>,
): Promise<Connection> {
  const config = await getMcpConfigForManifest({
    manifest,
    extensionPath: folder,
    systemDirs: {},
    userConfig,
    pathSeparator: '/',
  })
  const port = await freePort()
  const env = {
    ...config?.env,
    HOME: makeFolder(),
    FEISHU_TOKEN_KEY_SOURCE: 'file',
    FEISHU_REDIRECT_URI: `http://localhost:${port}/callback`,
  }
  expect(config?.command).toBe('node')
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: config?.args ?? [], env, stderr: 'ignore' }),
  )
  onTestFinished(() => client.close())
  return {
    client,
    call: async (name, args = {}) =>
      readAnswer((await client.callTool({ name, arguments: args })) as CallToolResult),
  }
}

function checkManifest({ folder, manifest }: Bundle): void {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(manifest).toMatchObject({
    manifest_version: '0.3',
    name: 'feishu-token-mcp',
    version,
    icon: 'icon.png',
  })
  expect(readFileSync(join(folder, 'icon.png'))).toEqual(readFileSync('docs/icon.png'))
  expect(manifest.tools?.map(({ name }) => name)).toEqual(TOOLS)
  const secrets = Object.entries(manifest.user_config ?? {}).filter(([, { sensitive }]) => sensitive)
  expect(secrets.map(([key]) => key)).toEqual(['app_secret'])
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the form of the manifest
  expect(manifest.server.mcp_config.env?.FEISHU_APP_SECRET).toBe('${user_config.app_secret}')
  expect(manifest.compatibility?.platforms?.toSorted()).toEqual(['darwin', 'linux', 'win32'])
}

/** Each platform has its file lock, without which nothing is refreshed, and its keychain. */
function checkNatives({ folder }: Bundle): void {
  const packages = join(folder, 'node_modules')
  expect(readdirSync(join(folder, 'dist/native')).sort()).toEqual(PLATFORMS)
  expect(readdirSync(join(folder, 'dist'))).not.toContain('cache')
  const keychains = readdirSync(join(packages, '@napi-rs')).filter((name) => name !== 'keyring')
  expect(keychains.map((name) => name.replace(/^keyring-|-(gnu|msvc)$/g, '')).sort()).toEqual(PLATFORMS)
}

/** On macOS the person's own Node runs it: the first that is new enough, or a sentence that asks for one. */
function checkStartOnMac({ folder, manifest }: Bundle): void {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the form of the manifest
  const override = { command: '/bin/sh', args: ['${__dirname}/start.sh'] }
  expect(manifest.server.mcp_config.platform_overrides?.darwin).toEqual(override)
  const home = makeFolder()
  const start = (path: string) =>
    spawnSync('/bin/sh', [join(folder, 'start.sh')], {
      env: { HOME: home, PATH: path },
      input: `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })}\n`,
      encoding: 'utf8',
    })
  const putNode = (bin: string, command: string) => {
    mkdirSync(join(home, bin), { recursive: true })
    writeFileSync(join(home, bin, 'node'), `#!/bin/sh\n${command}\n`, { mode: 0o755 })
  }
  putNode('old', 'exit 2')
  const path = join(home, 'old')
  if (!['/opt/homebrew/bin/node', '/usr/local/bin/node'].some((node) => existsSync(node)))
    expect(start(path)).toMatchObject({ status: 2, stderr: expect.stringContaining('https://nodejs.org') })
  putNode('.nvm/versions/node/v24.0.0/bin', `exec "${process.execPath}" "$@"`)
  expect(start(path)).toMatchObject({ status: 0, stdout: '{"result":{},"jsonrpc":"2.0","id":1}\n' })
}

test('the bundle carries every platform, asks for the secret as a secret, and runs as the client starts it', async (context) => {
  const work = makeFolder()
  const mcpbPath = join(work, 'feishu-token-mcp.mcpb')
  // The packer validates: it ends with an error if the manifest is not right.
  const told = await runOrSkip(context, process.execPath, ['scripts/mcpb.mjs', mcpbPath])
  expect(told).toContain('Manifest schema validation passes!')
  const folder = join(work, 'unpacked')
  expect(await unpackExtension({ mcpbPath, outputDir: folder, silent: true })).toBe(true)
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as McpbManifestAny
  const bundle = { folder, manifest }
  checkManifest(bundle)
  checkNatives(bundle)

  const empty = await connect(bundle, {})
  expect((await empty.client.listTools()).tools.map(({ name }) => name)).toEqual(TOOLS)
  // Nothing was filled in, and no reference is left over.
  expect((await empty.call('token_status')).data).toMatchObject({ status: 'not_configured', brand: 'feishu' })

  const filled = await connect(bundle, {
    app_id: 'cli_a1b2c3d4e5f60718',
    app_secret: 'a-secret',
    brand: 'lark',
  })
  const started = await filled.call('start_authorization', { open_browser: false })
  expect(started.data).toMatchObject({ status: 'pending', joined: false })
  expect(String(started.data.authorization_url)).toContain('accounts.larksuite.com')
  // The lock and the sealed files work from here.
  const joined = await filled.call('start_authorization', { open_browser: false })
  expect(joined.data).toMatchObject({ joined: true, authorization_url: started.data.authorization_url })
  expect((await filled.call('start_authorization', { cancel: true })).data.status).toBe('cancelled')

  checkStartOnMac(bundle)
}, 200_000)
