// Packs what was built as an MCP bundle, for clients that install a server from one file. It runs on every platform
// named here: each has its own native file lock and keychain, fetched as package-lock.json has them.
// Usage: node scripts/mcpb.mjs [FILE]

import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { packExtension } from '@anthropic-ai/mcpb'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const PLATFORMS = ['darwin-arm64', 'darwin-x64', 'win32-x64', 'win32-arm64', 'linux-x64', 'linux-arm64']
/** The client puts the bundle's folder there. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: the form of the manifest
const FOLDER = '${__dirname}'
/** What a person is asked in the client's own window. Empty is allowed: `setup` may have kept the credentials. */
const ASKED = {
  app_id: ['FEISHU_APP_ID', 'App ID'],
  app_secret: ['FEISHU_APP_SECRET', 'App Secret'],
  brand: ['FEISHU_BRAND', 'Brand (feishu or lark)'],
  scopes: ['FEISHU_SCOPES', 'Scopes'],
}

const readJson = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'))

/** What the built server says of itself. */
async function askServer() {
  const client = new Client({ name: 'bundle', version: '1.0.0' })
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [join(root, 'dist/main.js')] }),
  )
  const { tools } = await client.listTools()
  const { title } = client.getServerVersion()
  await client.close()
  return { title, tools: tools.map(({ name, description }) => ({ name, description })) }
}

function userConfig() {
  const settings = readJson('server.json').packages[0].environmentVariables
  const entries = Object.entries(ASKED).map(([key, [variable, title]]) => {
    const { description, isSecret, default: value = '' } = settings.find(({ name }) => name === variable)
    // An option without a default stays a reference, which the server would refuse.
    return [key, { type: 'string', title, description, sensitive: isSecret, required: false, default: value }]
  })
  return Object.fromEntries(entries)
}

async function manifest() {
  const { name, version, description, license, keywords, engines } = readJson('package.json')
  const { title, tools } = await askServer()
  const env = Object.entries(ASKED).map(([key, [variable]]) => [variable, `\${user_config.${key}}`])
  return {
    manifest_version: '0.3',
    name,
    display_name: title,
    version,
    description,
    author: { name: `the authors of ${name}` },
    license,
    keywords,
    icon: 'icon.png',
    server: {
      type: 'node',
      entry_point: 'dist/main.js',
      mcp_config: {
        command: 'node',
        args: [`${FOLDER}/dist/main.js`],
        env: Object.fromEntries(env),
        platform_overrides: { darwin: { command: '/bin/sh', args: [`${FOLDER}/start.sh`] } },
      },
    },
    tools,
    prompts_generated: true,
    user_config: userConfig(),
    compatibility: {
      platforms: [...new Set(PLATFORMS.map((platform) => platform.split('-')[0]))],
      runtimes: { node: engines.node },
    },
  }
}

/** Installs the packages that the program needs on a platform, and gives their folder. */
async function packagesFor(platform, work) {
  const folder = join(work, platform)
  mkdirSync(folder)
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, file), join(folder, file))
  const [os, cpu] = platform.split('-')
  const args = [
    'ci',
    '--omit=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    `--os=${os}`,
    `--cpu=${cpu}`,
  ]
  await promisify(execFile)('npm', [...args, '--libc=glibc'], {
    cwd: folder,
    shell: process.platform === 'win32',
  })
  return join(folder, 'node_modules')
}

/** Lays the bundle's files out. */
async function stage(work) {
  const folder = join(work, 'bundle')
  cpSync(join(root, 'dist'), join(folder, 'dist'), {
    recursive: true,
    filter: (path) => path !== join(root, 'dist', 'cache'),
  })
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  cpSync(join(root, 'docs/icon.png'), join(folder, 'icon.png'))
  cpSync(join(root, 'scripts/bundle-start.sh'), join(folder, 'start.sh'))
  // All have ended before one failure is told: what still runs would write into the folder that is removed then.
  const installs = await Promise.allSettled(PLATFORMS.map((platform) => packagesFor(platform, work)))
  for (const install of installs) {
    if (install.status === 'rejected') throw install.reason
    cpSync(install.value, join(folder, 'node_modules'), { recursive: true })
  }
  writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(await manifest(), null, 2)}\n`)
  return folder
}

const work = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-'))
try {
  const outputPath = resolve(process.argv[2] ?? 'feishu-token-mcp.mcpb')
  if (!(await packExtension({ extensionPath: await stage(work), outputPath }))) process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
